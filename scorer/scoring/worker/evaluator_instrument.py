"""The evaluator as an instrument of the judging queue, with a daily budget that all scorers share.

This module is imported only if a workload has an evaluator, because the import also loads the libraries of the signals.
"""

from __future__ import annotations

import contextlib
from typing import Protocol

import aiohttp
from redis.exceptions import RedisError

from glidepath.clock import unix_ms
from glidepath.config.comparison import EvaluatorSection
from glidepath.errors import ConfigError
from glidepath.evaluation_cost import CostSoFar, add_cost, read_cost
from glidepath.pair_scores import Preference
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient
from scorer.scoring.compare.evaluator.daily_budget import DAY_MS
from scorer.scoring.compare.evaluator.evaluator_client import BOTH_ADDRESS, Evaluator
from scorer.scoring.compare.evaluator.questions import BOTH, AnswersToJudge
from scorer.scoring.worker.judging_queue import Finding
from scorer.scoring.worker.redis_scripts import SPEND_EVALUATION
from scorer.scoring.worker.scoring_process.batch_result import PairResult


class EvaluationBudget(Protocol):
    """Counts the evaluated pairs of each workload against its daily limit. All scorers share the counts."""

    async def spend(self, workload: str, limit: int, now_ms: int) -> bool:
        """Count one evaluation and return True. If the limit is reached, count nothing and return False.

        Raises RedisError or OSError if the counter cannot be changed.
        """

    async def pay(self, workload: str, cost: float, now_ms: int) -> CostSoFar:
        """Add ``cost``, which may be 0. Return the total cost of all scorers so far. Raises RedisError or OSError."""


class RedisEvaluationBudget:
    """Counts evaluations in Redis, with one counter for each workload and UTC day."""

    def __init__(self, client: RedisClient) -> None:
        self._client = client

    async def spend(self, workload: str, limit: int, now_ms: int) -> bool:
        key = WorkloadKeys(workload).evaluations(now_ms // DAY_MS)
        return bool(await self._client.eval(SPEND_EVALUATION, 1, key, limit, 2 * DAY_MS))

    async def pay(self, workload: str, cost: float, now_ms: int) -> CostSoFar:
        if not cost:
            return await read_cost(self._client, workload, now_ms)
        return await add_cost(self._client, workload, cost, now_ms)


class EvaluatorInstrument:
    """The evaluator of one workload."""

    name, result_field, reason_field = "evaluator", "preference", "unjudged"

    def __init__(self, workload: str, settings: EvaluatorSection, budget: EvaluationBudget) -> None:
        """Create the instrument. Raises ConfigError if the evaluator's credential is missing."""
        self._workload, self._settings, self._budget = workload, settings, budget
        self.in_flight = settings.in_flight
        self._client = Evaluator(settings)
        self._client.headers()

    def wants(self, result: PairResult) -> bool:
        return bool(result.for_evaluator)

    def needs_no_question(self, result: PairResult) -> bool:
        return result.equal

    async def reason_not_to_ask(self, result: PairResult) -> str:
        if result.for_evaluator["addressing"] == BOTH:
            return BOTH_ADDRESS
        try:
            if reason := await self._cost_reason():
                return reason
            allowed = await self._budget.spend(self._workload, self._settings.budget, unix_ms())
        except (RedisError, OSError):
            return "redis"
        return "" if allowed else "budget"

    async def _cost_reason(self) -> str:
        """Return the name of the limit on the cost that has been reached, or "". Raises RedisError or OSError."""
        limits, now_ms = self._settings.max_cost, unix_ms()
        if limits is None:
            return ""
        return (await self._pay()).reason_not_to_spend(limits, now_ms)

    async def _pay(self) -> CostSoFar:
        """Add the cost of the latest questions to the total of all scorers. If Redis fails, the next call adds it."""
        cost = self._client.take_unpaid()
        try:
            return await self._budget.pay(self._workload, cost, unix_ms())
        except BaseException:
            self._client.unpaid += cost
            raise

    async def ask(self, session: aiohttp.ClientSession, result: PairResult) -> Finding:
        try:
            headers = self._client.headers()
        except ConfigError:  # the credential file is being replaced
            return Finding("credential", {})
        answer = await self._client.ask(session, AnswersToJudge(**result.for_evaluator), headers)
        if self._client.unpaid:
            with contextlib.suppress(RedisError, OSError):  # the next pair writes this cost too
                await self._pay()
        if isinstance(answer, Preference):
            return Finding(answer.value, {"preference": answer})
        return Finding(answer, {})
