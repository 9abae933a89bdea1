"""A queue of the pairs that wait for the evaluator's preference. It does not delay the other pairs.

A waiting pair already has its score. It is written without a preference if too many pairs wait, if the day's budget
is spent, or if the evaluator is unreachable, is slow or sends an invalid reply. After several failures in a row, no
question is sent for a while. This module is imported only if a workload has an evaluator, because the import also loads
the libraries of the signals (ADR 0100).
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
from glidepath.errors import ConfigError
from glidepath.pairs_and_outcomes import Preference
from glidepath.protobuf_codec import decode_scored, encode_scored
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient, being_cancelled
from scorer.scoring.compare.evaluator.daily_budget import DAY_MS
from scorer.scoring.compare.evaluator.evaluator_client import BOTH_ADDRESS, Evaluator
from scorer.scoring.compare.evaluator.questions import BOTH, AnswersToJudge
from scorer.scoring.worker.pair_queue import QueueEntry
from scorer.scoring.worker.redis_scripts import SPEND_EVALUATION
from scorer.scoring.worker.scoring_process.batch_result import PairResult

MAX_WAITING = 64  # the largest number of waiting pairs of a workload; each has texts of a few kilobytes
MAX_FAILURES, OPEN_S = 5, 30.0


class EvaluationBudget(Protocol):
    """Counts the evaluated pairs of each workload against its daily limit. All scorers share the counts."""

    async def spend(self, workload: str, limit: int, now_ms: int) -> bool:
        """Count one evaluation and return True. If the limit is reached, count nothing and return False.

        Raises RedisError or OSError if the counter cannot be changed.
        """


class RedisEvaluationBudget:
    """Counts evaluations in Redis, with one counter for each workload and UTC day."""

    def __init__(self, client: RedisClient) -> None:
        self._client = client

    async def spend(self, workload: str, limit: int, now_ms: int) -> bool:
        key = WorkloadKeys(workload).evaluations(now_ms // DAY_MS)
        return bool(await self._client.eval(SPEND_EVALUATION, 1, key, limit, 2 * DAY_MS))


@dataclass(slots=True)
class CircuitBreaker:
    """Stops the questions to the evaluator for OPEN_S seconds after MAX_FAILURES failures in a row.

    While it stops the questions, the circuit breaker is open. After these OPEN_S seconds, a single failure opens it
    again, unless a success has reset the count of failures.
    """

    failures: int = 0
    open_until: float = 0.0

    def is_open(self, now: float) -> bool:
        return now < self.open_until

    def record(self, success: bool, now: float) -> None:
        self.failures = 0 if success else self.failures + 1
        if self.failures >= MAX_FAILURES:
            self.failures, self.open_until = MAX_FAILURES - 1, now + OPEN_S


class EvaluatorQueue:
    """The queue of one workload's pairs that wait for the evaluator's preference.

    ``write``: writes the result of a pair. It is called once for each pair that ``offer`` accepts.
    ``count``: counts what became of each offered pair: a preference such as "win", or the reason why there is none.
    """

    def __init__(
        self,
        workload: str,
        settings: ScoringSection,
        budget: EvaluationBudget,
        write: Callable[[QueueEntry, PairResult], Awaitable[None]],
        count: Callable[[str], None],
    ) -> None:
        """Create the queue. Raises ConfigError if the evaluator's credential is missing."""
        if settings.evaluator is None:
            raise ValueError(f"{workload} has no evaluator")
        self._workload, self._settings, self._section = workload, settings, settings.evaluator
        self._budget, self._write, self._count = budget, write, count
        self._client = Evaluator(self._section)
        self._client.headers()
        self._waiting: asyncio.Queue[tuple[QueueEntry, PairResult]] = asyncio.Queue(MAX_WAITING)
        self._claimed: dict[str, QueueEntry] = {}
        self._breaker = CircuitBreaker()
        self._open_questions: set[asyncio.Timeout] = set()
        self._closed = False

    def offer(self, entry: QueueEntry, result: PairResult) -> bool:
        """Queue the pair and return True, or refuse it and return False. This method never waits.

        If the pair is refused, the caller must write ``result``, which has no preference.
        """
        if self._breaker.is_open(time.monotonic()):
            self._count("paused")
            return False
        if self._closed or self._waiting.full():
            self._count("queue_full")
            return False
        without_bodies = replace(entry, data=b"")
        self._claimed[entry.id] = without_bodies
        self._waiting.put_nowait((without_bodies, result))
        return True

    def entries(self) -> Sequence[QueueEntry]:
        """Return the accepted pairs whose results are not yet written. The caller must renew their claims in Redis."""
        return list(self._claimed.values())

    async def run(self) -> None:
        """Ask the evaluator about the queued pairs until cancelled."""
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
            for _ in range(self._section.in_flight):
                group.create_task(self._evaluate_pairs(session))

    async def close(self, seconds: float) -> None:
        """End all questions and write the waiting pairs without a preference. Wait for this for at most ``seconds``."""
        self._closed = True
        for question in self._open_questions:
            question.reschedule(asyncio.get_running_loop().time())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._waiting.join()

    async def _evaluate_pairs(self, session: aiohttp.ClientSession) -> None:
        while not being_cancelled():
            entry, result = await self._waiting.get()
            preference = await self._preference(session, AnswersToJudge(**result.for_evaluator))
            await self._write(entry, _with_preference(result, preference) if preference else result)
            self._claimed.pop(entry.id, None)
            self._waiting.task_done()

    async def _preference(self, session: aiohttp.ClientSession, asked: AnswersToJudge) -> Preference | None:
        answer = await self._reason_not_to_ask(asked) or await self._ask(session, asked)
        self._count(answer.value if isinstance(answer, Preference) else answer)
        return answer if isinstance(answer, Preference) else None

    async def _reason_not_to_ask(self, asked: AnswersToJudge) -> str:
        """Return why the evaluator must not be asked about the next pair, or "" if it may be asked.

        In the second case, the pair is counted in the day's budget.
        """
        if self._closed:
            return "stopping"
        if asked.addressing == BOTH:
            return BOTH_ADDRESS
        if self._breaker.is_open(time.monotonic()):
            return "paused"
        try:
            allowed = await self._budget.spend(self._workload, self._section.budget, unix_ms())
        except (RedisError, OSError):
            return "redis"
        return "" if allowed else "budget"

    async def _ask(self, session: aiohttp.ClientSession, asked: AnswersToJudge) -> Preference | str:
        """Ask the evaluator about a pair. Return its preference, or the reason why there is none."""
        try:
            headers = self._client.headers()
        except ConfigError:  # the credential file is being replaced
            return "credential"
        try:
            async with asyncio.timeout(None) as question:
                self._open_questions.add(question)
                answer = await self._client.ask(session, asked, headers)
        except TimeoutError:
            return "stopping"
        finally:
            self._open_questions.discard(question)
        self._breaker.record(isinstance(answer, Preference), time.monotonic())
        return answer


def _with_preference(result: PairResult, preference: Preference) -> PairResult:
    return PairResult(encode_scored(replace(decode_scored(result.scored), preference=preference)), noise=result.noise)
