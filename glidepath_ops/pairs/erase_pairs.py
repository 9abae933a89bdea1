"""Erases the stored pairs of one user or one request: bodies, results, kept pairs, labels and shown feedback.

The digest of a sticky value is the only trace of a user (docs/reference/extproc.md, Sticky values). Pairs without such
a digest cannot be found by user.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from glidepath.errors import InputError
from glidepath.pair_scores import ScoredPair
from glidepath.pairs import Pair
from glidepath.protobuf_codec import decode_pair, decode_scored
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient
from glidepath.stored_feedback import erase_notes
from glidepath_ops.pairs.select_pairs import request_id

PAGE = 100  # entries in one read
_MASK = 0xFFFFFFFF
_ESCAPE = re.compile(r"\\(?:u([0-9a-f]{4})|.)")


@dataclass(frozen=True, slots=True)
class Erasure:
    """Selects the pairs to erase: those with one of the user's ``digests``, or those of the request ``request_id``.

    ``feedback_user``: the user's digest in feedback, or "".
    """

    digests: frozenset[str] = frozenset()
    request_id: str = ""
    feedback_user: str = ""

    def covers(self, pair_id: str, sticky: str) -> bool:
        by_request = bool(self.request_id) and pair_id.partition("~")[0] == self.request_id
        return by_request or (bool(sticky) and sticky in self.digests)


@dataclass(slots=True)
class Erased:
    """The numbers of erased records of one workload. ``unreadable``: entries that cannot be read and are not erased."""

    pairs: int = 0
    results: int = 0
    kept: int = 0
    labels: int = 0
    feedback: int = 0
    unreadable: int = 0
    ids: set[str] = field(default_factory=set)


def digests_in_envoy(value: str) -> frozenset[str]:
    """Return the digests that Envoy may have computed of a sticky value in a body: one for each spelling in JSON."""
    return frozenset(_digest(text.encode(errors="surrogatepass")) for text in _spellings(value))


def _spellings(value: str) -> Iterator[str]:
    """Yield the JSON strings, without quotes, that common encoders write for a text.

    JSON requires some escapes. Encoders also escape:

    - JavaScript: nothing
    - Python, Jackson: every character beyond ASCII
    - PHP: every character beyond ASCII, and ``/``
    - Go, Rails: ``<``, ``>`` and ``&``
    - .NET: all of these except ``/``; also ``+``, quotes and backticks

    Hexadecimal digits may be in upper or in lower case.
    """
    for ascii_only in (False, True):
        text = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield from (text, text.replace("/", "\\/"), _escaped(text, "<>&"))
        yield _in_upper_case(text)
    dotnet = json.dumps(value)[1:-1].replace('\\"', "\\u0022")
    yield _in_upper_case(_escaped(dotnet, "<>&+'`\x7f"))


def _escaped(text: str, characters: str) -> str:
    return "".join(f"\\u{ord(one):04x}" if one in characters else one for one in text)


def _in_upper_case(text: str) -> str:
    """Return a JSON string with the hexadecimal digits of its escapes in upper case."""
    return _ESCAPE.sub(lambda found: found[0] if found[1] is None else f"\\u{found[1].upper()}", text)


def _digest(data: bytes) -> str:
    """Return the digest that ``hashed`` in sticky_digests.lua computes, for a text of at most 2 KiB."""
    a, b = -2128831035 & _MASK, 1540483477
    for byte in data:
        a = ((a ^ byte) * 0x0193) & _MASK
        b = ((((b << 5) | (b >> 27)) & _MASK) ^ byte) + 0x9E3779 & _MASK
    return f"{a ^ len(data):08x}{(b + len(data)) & _MASK:08x}"


async def erase(client: RedisClient, workload: str, which: Erasure) -> Erased:
    """Erase all records of the selected pairs from Redis. Raises RedisError or OSError.

    A pair that a scorer is scoring at this moment may still get a result, so erase again after a minute.
    """
    keys, erased = WorkloadKeys(workload), Erased()
    for stream in (keys.pairs, keys.dead):
        erased.pairs += await _from_stream(client, stream, b"p", decode_pair, which, erased)
    erased.results = await _from_stream(client, keys.results, b"r", decode_scored, which, erased)
    await _from_kept(client, keys, which, erased)
    await _labels(client, keys, which, erased)
    requests = {request_id(pair_id) for pair_id in erased.ids} | ({which.request_id} if which.request_id else set())
    erased.feedback = await erase_notes(client, workload, requests, which.feedback_user)
    return erased


async def _from_stream(
    client: RedisClient,
    stream: str,
    name: bytes,
    decode: Callable[[bytes], Pair | ScoredPair],
    which: Erasure,
    erased: Erased,
) -> int:
    gone = 0
    async for entries in _pages(client, stream):
        found = []
        for entry, fields in entries:
            try:
                record = decode(fields[name])
            except (InputError, KeyError):
                erased.unreadable += 1
                continue
            pair_id = record.id if isinstance(record, Pair) else record.pair_id
            if which.covers(pair_id, record.sticky) or pair_id in erased.ids:
                erased.ids.add(pair_id)
                found.append(entry)
        if found:
            gone += int(await client.xdel(stream, *found))
    return gone


async def _pages(client: RedisClient, stream: str) -> AsyncIterator[list[tuple[bytes, dict[bytes, bytes]]]]:
    after = "-"
    while entries := await client.xrange(stream, min=after, count=PAGE):
        yield entries
        after = f"({entries[-1][0].decode()}"


async def _from_kept(client: RedisClient, keys: WorkloadKeys, which: Erasure, erased: Erased) -> None:
    for pair_id in await client.hkeys(keys.kept):
        raw = await client.hget(keys.kept, pair_id)
        sticky = ""
        with suppress(InputError):
            sticky = decode_pair(raw).sticky if raw else ""
        name = pair_id.decode(errors="replace")
        if which.covers(name, sticky) or name in erased.ids:
            erased.ids.add(name)
            erased.kept += int(await client.hdel(keys.kept, pair_id))
            await client.zrem(keys.kept_times, pair_id)


async def _labels(client: RedisClient, keys: WorkloadKeys, which: Erasure, erased: Erased) -> None:
    """Erase the labels of the erased pairs, and those of the request whose pair has expired before its label."""
    for pair_id in await client.hkeys(keys.labels):
        name = pair_id.decode(errors="replace")
        if name in erased.ids or which.covers(name, sticky=""):
            erased.labels += int(await client.hdel(keys.labels, pair_id))
            await client.zrem(keys.label_times, pair_id)
