"""Pairs in doubt wait here for the evaluator's opinion, so that no other pair does.

An opinion that does not come costs nothing else: too many pairs waiting, the day's budget spent, a server that is away,
slow or talks nonsense, and the pair is written with the score that it has. After a few failures in a row nothing is
asked for a while. Imported only where a workload has an evaluator, as it brings the signals' libraries along.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import aiohttp
from redis.exceptions import RedisError

from glidepath.clock import unix_ms
from glidepath.config.comparison import ScoringSection
from glidepath.domain import ScoredPair
from glidepath.errors import ConfigError
from glidepath.keys import WorkloadKeys
from glidepath.redisio import RedisClient, being_cancelled
from glidepath.wire import decode_scored, encode_scored
from scorer.scoring.compare.evaluator.client import Evaluator
from scorer.scoring.compare.evaluator.questions import DAY_MS, Doubt, Opinion, with_opinion
from scorer.scoring.compare.result import Comparison
from scorer.scoring.worker.pair_queue import QueueEntry
from scorer.scoring.worker.redis_scripts import SPEND_EVALUATION
from scorer.scoring.worker.scoring_process.batch_result import PairResult

MAX_WAITING = 64  # pairs of a workload; texts of a few kilobytes each
MAX_FAILURES, OPEN_S = 5, 30.0


class EvaluationBudget(Protocol):
    """The day's questions, shared by all scorers."""

    async def take(self, workload: str, limit: int, now_ms: int) -> bool:
        """Whether one more may be asked; it then counts. Raises RedisError or OSError."""


class RedisEvaluationBudget:
    """A counter a UTC day and workload."""

    def __init__(self, client: RedisClient) -> None:
        self._client = client

    async def take(self, workload: str, limit: int, now_ms: int) -> bool:
        key = WorkloadKeys(workload).evaluations(now_ms // DAY_MS)
        return bool(await self._client.eval(SPEND_EVALUATION, 1, key, limit, 2 * DAY_MS))


@dataclass(slots=True)
class CircuitBreaker:
    """After MAX_FAILURES in a row nothing is asked for OPEN_S; then one failure more is enough."""

    failures: int = 0
    open_until: float = 0.0

    def is_open(self, now: float) -> bool:
        return now < self.open_until

    def note(self, answered: bool, now: float) -> None:
        self.failures = 0 if answered else self.failures + 1
        if self.failures >= MAX_FAILURES:
            self.failures, self.open_until = MAX_FAILURES - 1, now + OPEN_S


class EvaluatorQueue:
    """One workload's. ``finish`` writes a result, once each; ``count`` is told what came of every pair offered."""

    def __init__(
        self,
        workload: str,
        settings: ScoringSection,
        budget: EvaluationBudget,
        finish: Callable[[QueueEntry, PairResult], Awaitable[None]],
        count: Callable[[str], None],
    ) -> None:
        """Raises ConfigError when the evaluator's credential is missing."""
        if settings.evaluator is None:
            raise ValueError(f"{workload} has no evaluator")
        self._workload, self._settings, self._section = workload, settings, settings.evaluator
        self._budget, self._finish, self._count = budget, finish, count
        self._client = Evaluator(self._section)
        self._client.headers()
        self._queue: asyncio.Queue[tuple[QueueEntry, PairResult]] = asyncio.Queue(MAX_WAITING)
        self._held: dict[str, QueueEntry] = {}
        self._breaker = CircuitBreaker()
        self._asking: set[asyncio.Timeout] = set()
        self._closed = False

    def offer(self, entry: QueueEntry, result: PairResult) -> bool:
        """Whether the pair waits for an opinion; if not, it is to be written as it is. Never waits."""
        if self._breaker.is_open(time.monotonic()):
            self._count("resting")
            return False
        if self._closed or self._queue.full():
            self._count("busy")
            return False
        light = replace(entry, data=b"")  # the bodies are not needed any more
        self._held[entry.id] = light
        self._queue.put_nowait((light, result))
        return True

    def entries(self) -> Sequence[QueueEntry]:
        """What waits, to be held against other scorers."""
        return list(self._held.values())

    async def run(self) -> None:
        """Until cancelled."""
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
            for _ in range(self._section.in_flight):
                group.create_task(self._work(session))

    async def close(self, seconds: float) -> None:
        """Ask nothing more, and have what waits written as it is, within ``seconds``."""
        self._closed = True
        for question in self._asking:
            question.reschedule(asyncio.get_running_loop().time())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._queue.join()

    async def _work(self, session: aiohttp.ClientSession) -> None:
        while not being_cancelled():
            entry, result = await self._queue.get()
            opinion = await self._opinion(session, Doubt(**result.doubt))
            await self._finish(entry, self._mixed(result, opinion) if opinion else result)
            self._held.pop(entry.id, None)
            self._queue.task_done()

    async def _opinion(self, session: aiohttp.ClientSession, doubt: Doubt) -> Opinion | None:
        said = await self._allowed() or await self._ask(session, doubt)
        self._count("opinion" if isinstance(said, Opinion) else said)
        return said if isinstance(said, Opinion) else None

    async def _allowed(self) -> str:
        """Why nothing is asked, or ""."""
        if self._closed:
            return "stopping"
        if self._breaker.is_open(time.monotonic()):
            return "resting"
        try:
            may = await self._budget.take(self._workload, self._section.budget, unix_ms())
        except (RedisError, OSError):
            return "redis"
        return "" if may else "budget"

    async def _ask(self, session: aiohttp.ClientSession, doubt: Doubt) -> Opinion | str:
        try:
            headers = self._client.headers()
        except ConfigError:  # a file that is being exchanged
            return "credential"
        try:
            async with asyncio.timeout(None) as question:
                self._asking.add(question)
                said = await self._client.ask(session, doubt, headers)
        except TimeoutError:
            return "stopping"
        finally:
            self._asking.discard(question)
        self._breaker.note(isinstance(said, Opinion), time.monotonic())
        return said

    def _mixed(self, result: PairResult, opinion: Opinion) -> PairResult:
        before = decode_scored(result.scored)
        after = self._with(before, opinion)
        floor = dict(result.floor)
        if "agreement_sum" in floor:
            floor["agreement_sum"] = after.agreement
        return PairResult(encode_scored(after), floor=floor)

    def _with(self, scored: ScoredPair, opinion: Opinion) -> ScoredPair:
        mixed = with_opinion(Comparison(scored.agreement, scored.flags, scored.signals), opinion, self._settings)
        return replace(scored, agreement=mixed.agreement, flags=mixed.flags, signals=dict(mixed.signals))
