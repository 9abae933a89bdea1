"""Encodes a group of calls with its tally as JSON compressed with zstd.

Redis stores one text per group, period and process.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from glidepath import zstd
from glidepath.call_classes import CallClass
from glidepath.inventory.tally import COUNTERS, GroupKey, Shape, Source, Tally

FORM = 1
MOST_BYTES = 2**20  # of one decoded group; the bounds of a tally keep it far below
_NUMBERS = 9  # of a usage: COUNTS, and the number of answers


class UnreadableTallyError(ValueError):
    """The bytes are not an encoded group."""


def encode_group(key: GroupKey, tally: Tally) -> bytes:
    document: dict[str, Any] = {
        "form": FORM,
        "key": list(key),
        "counts": [getattr(tally, name) for name in COUNTERS],
        "latency": _flat(tally.latency),
        "ttft": _flat(tally.ttft),
        "shapes": {n: [one.requests, _flat(one.tokens), _flat(one.body)] for n, one in tally.shapes.items()},
        "usage": tally.usage,
        "backends": tally.backends,
        "workloads": tally.workloads,
    }
    return zstd.compress(json.dumps(document, separators=(",", ":")).encode())


def decode_group(data: bytes) -> tuple[GroupKey, Tally]:
    """Return the group and its tally. Raises UnreadableTallyError for invalid bytes."""
    try:
        return _group(_document(data))
    except (zstd.ZstdError, ValueError, KeyError, TypeError, AttributeError, RecursionError, EOFError) as error:
        raise UnreadableTallyError(f"no group of the inventory: {error}") from error


def _document(data: bytes) -> Any:
    size = zstd.get_frame_info(data).decompressed_size
    if size is None or size > MOST_BYTES:
        raise UnreadableTallyError("too long")
    return json.loads(zstd.ZstdDecompressor().decompress(data, MOST_BYTES))


def _group(document: Mapping[str, Any]) -> tuple[GroupKey, Tally]:
    if document["form"] != FORM:
        raise UnreadableTallyError(f"unknown form {document['form']!r}")
    return _key(document["key"]), _tally(document)


def _key(parts: list[str]) -> GroupKey:
    source, path, call, model, caller = map(str, parts)
    return GroupKey(Source(source), path, CallClass(call), model, caller)


def _tally(document: Mapping[str, Any]) -> Tally:
    counts = dict(zip(COUNTERS, map(int, document["counts"]), strict=True))
    usage = {str(key): [int(n) for n in numbers] for key, numbers in document["usage"].items()}
    if any(len(numbers) != _NUMBERS for numbers in usage.values()):
        raise UnreadableTallyError("a usage has another number of counts")
    shapes = {
        str(name): Shape(int(requests), _buckets(tokens), _buckets(body))
        for name, (requests, tokens, body) in document["shapes"].items()
    }
    return Tally(
        **counts,
        latency=_buckets(document["latency"]),
        ttft=_buckets(document["ttft"]),
        shapes=shapes,
        usage=usage,
        backends={str(name): int(n) for name, n in document["backends"].items()},
        workloads={str(name): int(n) for name, n in document["workloads"].items()},
    )


def _flat(buckets: Mapping[int, int]) -> list[int]:
    """Return alternating indices and counts.

    Each index after the first is stored as the difference from the one before.
    """
    flat: list[int] = []
    before = 0
    for index in sorted(buckets):
        flat += (index - before, buckets[index])
        before = index
    return flat


def _buckets(flat: list[int]) -> dict[int, int]:
    if len(flat) % 2:
        raise UnreadableTallyError("a histogram has an index without a count")
    found: dict[int, int] = {}
    index = 0
    for step, count in zip(flat[::2], flat[1::2], strict=True):
        index += int(step)
        found[index] = int(count)
    return found
