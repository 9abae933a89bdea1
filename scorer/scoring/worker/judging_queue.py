"""A queue of the pairs that wait for an instrument: the evaluator or the verifier. It does not delay the other pairs.

A waiting pair already has its score. If too many pairs wait, if a budget or a rate is used up, or if the instrument
fails, the pair is passed on without a finding, but with the reason. After several failures in a row, the instrument
gets no questions for a while. See ADR 0100.

The evaluator's result for two equal answers is a tie, which is known without a question. While the pairs that need a
question get no result, equal answers get none either. Otherwise only ties would count, and the sides would seem equally
good whenever the evaluator is unreachable or its budget is used up. See ADR 0540.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import aiohttp

from glidepath.logs import get_logger
from glidepath.protobuf_codec import decode_scored, encode_scored
from glidepath.redisio import being_cancelled
from scorer.scoring.worker.pair_queue import QueueEntry
from scorer.scoring.worker.scoring_process.batch_result import PairResult

MAX_WAITING = 64  # maximum waiting pairs of a workload
MAX_FAILURES, OPEN_S = 5, 30.0
_STOPPING = "stopping"
log = get_logger()
_AWAITED = "awaited"  # the first question is not answered yet, so no pair has a result


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of the evaluator or the verifier for a pair.

    ``fields``: the fields to set in the ScoredPair; empty if there is no result. ``outcome``: the name under which the
    finding is counted, which is either the result or the reason why there is none.
    """

    outcome: str
    fields: Mapping[str, Any]


class Instrument(Protocol):
    """An evaluator or a verifier, which judges pairs at a cost.

    ``name``: the instrument's name in the log and in the documentation.
    ``in_flight``: the largest number of pairs that it judges at the same time.
    ``result_field``, ``reason_field``: the fields of the ScoredPair for the result, and for the reason why there is
    none.
    """

    name: str
    in_flight: int
    result_field: str
    reason_field: str

    def wants(self, result: PairResult) -> bool:
        """Return whether the instrument should judge this pair."""

    def needs_no_question(self, result: PairResult) -> bool:
        """Return whether the pair already has a result, which needed no question."""

    async def reason_not_to_ask(self, result: PairResult) -> str:
        """Return why the instrument may not judge a pair now. If it may, count the pair in its budget and return ""."""

    async def ask(self, session: aiohttp.ClientSession, result: PairResult) -> Finding:
        """Ask the instrument about the pair, and return its result. Cancelling the call ends the question."""


@dataclass(slots=True)
class CircuitBreaker:
    """Stops the questions to an instrument for OPEN_S seconds after MAX_FAILURES failures in a row.

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


class JudgingQueue:
    """The queue of one workload's pairs that wait for an instrument.

    ``pass_on``: takes the result of a pair. It is called once for each pair that ``offer`` accepts.
    ``count``: counts each offered pair by its result, or by the reason why it has none.
    """

    def __init__(
        self,
        workload: str,
        instrument: Instrument,
        pass_on: Callable[[QueueEntry, PairResult], Awaitable[None]],
        count: Callable[[str], None],
    ) -> None:
        self._instrument, self._pass_on, self._count = instrument, pass_on, count
        self._waiting: asyncio.Queue[tuple[QueueEntry, PairResult]] = asyncio.Queue(MAX_WAITING)
        self._claimed: dict[str, QueueEntry] = {}
        self._breaker, self._paused = CircuitBreaker(), False
        self._named = {"workload": workload, "instrument": instrument.name}
        self._lacking: str | None = None  # why the latest pair with a question has no result; "": it has one
        self._open_questions: set[asyncio.Timeout] = set()
        self._closed = False

    def wants(self, result: PairResult) -> bool:
        return self._instrument.wants(result)

    def offer(self, entry: QueueEntry, result: PairResult) -> PairResult | None:
        """Queue the pair and return None, or refuse it. This method never waits.

        If the pair is refused, the caller must pass on the returned result, which has the reason.
        """
        reason = self._refusal()
        if reason:
            self._count(reason)
            self._lacking = reason
            return self._without(result, reason)
        if self._lacking is None:
            self._lacking = _AWAITED
        without_bodies = replace(entry, data=b"")
        self._claimed[entry.id] = without_bodies
        self._waiting.put_nowait((without_bodies, result))
        return None

    def checked(self, result: PairResult) -> PairResult:
        """Return the result of a pair that this queue does not want.

        A result that needed no question is removed if the latest pair with a question got no result. So both kinds of
        pairs get a result equally often.
        """
        if not self._lacking or not self._instrument.needs_no_question(result):
            return result
        return with_fields(result, {self._instrument.result_field: None, self._instrument.reason_field: self._lacking})

    def _refusal(self) -> str:
        if self._breaker.is_open(time.monotonic()):
            return "paused"
        return "queue_full" if self._closed or self._waiting.full() else ""

    def entries(self) -> Sequence[QueueEntry]:
        """Return the accepted pairs that are not yet passed on. The caller must renew their claims in Redis."""
        return list(self._claimed.values())

    async def run(self) -> None:
        """Ask the instrument about the queued pairs until cancelled."""
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
            for _ in range(self._instrument.in_flight):
                group.create_task(self._judge_pairs(session))

    async def close(self, seconds: float) -> None:
        """End all questions and pass on the waiting pairs without a finding. Wait for at most ``seconds``."""
        self._closed = True
        for question in self._open_questions:
            question.reschedule(asyncio.get_running_loop().time())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._waiting.join()

    async def _judge_pairs(self, session: aiohttp.ClientSession) -> None:
        while not being_cancelled():
            entry, result = await self._waiting.get()
            finding = await self._finding(session, result)
            self._count(finding.outcome)
            self._lacking = "" if finding.fields else finding.outcome
            fields = finding.fields or {self._instrument.reason_field: finding.outcome}
            await self._pass_on(entry, with_fields(result, fields))
            self._claimed.pop(entry.id, None)
            self._waiting.task_done()

    async def _finding(self, session: aiohttp.ClientSession, result: PairResult) -> Finding:
        if self._closed:
            return Finding(_STOPPING, {})
        if self._breaker.is_open(time.monotonic()):
            return Finding("paused", {})
        reason = await self._instrument.reason_not_to_ask(result)
        return Finding(reason, {}) if reason else await self._ask(session, result)

    async def _ask(self, session: aiohttp.ClientSession, result: PairResult) -> Finding:
        try:
            async with asyncio.timeout(None) as question:
                self._open_questions.add(question)
                finding = await self._instrument.ask(session, result)
        except TimeoutError:
            return Finding(_STOPPING, {})
        finally:
            self._open_questions.discard(question)
        self._record(finding)
        return finding

    def _record(self, finding: Finding) -> None:
        """Record a result in the circuit breaker. Log the first pause, and the first success after it."""
        self._breaker.record(bool(finding.fields), time.monotonic())
        if finding.fields and self._paused:
            self._paused = False
            log.info("instrument_resumed", **self._named)
        elif not self._paused and self._breaker.is_open(time.monotonic()):
            self._paused = True
            effect = "pairs get no result; it is asked again every 30 s, and its gate waits"
            log.warning("instrument_paused", **self._named, reason=finding.outcome, effect=effect)

    def _without(self, result: PairResult, reason: str) -> PairResult:
        return with_fields(result, {self._instrument.reason_field: reason})


def with_fields(result: PairResult, fields: Mapping[str, Any]) -> PairResult:
    """Return the result with new values for some fields of its ScoredPair."""
    return replace(result, scored=encode_scored(replace(decode_scored(result.scored), **fields)))
