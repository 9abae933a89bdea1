"""The pairs' way through Redis: taken by one scorer, held while in hand, ended by exactly one result."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from redis.exceptions import ResponseError

from glidepath.config import Config
from glidepath.domain import ScoredPair
from glidepath.keys import SCORER_GROUP, WorkloadKeys
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

DONE_TTL_S = 6 * 3600.0  # longer than a pair written twice (its acknowledgement lost) can be apart
DEAD_KEPT = 100
_SLICE = 8  # entries a read: bodies may be megabytes
_SLICE_BYTES = 16 * 2**20
_TRIP = "trip:"


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """One stored pair in hand. ``deliveries`` counts this one."""

    workload: str
    id: str
    data: bytes
    deliveries: int = 1


class PairQueue(Protocol):
    """What the loop needs of Redis. Every call raises RedisError or OSError when it is away."""

    async def take(self, count: int) -> list[QueueEntry]: ...
    async def reclaim(self) -> tuple[list[QueueEntry], Mapping[str, int]]: ...
    async def hold(self, entries: Sequence[QueueEntry]) -> None: ...
    async def finish(self, entry: QueueEntry, scored: ScoredPair, result: PairResult) -> bool: ...
    async def set_aside(self, entry: QueueEntry, why: str) -> bool: ...
    async def floors(self) -> Mapping[str, NoiseFloorJson]: ...
    async def queued(self) -> Mapping[str, int]: ...
    async def stale_before(self) -> Mapping[str, int]: ...
    async def trimmed(self) -> Mapping[str, int]: ...
    async def leave(self) -> None: ...


class RedisPairQueue:
    """Reads workload by workload, as on a Redis Cluster one command may not touch two slots."""

    def __init__(self, client: RedisClient, config: Config, consumer: str) -> None:
        self._client, self._config, self._consumer = client, config, consumer
        self._names = {name: WorkloadKeys(name) for name in config.workloads}
        self._trimmed = TrimmedPairCounter(client, consumer, config.retention.outcomes)
        self._turn = 0
        self._grouped = False

    async def take(self, count: int) -> list[QueueEntry]:
        """Up to ``count`` new pairs: the same share for each workload, and what one does not need to the others."""
        await self._groups()
        order = list(self._names)
        self._turn = (self._turn + 1) % len(order)
        order = order[self._turn :] + order[: self._turn]
        taken: list[QueueEntry] = []
        share = max(1, count // len(order))
        while order and len(taken) < count and sum(len(entry.data) for entry in taken) < _SLICE_BYTES:
            for name in list(order):
                wanted = min(share, count - len(taken), _SLICE)
                found = await self._read(name, wanted) if wanted > 0 else []
                taken += found
                if len(found) < wanted:
                    order.remove(name)
        return taken

    async def reclaim(self) -> tuple[list[QueueEntry], Mapping[str, int]]:
        """What dead scorers held, and by workload how many of those pairs were trimmed meanwhile."""
        await self._groups()
        entries: list[QueueEntry] = []
        lost: dict[str, int] = {}
        idle = int(self._config.scorer.reclaim_after * 1000)
        for name, names in self._names.items():
            arguments = (SCORER_GROUP, self._consumer, idle, _SLICE)
            try:
                taken, gone = await self._client.eval(RECLAIM, 2, names.pairs, names.queue, *arguments)
                await self._forget_the_dead(names.pairs, idle)
            except ResponseError as error:
                self._forget_groups(error)
                return entries, lost
            entries += [QueueEntry(name, _text(i), _field(flat, b"p"), int(times)) for i, times, flat in taken]
            if gone:
                lost[name] = int(gone)
        return entries, lost

    async def hold(self, entries: Sequence[QueueEntry]) -> None:
        """Say that these are still in hand: resets what ``reclaim`` of the others looks at."""
        for name in {entry.workload for entry in entries}:
            ids = [entry.id for entry in entries if entry.workload == name]
            names = self._names[name]
            await self._client.eval(RENEW_CLAIMS, 2, names.pairs, names.queue, SCORER_GROUP, self._consumer, *ids)

    async def finish(self, entry: QueueEntry, scored: ScoredPair, result: PairResult) -> bool:
        """Write the result and acknowledge, in one step. False: this pair has its result already."""
        names, retention = self._names[entry.workload], self._config.retention
        ttl = int(min(DONE_TTL_S, retention.age) * 1000)
        workload = self._config.workloads[entry.workload]
        keys = [names.done(scored.pair_id), names.results, names.pairs, names.noise(workload.baseline), names.queue]
        arguments: list[Any] = [max(1, ttl), retention.results, entry.id, SCORER_GROUP, result.scored]
        # The floor is the baseline's: what the candidate's answers do among themselves is another matter.
        if result.floor and scored.baseline.backend == workload.baseline:
            arguments += [max(1, int(retention.age * 1000)), *_increments(result.floor)]
        return bool(await self._client.eval(WRITE_RESULT, len(keys), *keys, *arguments))

    async def set_aside(self, entry: QueueEntry, why: str) -> bool:
        """Set a pair aside that cannot be scored. False: another scorer has."""
        names = self._names[entry.workload]
        age = max(1, int(self._config.retention.age * 1000))
        arguments = [age, DEAD_KEPT, entry.id, SCORER_GROUP, entry.data, why]
        return bool(await self._client.eval(SET_ASIDE, 3, names.dead, names.pairs, names.queue, *arguments))

    async def floors(self) -> Mapping[str, NoiseFloorJson]:
        found: dict[str, NoiseFloorJson] = {}
        for name, names in self._names.items():
            raw = await self._client.hgetall(names.noise(self._config.workloads[name].baseline))
            if raw:
                found[name] = _floor(raw)
        return found

    async def queued(self) -> Mapping[str, int]:
        """Pairs that no scorer has taken yet; without a figure before Redis 7, which does not tell."""
        found: dict[str, int] = {}
        for name, names in self._names.items():
            for group in await self._group_info(names.pairs):
                if _text(group["name"]) == SCORER_GROUP and group.get("lag") is not None:
                    found[name] = int(group["lag"])
        return found

    async def stale_before(self) -> Mapping[str, int]:
        """By workload: pairs written before this are given up."""
        found: dict[str, int] = {}
        for name, names in self._names.items():
            newest, status = await self._client.eval(NEWEST_PAIR, 2, names.pairs, names.status)
            if newest:
                bound = self._config.scorer.max_backlog
                found[name] = stale_before_ms(written_ms(_text(newest)), _since_ms(status), bound)
        return found

    async def trimmed(self) -> Mapping[str, int]:
        """By workload, pairs that retention took untaken, as far as nobody has told of them yet."""
        found = {name: await self._trimmed.tell(name) for name in self._names}
        return {name: pairs for name, pairs in found.items() if pairs}

    async def leave(self) -> None:
        """Take this consumer off the list where it holds nothing; with a pair in hand it stays, to be reclaimed."""
        for names in self._names.values():
            rows = await self._client.xpending_range(names.pairs, SCORER_GROUP, "-", "+", 1, self._consumer)
            if not rows:
                await self._client.xgroup_delconsumer(names.pairs, SCORER_GROUP, self._consumer)

    async def _groups(self) -> None:
        """Create the groups; from 0, so that pairs written before the first scorer came are scored too."""
        if self._grouped:
            return
        for names in self._names.values():
            await self._client.eval(CREATE_GROUP, 2, names.pairs, names.queue, SCORER_GROUP)
        self._grouped = True

    async def _read(self, workload: str, count: int) -> list[QueueEntry]:
        try:
            answer = await self._client.xreadgroup(
                SCORER_GROUP, self._consumer, {self._names[workload].pairs: ">"}, count=count
            )
        except ResponseError as error:
            self._forget_groups(error)
            return []
        return [QueueEntry(workload, _text(i), bytes(fields.get(b"p", b""))) for i, fields in _entries(answer)]

    def _forget_groups(self, error: ResponseError) -> None:
        """Redis lost its data: the groups are made again on the next turn. Any other error is raised."""
        if "NOGROUP" not in str(error):
            raise error
        self._grouped = False

    async def _group_info(self, key: str) -> list[dict[str, Any]]:
        try:
            groups: list[dict[str, Any]] = await self._client.xinfo_groups(key)
        except ResponseError:  # no such stream yet
            return []
        return groups

    async def _forget_the_dead(self, key: str, idle_ms: int) -> None:
        """Names of scorers that are gone and hold nothing would otherwise pile up, one a restart."""
        for consumer in await self._client.xinfo_consumers(key, SCORER_GROUP):
            if int(consumer["pending"]) == 0 and int(consumer["idle"]) > 20 * idle_ms:
                await self._client.xgroup_delconsumer(key, SCORER_GROUP, consumer["name"])


def _since_ms(status: Any) -> int:
    """When the step began; 0 where nobody steers, or another version does."""
    try:
        return int(json.loads(status)["since_ms"])
    except (ValueError, TypeError, KeyError):
        return 0


def _increments(floor: NoiseFloorJson) -> Iterable[str | int | float]:
    yield from ("pairs", floor["pairs"], "agreement_sum", floor["agreement_sum"])
    for signal, count in floor["trips"].items():
        yield from (_TRIP + signal, count)


def _floor(raw: Mapping[bytes, bytes]) -> NoiseFloorJson:
    values = {_text(name): float(value) for name, value in raw.items()}
    trips = {name.removeprefix(_TRIP): int(value) for name, value in values.items() if name.startswith(_TRIP)}
    return {"pairs": int(values.get("pairs", 0)), "trips": trips, "agreement_sum": values.get("agreement_sum", 0.0)}


def _entries(answer: Any) -> list[tuple[Any, Mapping[bytes, bytes]]]:
    """Of the one stream that was asked for; RESP2 answers with a list, RESP3 with a mapping."""
    if not answer:
        return []
    streams = answer.items() if isinstance(answer, dict) else answer
    return [entry for _, entries in streams for entry in _flat(entries)]


def _flat(entries: Any) -> list[Any]:
    """RESP3 clients wrap the entries in one more list."""
    return list(entries[0]) if len(entries) == 1 and isinstance(entries[0], list) else list(entries)


def _field(flat: Sequence[bytes], name: bytes) -> bytes:
    return next((flat[i + 1] for i in range(0, len(flat) - 1, 2) if flat[i] == name), b"")


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
