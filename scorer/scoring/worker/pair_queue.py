"""The queue of pairs in Redis. A scorer claims a pair, renews its claim, and writes exactly one result for it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from redis.exceptions import ResponseError

from glidepath.config import Config
from glidepath.pair_scores import ScoredPair
from glidepath.redis_keys import SCORER_GROUP, WorkloadKeys
from glidepath.redisio import RedisClient
from scorer.scoring.worker.redis_scripts import (
    CREATE_GROUP,
    NEWEST_PAIR,
    RECLAIM,
    RENEW_CLAIMS,
    SET_ASIDE,
    WRITE_RESULT,
)
from scorer.scoring.worker.retention_loss import TrimmedPairCounter
from scorer.scoring.worker.scoring_process.batch_result import NoiseFloorJson, PairResult
from scorer.scoring.worker.stale_pairs import stale_before_ms, written_ms

DEAD_KEPT = 100
_MAX_ENTRIES_PER_READ = 8  # few, because bodies may be megabytes
_MAX_BYTES_PER_CLAIM = 16 * 2**20
_DIVERGED_PREFIX = "diverged:"


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """One claimed pair, as stored in Redis. ``deliveries`` is the number of claims so far, including this claim."""

    workload: str
    id: str
    data: bytes
    deliveries: int = 1


class PairQueue(Protocol):
    """The Redis operations of the score loop. Every method raises RedisError or OSError if Redis is unreachable."""

    async def claim(self, count: int) -> list[QueueEntry]: ...
    async def reclaim(self) -> tuple[list[QueueEntry], Mapping[str, int]]: ...
    async def renew_claims(self, entries: Sequence[QueueEntry]) -> None: ...
    async def write_result(self, entry: QueueEntry, scored: ScoredPair, result: PairResult) -> bool: ...
    async def set_aside(self, entry: QueueEntry, why: str) -> bool: ...
    async def noise_floors(self) -> Mapping[str, NoiseFloorJson]: ...
    async def lengths(self) -> Mapping[str, int]: ...
    async def stale_before(self) -> Mapping[str, int]: ...
    async def report_trimmed(self) -> Mapping[str, int]: ...
    async def remove_consumer(self) -> None: ...


class RedisPairQueue:
    """The queue in Redis: one stream of pairs for each workload.

    Each command uses the keys of only one workload, so that it works on a Redis Cluster.
    """

    def __init__(self, client: RedisClient, config: Config, consumer: str) -> None:
        self._client, self._config, self._consumer = client, config, consumer
        self._keys = {name: WorkloadKeys(name) for name in config.workloads}
        self._trimmed = TrimmedPairCounter(client, consumer, config.retention.outcomes)
        self._first_workload = 0
        self._groups_exist = False

    async def claim(self, count: int) -> list[QueueEntry]:
        """Claim up to ``count`` new pairs, if possible the same number from each workload.

        If a workload has too few new pairs, more pairs are claimed from the other workloads. Claiming stops
        early once the claimed pairs have about 16 MiB.
        """
        await self._create_groups()
        order = list(self._keys)
        if not order:
            return []
        self._first_workload = (self._first_workload + 1) % len(order)
        order = order[self._first_workload :] + order[: self._first_workload]
        claimed: list[QueueEntry] = []
        share = max(1, count // len(order))
        while order and len(claimed) < count and sum(len(entry.data) for entry in claimed) < _MAX_BYTES_PER_CLAIM:
            for name in list(order):
                wanted = min(share, count - len(claimed), _MAX_ENTRIES_PER_READ)
                found = await self._read(name, wanted) if wanted > 0 else []
                claimed += found
                if len(found) < wanted:
                    order.remove(name)
        return claimed

    async def reclaim(self) -> tuple[list[QueueEntry], Mapping[str, int]]:
        """Claim the pairs that dead scorers had claimed, a few from each workload.

        Return the claimed pairs, and workload → the number of its lost pairs: those that retention trimmed after a dead
        scorer had claimed them.
        """
        await self._create_groups()
        entries: list[QueueEntry] = []
        lost: dict[str, int] = {}
        idle = int(self._config.scorer.reclaim_after * 1000)
        for name, keys in self._keys.items():
            arguments = (SCORER_GROUP, self._consumer, idle, _MAX_ENTRIES_PER_READ)
            try:
                taken, trimmed = await self._client.eval(RECLAIM, 2, keys.pairs, keys.queue, *arguments)
                await self._delete_dead_consumers(keys.pairs, idle)
            except ResponseError as error:
                self._forget_groups(error)
                return entries, lost
            entries += [QueueEntry(name, _text(i), _field(flat, b"p"), int(times)) for i, times, flat in taken]
            if trimmed:
                lost[name] = int(trimmed)
        return entries, lost

    async def renew_claims(self, entries: Sequence[QueueEntry]) -> None:
        """Reset the idle time of claimed pairs, so that no other scorer reclaims them."""
        for name in {entry.workload for entry in entries}:
            ids = [entry.id for entry in entries if entry.workload == name]
            keys = self._keys[name]
            await self._client.eval(RENEW_CLAIMS, 1, keys.pairs, SCORER_GROUP, self._consumer, *ids)

    async def write_result(self, entry: QueueEntry, scored: ScoredPair, result: PairResult) -> bool:
        """Write a pair's result and acknowledge the pair, in one atomic step. Return True.

        If the pair has already been acknowledged, because it has a result, only return False.
        """
        keys, retention = self._keys[entry.workload], self._config.retention
        workload = self._config.workloads[entry.workload]
        names = [
            keys.results,
            keys.pairs,
            keys.noise(workload.baseline, self._config.scorer.embedder.model),
            keys.queue,
        ]
        arguments: list[Any] = [retention.results, entry.id, SCORER_GROUP, result.scored]
        # The noise floor describes the baseline, so it does not count pairs of two candidate answers.
        if result.noise and scored.baseline.backend == workload.baseline:
            arguments += [max(1, int(retention.age * 1000)), *_increments(result.noise)]
        return bool(await self._client.eval(WRITE_RESULT, len(names), *names, *arguments))

    async def set_aside(self, entry: QueueEntry, why: str) -> bool:
        """Move a pair that cannot be scored to the stream ``dead``. Return True.

        If the pair has already been acknowledged, for example because another scorer moved it, only return False.
        """
        keys = self._keys[entry.workload]
        age = max(1, int(self._config.retention.age * 1000))
        arguments = [age, DEAD_KEPT, entry.id, SCORER_GROUP, entry.data, why]
        return bool(await self._client.eval(SET_ASIDE, 3, keys.dead, keys.pairs, keys.queue, *arguments))

    async def noise_floors(self) -> Mapping[str, NoiseFloorJson]:
        """Return the noise floor of each workload's baseline. A workload without scored noise pairs is left out."""
        found: dict[str, NoiseFloorJson] = {}
        for name, keys in self._keys.items():
            raw = await self._client.hgetall(
                keys.noise(self._config.workloads[name].baseline, self._config.scorer.embedder.model)
            )
            if raw:
                found[name] = _noise_floor(raw)
        return found

    async def lengths(self) -> Mapping[str, int]:
        """Return the number of unclaimed pairs of each workload.

        A workload is left out if Redis does not report this number. Redis before version 7 never reports it.
        """
        found: dict[str, int] = {}
        for name, keys in self._keys.items():
            for group in await self._group_info(keys.pairs):
                if _text(group["name"]) == SCORER_GROUP and group.get("lag") is not None:
                    found[name] = int(group["lag"])
        return found

    async def stale_before(self) -> Mapping[str, int]:
        """Return a mapping from each workload to a time in Unix ms by Redis' clock.

        A pair of the workload that was written before this time is too old to be scored. A workload that never had a
        pair is left out.
        """
        found: dict[str, int] = {}
        for name, keys in self._keys.items():
            newest, status = await self._client.eval(NEWEST_PAIR, 2, keys.pairs, keys.status)
            if newest:
                bound = self._config.scorer.max_backlog
                found[name] = stale_before_ms(written_ms(_text(newest)), _step_start_ms(status), bound)
        return found

    async def report_trimmed(self) -> Mapping[str, int]:
        """Report the pairs that retention trimmed before any scorer claimed them.

        Return workload → the number of newly reported pairs, for the workloads with such pairs.
        """
        found = {name: await self._trimmed.report(name) for name in self._keys}
        return {name: pairs for name, pairs in found.items() if pairs}

    async def remove_consumer(self) -> None:
        """Delete this scorer's consumer from each consumer group in which it has no pending pairs.

        If a consumer with pending pairs were deleted, its list of pending pairs would be deleted too, and no other
        scorer could reclaim these pairs.
        """
        for keys in self._keys.values():
            rows = await self._client.xpending_range(keys.pairs, SCORER_GROUP, "-", "+", 1, self._consumer)
            if not rows:
                await self._client.xgroup_delconsumer(keys.pairs, SCORER_GROUP, self._consumer)

    async def _create_groups(self) -> None:
        """Create the consumer groups at id 0, so that pairs written before the first scorer started are scored too."""
        if self._groups_exist:
            return
        for keys in self._keys.values():
            await self._client.eval(CREATE_GROUP, 2, keys.pairs, keys.queue, SCORER_GROUP)
        self._groups_exist = True

    async def _read(self, workload: str, count: int) -> list[QueueEntry]:
        try:
            answer = await self._client.xreadgroup(
                SCORER_GROUP, self._consumer, {self._keys[workload].pairs: ">"}, count=count
            )
        except ResponseError as error:
            self._forget_groups(error)
            return []
        return [QueueEntry(workload, _text(i), bytes(fields.get(b"p", b""))) for i, fields in _entries(answer)]

    def _forget_groups(self, error: ResponseError) -> None:
        """If ``error`` is NOGROUP, which means that Redis has lost the groups, let the next call create them again.

        Raise any other error.
        """
        if "NOGROUP" not in str(error):
            raise error
        self._groups_exist = False

    async def _group_info(self, key: str) -> list[dict[str, Any]]:
        try:
            groups: list[dict[str, Any]] = await self._client.xinfo_groups(key)
        except ResponseError:  # the stream does not exist yet
            return []
        return groups

    async def _delete_dead_consumers(self, key: str, idle_ms: int) -> None:
        """Delete the consumers that dead scorers left in Redis, if they have no pending pairs.

        Otherwise, each restart of a scorer would leave one more consumer in Redis.
        """
        for consumer in await self._client.xinfo_consumers(key, SCORER_GROUP):
            if int(consumer["pending"]) == 0 and int(consumer["idle"]) > 20 * idle_ms:
                await self._client.xgroup_delconsumer(key, SCORER_GROUP, consumer["name"])


def _step_start_ms(status: Any) -> int:
    """Return when the current step began, in Unix ms, or 0 if the stored status is missing or unreadable."""
    try:
        return int(json.loads(status)["since_ms"])
    except (ValueError, TypeError, KeyError):
        return 0


def _increments(noise: NoiseFloorJson) -> Iterable[str | int | float]:
    yield from ("pairs", noise["pairs"], "agreement_sum", noise["agreement_sum"])
    for signal, count in noise["diverged"].items():
        yield from (_DIVERGED_PREFIX + signal, count)


def _noise_floor(raw: Mapping[bytes, bytes]) -> NoiseFloorJson:
    values = {_text(name): float(value) for name, value in raw.items()}
    diverged = {
        name.removeprefix(_DIVERGED_PREFIX): int(value)
        for name, value in values.items()
        if name.startswith(_DIVERGED_PREFIX)
    }
    return {
        "pairs": int(values.get("pairs", 0)),
        "diverged": diverged,
        "agreement_sum": values.get("agreement_sum", 0.0),
    }


def _entries(answer: Any) -> list[tuple[Any, Mapping[bytes, bytes]]]:
    """Return the entries in a reply to XREADGROUP for one stream.

    In the protocol RESP2, the reply is a list. In RESP3, it is a mapping.
    """
    if not answer:
        return []
    streams = answer.items() if isinstance(answer, dict) else answer
    return [entry for _, entries in streams for entry in _flat(entries)]


def _flat(entries: Any) -> list[Any]:
    """Return the entries of a stream as a flat list, without the additional list around them that RESP3 adds."""
    return list(entries[0]) if len(entries) == 1 and isinstance(entries[0], list) else list(entries)


def _field(flat: Sequence[bytes], name: bytes) -> bytes:
    return next((flat[i + 1] for i in range(0, len(flat) - 1, 2) if flat[i] == name), b"")


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
