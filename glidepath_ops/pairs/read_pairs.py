"""Reads results and bodies of pairs from Redis, in reads of bounded size that block no other client.

The stream of results is the index: it is small, newest last, and each result names the pair's entry in the stream of
pairs. See ADR 0231.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from glidepath.errors import InputError
from glidepath.kept_pairs import read_kept
from glidepath.pair_scores import ScoredPair
from glidepath.pairs import Pair
from glidepath.protobuf_codec import decode_pair, decode_scored
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient
from glidepath_ops.pairs.select_pairs import request_id
from scorer.scoring.worker.unscored_result import unscored

PAGE = 500  # results in one read: about 200 KB
RESULT_EXPIRED = "result_expired"
MOST_DEAD = 100  # the stream of dead pairs holds about as many


@dataclass(frozen=True, slots=True)
class StoredPair:
    """A pair with the data about it that are still stored.

    - ``result``: the result of scoring; None if the pair was set aside (see ``set_aside``)
    - ``pair``: the request and both answers; None if they are no longer stored
    - ``kept``: whether the pair is kept longer than others
    - ``set_aside``: why the pair never got a result, or ""
    """

    result: ScoredPair | None
    pair: Pair | None
    kept: bool = False
    set_aside: str = ""


async def newest_results(
    client: RedisClient, workload: str, most: int, containing: str = ""
) -> AsyncIterator[ScoredPair]:
    """Yield the newest results, at most ``most``, the newest first. Unreadable results are left out.

    ``containing``: yield only results whose stored bytes contain this text. Other results are not decoded, which saves
    most of the time. Raises RedisError or OSError.
    """
    wanted = containing.encode("utf-8", "replace")
    key, before = WorkloadKeys(workload).results, "+"
    while most > 0:
        entries = await client.xrevrange(key, max=before, count=min(PAGE, most))
        for _, fields in entries:
            if wanted not in fields.get(b"r", b""):
                continue
            with suppress(InputError, KeyError):
                yield decode_scored(fields[b"r"], fields.get(b"e", b"").decode(errors="replace"))
        before = f"({entries[-1][0].decode()}" if entries else before
        if len(entries) < PAGE:
            return
        most -= len(entries)


async def count_results(client: RedisClient, workload: str) -> int:
    return int(await client.xlen(WorkloadKeys(workload).results))


async def find_pair(client: RedisClient, workload: str, wanted: str, most: int) -> StoredPair | None:
    """Return the pair with the id or request id ``wanted``, or None if it is not found.

    The newest ``most`` results are searched first, then the kept pairs, then the pairs that could not be scored.
    Raises RedisError or OSError.
    """
    found: ScoredPair | None = None
    async for result in newest_results(client, workload, most, containing=wanted):
        if result.pair_id == wanted:
            found = result
            break
        if found is None and request_id(result.pair_id) == wanted:
            found = result
    if found is not None:
        return await with_body(client, workload, found)
    kept = _decoded(await read_kept(client, workload, wanted))
    if kept is not None:
        return StoredPair(None, kept, kept=True)
    return await _dead_pair(client, workload, wanted)


async def with_body(client: RedisClient, workload: str, result: ScoredPair) -> StoredPair:
    """Return the pair of a result, with its bodies if they are stored. Raises RedisError or OSError."""
    kept = await read_kept(client, workload, result.pair_id)
    if kept is not None:
        return StoredPair(result, _decoded(kept), kept=True)
    if not result.entry:
        return StoredPair(result, None)
    entries = await client.xrange(WorkloadKeys(workload).pairs, result.entry, result.entry)
    return StoredPair(result, _decoded(entries[0][1].get(b"p")) if entries else None)


async def labelled_without_result(
    client: RedisClient, workload: str, results: Sequence[ScoredPair], labels: Iterable[str]
) -> list[ScoredPair]:
    """Return results without a score for the labelled and kept pairs that have no result in ``results``.

    Raises RedisError or OSError.
    """
    known = {result.pair_id for result in results}
    found = []
    for pair_id in labels:
        pair = None if pair_id in known else _decoded(await read_kept(client, workload, pair_id))
        if pair is not None:
            found.append(unscored(pair, pair.captured_at_ms, RESULT_EXPIRED))
    return found


async def _dead_pair(client: RedisClient, workload: str, wanted: str) -> StoredPair | None:
    """Return the pair with the id or request id ``wanted`` from the pairs that could not be scored.

    Only the newest MOST_DEAD entries are searched. Return None if it is not among them.
    """
    entries = await client.xrevrange(WorkloadKeys(workload).dead, count=MOST_DEAD)
    for _, fields in entries:
        pair = _decoded(fields.get(b"p"))
        if pair is not None and wanted in (pair.id, request_id(pair.id)):
            return StoredPair(None, pair, set_aside=fields.get(b"why", b"").decode(errors="replace") or "unknown")
    return None


def _decoded(data: bytes | None) -> Pair | None:
    try:
        return None if data is None else decode_pair(data)
    except InputError:
        return None
