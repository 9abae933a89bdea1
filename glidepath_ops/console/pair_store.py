"""Reads a pair or searches for pairs for the console's pages, and stores people's judgements."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from glidepath.clock import unix_ms
from glidepath.config import Config
from glidepath.errors import InputError, UnreachableError
from glidepath.kept_pairs import keep_pairs
from glidepath.pair_labels import Judgement, PairLabel, label_from_json, read_labels, store_label
from glidepath.pair_scores import ScoredPair
from glidepath.protobuf_codec import decode_scored
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient
from glidepath.stored_feedback import FeedbackNote, read_note
from glidepath_ops.console.pair_index import PairIndex, PairIndexes
from glidepath_ops.console.pair_query import PairQuery
from glidepath_ops.pairs.pair_dataset import line_of, record_of
from glidepath_ops.pairs.read_pairs import StoredPair, find_pair, with_body
from glidepath_ops.pairs.select_pairs import request_id
from glidepath_ops.redact_feedback_labels import LabelRedactor

PAGE_WAIT_S = 0.15  # how long a page waits for an index that is still being read
WHOLE_WAIT_S = 60.0  # how long an answer other than a page waits for a complete index
MOST_LISTED = 5000  # of the pairs that a search finds
MOST_EXPORTED = 100_000
LOOK_BACK = 20_000  # results that are searched for a pair that the index lacks
_FOUND_S = 5.0  # a search is answered from memory for this time, while a person goes from page to page
_MOST_SEARCHES = 50


@dataclass(frozen=True, slots=True)
class Search:
    """The results of a search in order, the ids of their entries, and how many of the stored results were searched."""

    results: tuple[ScoredPair, ...]
    ids: tuple[bytes, ...]
    labels: Mapping[str, PairLabel]
    matching: int
    searched: int
    stored: int
    complete: bool
    flags: tuple[tuple[str, int], ...] = ()
    faults: tuple[tuple[str, int], ...] = ()
    reasons: tuple[tuple[str, int], ...] = ()

    def neighbours(self, pair_id: str) -> tuple[str, str]:
        """Return the ids of the pairs before and after ``pair_id``; "" where there is none."""
        ids = [one.pair_id for one in self.results]
        if pair_id not in ids:
            return "", ids[0] if ids else ""
        at = ids.index(pair_id)
        return ids[at - 1] if at else "", ids[at + 1] if at + 1 < len(ids) else ""


class PairStore:
    """The pairs of all workloads. Each method raises RedisError or OSError if Redis does not answer."""

    def __init__(self, config: Config, redis: RedisClient) -> None:
        self._config, self._redis = config, redis
        self._redactor = LabelRedactor(config.redaction)
        self.indexes = PairIndexes(redis, min(config.console.index, config.retention.results))
        self._searches: dict[tuple[str, str], tuple[float, Search]] = {}
        self._labels: dict[str, tuple[float, Mapping[str, PairLabel]]] = {}

    async def search(self, workload: str, query: PairQuery) -> Search:
        key = (workload, query.link())
        at, found = self._searches.get(key, (0.0, None))
        if found is not None and found.complete and time.monotonic() - at < _FOUND_S:
            return found
        labels = await self._labels_of(workload)
        index = await self.indexes.of(workload, PAGE_WAIT_S)
        found = _searched(index, query, labels, MOST_LISTED)
        if len(self._searches) >= _MOST_SEARCHES:
            self._searches.pop(next(iter(self._searches)))
        self._searches[key] = (time.monotonic(), found)
        return found

    async def search_all(self, workload: str, query: PairQuery, most: int) -> Search:
        """Return the results of a search in all stored results, with at most ``most`` pairs.

        Raises UnreachableError if the stored results have not all been read in time.
        """
        labels = await self._labels_of(workload)
        index = await self.indexes.of(workload, WHOLE_WAIT_S)
        if not index.complete:
            raise UnreachableError("the results are still being read; try again in a minute")
        return _searched(index, query, labels, most)

    async def stored(self, workload: str, search: Search, start: int, count: int) -> list[ScoredPair]:
        """Return ``count`` results of a search from position ``start``, without those that have since been erased."""
        pipe = self._redis.pipeline(transaction=False)
        ids = search.ids[start : start + count]
        for entry_id in ids:
            pipe.xrange(WorkloadKeys(workload).results, entry_id, entry_id)
        there = await pipe.execute() if ids else []
        if not all(there):
            self.indexes.forget(workload)
            self._searches.clear()
        return [one for one, found in zip(search.results[start : start + count], there, strict=True) if found]

    async def find(self, workload: str, pair_id: str) -> StoredPair:
        """Return the pair with its result and bodies, as far as they are stored. Raises InputError if it is unknown."""
        index = await self.indexes.of(workload, PAGE_WAIT_S)
        place = index.place_of(pair_id)
        if place is not None and (full := await self._result(workload, index.ids[place])) is not None:
            return await with_body(self._redis, workload, full)
        found = await find_pair(self._redis, workload, pair_id, 0 if index.complete else LOOK_BACK)
        if found is None:
            raise InputError(f"no such pair of {workload} is stored: it has expired, or the id is wrong")
        return found

    async def _result(self, workload: str, entry_id: bytes) -> ScoredPair | None:
        entries = await self._redis.xrange(WorkloadKeys(workload).results, entry_id, entry_id)
        if not entries:
            return None
        fields = entries[0][1]
        return decode_scored(fields[b"r"], fields.get(b"e", b"").decode(errors="replace"))

    async def _labels_of(self, workload: str) -> Mapping[str, PairLabel]:
        """Return the labels. They are cached for _FOUND_S seconds, because there may be thousands."""
        at, found = self._labels.get(workload, (float("-inf"), {}))
        if time.monotonic() - at > _FOUND_S:
            found = await read_labels(self._redis, workload, self._config.retention.labels)
            self._labels[workload] = (time.monotonic(), found)
        return found

    async def label_of(self, workload: str, pair_id: str) -> PairLabel | None:
        raw = await self._redis.hget(WorkloadKeys(workload).labels, pair_id.encode("utf-8", "replace"))
        with suppress(InputError):
            return None if raw is None else label_from_json(raw)
        return None

    async def feedback_on(self, workload: str, pair_id: str) -> FeedbackNote | None:
        """Return the users' feedback on the request of the pair, or None."""
        return await read_note(self._redis, workload, request_id(pair_id))

    async def judge(self, workload: str, pair_id: str, judgement: Judgement, who: str, note: str) -> PairLabel:
        """Store a person's judgement, and keep the pair. Raises InputError if the pair is not stored."""
        stored = await self.find(workload, pair_id)
        known = stored.result.pair_id if stored.result else stored.pair.id if stored.pair else pair_id
        redacted = await asyncio.to_thread(self._redactor.redacted, note)
        label = PairLabel(known, judgement, who, unix_ms(), redacted)
        await store_label(self._redis, workload, self._config.retention, label)
        entry = stored.result.entry if stored.result else ""
        await keep_pairs(self._redis, workload, self._config.retention, [(known, entry)])
        self._searches.clear()
        self._labels.clear()
        return label

    async def export(self, workload: str, search: Search) -> AsyncIterator[bytes]:
        """Yield the lines of a data set. Pairs whose result or bodies are no longer stored are left out."""
        section = self._config.workload(workload)
        for entry_id in search.ids:
            if (result := await self._result(workload, entry_id)) is None:
                continue  # removed since the search: by retention, or because somebody erased it
            stored = await with_body(self._redis, workload, result)
            if stored.pair is not None:
                yield line_of(record_of(section, stored.pair, result, search.labels.get(result.pair_id)))


def _searched(index: PairIndex, query: PairQuery, labels: Mapping[str, PairLabel], most: int) -> Search:
    matching = index.matching(query.filter, labels)
    places = index.first_of(matching, worst=query.worst, most=most)
    return Search(
        tuple(index.results[place] for place in places),
        tuple(index.ids[place] for place in places),
        labels,
        len(matching),
        len(index),
        max(index.stored, len(index)),
        index.complete,
        _counts(index.flags),
        _counts(index.faults),
        _counts(index.reasons),
    )


def _counts(counter: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(((name, n) for name, n in counter.items() if n > 0), key=lambda one: (-one[1], one[0]))[:60])
