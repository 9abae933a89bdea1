"""Keeps a workload's newest results in memory, so that a search reads only new results from Redis.

The stream of results is read in pages of PAGE entries, so no read blocks Redis. Only the parts of a result that a
search and a list need are kept. See ADR 0322.
"""

from __future__ import annotations

import asyncio
import heapq
import sys
import time
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from redis.exceptions import RedisError

from glidepath.errors import InputError
from glidepath.pair_labels import PairLabel
from glidepath.pair_scores import AnswerFacts, ScoredPair
from glidepath.protobuf_codec import decode_scored
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient
from glidepath_ops.pairs.select_pairs import PairFilter, badness

PAGE = 500
MOST_FACTS = 5000
MOST_NEW_PAGES = 10  # if there are more new pages, the index is built again from the newest
_NOTHING: Mapping[str, float] = {}
_NO_LABELS: Mapping[str, str] = {}


@dataclass(slots=True)
class PairIndex:
    """Results in the order of their stream.

    ``ids``: the ids of their stream entries.
    ``bad``: how bad each result is.
    ``captured``: when each pair was captured.
    ``complete``: whether all stored results, or the newest ``most``, have been read.
    """

    workload: str
    most: int
    results: list[ScoredPair] = field(default_factory=list)
    ids: list[bytes] = field(default_factory=list)
    bad: array[float] = field(default_factory=lambda: array("d"))
    captured: array[int] = field(default_factory=lambda: array("q"))
    flags: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    complete: bool = False
    stored: int = 0
    used_at: float = 0.0
    _facts: dict[AnswerFacts, AnswerFacts] = field(default_factory=dict)
    _all_facts_known: bool = True

    def __len__(self) -> int:
        return len(self.results)

    @property
    def last_id(self) -> bytes:
        return self.ids[-1] if self.ids else b"0-0"

    def add_newer(self, entries: Iterable[tuple[bytes, Mapping[bytes, bytes]]]) -> None:
        """Add new stream entries, the oldest first, and drop the oldest results above the limit."""
        for entry_id, fields in entries:
            if (result := self._slim(fields)) is not None:
                self._count(result, 1)
                self.results.append(result)
                self.ids.append(entry_id)
                self.bad.append(_bad(result))
                self.captured.append(result.captured_at_ms)
        if len(self.results) > self.most + PAGE:  # in blocks, because each removal moves the rest
            self._drop_oldest(len(self.results) - self.most)

    def add_older(self, entries: list[tuple[bytes, Mapping[bytes, bytes]]]) -> None:
        """Add stream entries that are older than all known ones, the newest first."""
        slim = [(entry_id, self._slim(fields)) for entry_id, fields in reversed(entries)]
        found = [(entry_id, result) for entry_id, result in slim if result is not None]
        for _, result in found:
            self._count(result, 1)
        self.results[:0] = [result for _, result in found]
        self.ids[:0] = [entry_id for entry_id, _ in found]
        self.bad[:0] = array("d", [_bad(result) for _, result in found])
        self.captured[:0] = array("q", [result.captured_at_ms for _, result in found])

    def drop_before(self, first_id: bytes) -> None:
        """Drop results that retention has removed from the stream. ``first_id``: the first entry of the stream."""
        first = _number(first_id)
        gone = bisect_left(self.ids, first, key=_number)
        if gone:
            self._drop_oldest(gone)

    def select(self, wanted: PairFilter, labels: Mapping[str, PairLabel], *, worst: bool, most: int) -> list[int]:
        """Return the positions of at most ``most`` results that ``wanted`` selects, the worst or the newest first."""
        return self.first_of(self.matching(wanted, labels), worst=worst, most=most)

    def matching(self, wanted: PairFilter, labels: Mapping[str, PairLabel]) -> list[int]:
        """Return the positions of all results that ``wanted`` selects, in ascending order."""
        places, rest = self._narrowed(wanted, labels)
        if rest != PairFilter(kind=None):
            places = [i for i in places if rest.selects(self.results[i], labels)]
        return places

    def first_of(self, places: Sequence[int], *, worst: bool, most: int) -> list[int]:
        """Return at most ``most`` of the ascending positions: those of the worst results first, or the newest first."""
        if worst:
            return heapq.nlargest(most, places, key=self.bad.__getitem__)
        return list(places[::-1][:most])

    def _narrowed(self, wanted: PairFilter, labels: Mapping[str, PairLabel]) -> tuple[list[int], PairFilter]:
        """Return the positions that meet the cheap conditions, and the filter with the remaining conditions.

        Checking a whole filter takes a few microseconds for each result, a cheap condition a tenth of that.
        """
        results, captured, places = self.results, self.captured, list(range(len(self.results)))
        if (kind := wanted.kind) is not None:
            places = [i for i in places if results[i].kind is kind]
        if (since := wanted.since_ms) is not None:
            places = [i for i in places if captured[i] >= since]
        if (until := wanted.until_ms) is not None:
            places = [i for i in places if captured[i] < until]
        if flags := wanted.flags:
            places = [i for i in places if not flags.isdisjoint(results[i].flags)]
        if sticky := wanted.sticky:
            places = [i for i in places if results[i].sticky in sticky]
        if request := wanted.request_id:
            places = [i for i in places if results[i].pair_id.startswith(request)]
        if self._all_facts_known and (wanted.status or wanted.faults or wanted.side):
            suspects = {id(facts) for facts in self._facts.values() if _may_match(facts, wanted)}
            places = [
                i
                for i in places
                if id(results[i].candidate) in suspects
                or id(results[i].baseline) in suspects
                or results[i].unscored_reason
            ]
        if wanted.reasons:
            places = [i for i in places if results[i].unscored_reason in wanted.reasons]
        if wanted.labelled or wanted.label is not None:
            places = [i for i in places if results[i].pair_id in labels]
        rest = replace(wanted, kind=None, since_ms=None, until_ms=None, flags=frozenset(), sticky=frozenset())
        return places, rest

    def place_of(self, pair_id: str) -> int | None:
        """Return the position of the newest result of a pair, or of its request; None if it is unknown."""
        for place in range(len(self.results) - 1, -1, -1):
            if self.results[place].pair_id == pair_id:
                return place
        return None

    def _slim(self, fields: Mapping[bytes, bytes]) -> ScoredPair | None:
        with suppress(InputError, KeyError):
            full = decode_scored(fields[b"r"], fields.get(b"e", b"").decode(errors="replace"))
            return ScoredPair(
                full.pair_id,
                self.workload,
                full.kind,
                full.captured_at_ms,
                0,
                full.scored,
                sys.intern(full.unscored_reason),
                full.agreement,
                tuple(map(sys.intern, full.flags)),
                _NOTHING,
                self._known(full.baseline),
                self._known(full.candidate),
                full.sticky,
                labels=_NO_LABELS,
                preference=full.preference,
                correctness=full.correctness,
                entry=full.entry,
            )
        return None

    def _known(self, facts: AnswerFacts) -> AnswerFacts:
        """Return the facts about an answer that a search needs.

        Answers with equal facts share one object, to save memory.
        """
        slim = AnswerFacts(
            facts.origin, facts.backend, facts.status, failed_over=facts.failed_over, faults=tuple(facts.faults)
        )
        if len(self._facts) >= MOST_FACTS:  # statuses, backends and faults are few; this only bounds the memory
            self._all_facts_known = False
            return self._facts.get(slim, slim)
        return self._facts.setdefault(slim, slim)

    def _count(self, result: ScoredPair, step: int) -> None:
        for flag in result.flags:
            self.flags[flag] += step
        for facts in (result.baseline, result.candidate):
            for fault in facts.faults:
                self.faults[fault] += step
        if not result.scored:
            self.reasons[result.unscored_reason] += step

    def _drop_oldest(self, number: int) -> None:
        for result in self.results[:number]:
            self._count(result, -1)
        del self.results[:number], self.ids[:number], self.bad[:number], self.captured[:number]


def _number(entry_id: bytes) -> tuple[int, int]:
    ms, _, sequence = entry_id.partition(b"-")
    return int(ms), int(sequence)


def _may_match(facts: AnswerFacts, wanted: PairFilter) -> bool:
    """Return whether an answer with these facts can make its pair match the filter's status, fault or side."""
    if wanted.status:
        return str(facts.status)[:1] == wanted.status[:1]
    if wanted.faults:
        return not wanted.faults.isdisjoint(facts.faults)
    return bool(facts.faults) or not 200 <= facts.status < 300


def _bad(result: ScoredPair) -> float:
    grade, rest = badness(result)
    return grade * 2 + rest


class PairIndexes:
    """One index for each workload that people search. Together, the indexes hold at most ``most`` results."""

    def __init__(self, redis: RedisClient, most: int) -> None:
        self._redis, self._most = redis, most
        self._indexes: dict[str, PairIndex] = {}
        self._loading: dict[str, asyncio.Task[None]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def of(self, workload: str, timeout_s: float) -> PairIndex:
        """Return the workload's index with the newest results. The first call waits at most ``timeout_s`` seconds.

        After this wait, the index may be incomplete. A task then continues to read the older results. Raises RedisError
        or OSError.
        """
        async with self._locks.setdefault(workload, asyncio.Lock()):
            index = self._indexes.get(workload)
            if index is None or not await self._read_newer(index):
                index = await self._begin(workload)
            first = await self._redis.xrange(WorkloadKeys(workload).results, count=1)
            index.drop_before(first[0][0] if first else b"%d-0" % 2**63)
            index.used_at = time.monotonic()
            index.stored = int(await self._redis.xlen(WorkloadKeys(workload).results))
        task = self._loading.get(workload)
        if task is not None and not index.complete:
            await asyncio.wait({task}, timeout=timeout_s)
        self._evict(workload)
        return index

    async def _begin(self, workload: str) -> PairIndex:
        """Read the newest page, and start a task that reads the older pages."""
        if (running := self._loading.get(workload)) is not None:
            running.cancel()
        index = PairIndex(workload, self._most)
        index.add_newer(reversed(await self._redis.xrevrange(WorkloadKeys(workload).results, count=PAGE)))
        self._indexes[workload] = index
        self._loading[workload] = asyncio.create_task(self._load(index))
        return index

    async def _read_newer(self, index: PairIndex) -> bool:
        """Read the new entries. Return False if there are too many."""
        key = WorkloadKeys(index.workload).results
        for _ in range(MOST_NEW_PAGES):
            entries = await self._redis.xrange(key, f"({index.last_id.decode()}", count=PAGE)
            index.add_newer(entries)
            if len(entries) < PAGE:
                return True
        return False

    async def _load(self, index: PairIndex) -> None:
        """Read the older results page by page. Other requests are answered between two pages."""
        key = WorkloadKeys(index.workload).results
        try:
            while index.ids and len(index) < index.most:
                entries = await self._redis.xrevrange(key, max=f"({index.ids[0].decode()}", count=PAGE)
                index.add_older(entries)
                if len(entries) < PAGE:
                    break
                await asyncio.sleep(0)
            index.complete = True
        except (RedisError, OSError):
            if self._indexes.get(index.workload) is index:
                del self._indexes[index.workload]  # the next request begins again
        finally:
            if self._loading.get(index.workload) is asyncio.current_task():
                del self._loading[index.workload]

    def forget(self, workload: str) -> None:
        """Drop the workload's index, because results have been erased. The next search reads the stream again."""
        self._indexes.pop(workload, None)

    def _evict(self, keep: str) -> None:
        """Forget the least recently used indexes, except ``keep``, until all together hold at most ``most`` results."""
        others = sorted((one for one in self._indexes.values() if one.workload != keep), key=lambda one: one.used_at)
        for index in others:
            if sum(map(len, self._indexes.values())) <= self._most:
                return
            if index.workload not in self._loading:
                del self._indexes[index.workload]

    async def close(self) -> None:
        for task in list(self._loading.values()):
            task.cancel()
        await asyncio.gather(*self._loading.values(), return_exceptions=True)
