"""The stages that a scored pair goes through before its result is written: the verifier, then the evaluator.

The module is imported only if a workload has a verifier or an evaluator.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from prometheus_client import Counter

from glidepath.config import Config
from glidepath.config.comparison import ScoringSection
from glidepath.redisio import RedisClient
from scorer.scoring.worker.judging_queue import Instrument, JudgingQueue
from scorer.scoring.worker.pair_queue import QueueEntry
from scorer.scoring.worker.score_metrics import ScoreMetrics
from scorer.scoring.worker.scoring_process.batch_result import PairResult

if TYPE_CHECKING:
    from scorer.scoring.worker.evaluator_instrument import EvaluationBudget

Write = Callable[[QueueEntry, PairResult], Awaitable[None]]


class JudgingStages:
    """The judging queues of all workloads. ``write`` writes the result of a pair that has gone through its stages."""

    def __init__(
        self,
        config: Config,
        client: RedisClient,
        metrics: ScoreMetrics,
        write: Write,
        budget: EvaluationBudget | None = None,
    ) -> None:
        """Create the queues. Raises ConfigError if a credential of an instrument is missing.

        ``budget``: counts the evaluated pairs; None means a counter in Redis.
        """
        self._client, self._metrics, self._write, self._budget = client, metrics, write, budget
        sections = {name: workload.scoring for name, workload in config.workloads.items()}
        self._queues: Mapping[str, Sequence[JudgingQueue]] = {
            name: self._queues_of(name, section) for name, section in sections.items()
        }

    def _queues_of(self, workload: str, section: ScoringSection) -> Sequence[JudgingQueue]:
        queues: tuple[JudgingQueue, ...] = ()
        if section.evaluator is not None:
            from scorer.scoring.worker.evaluator_instrument import EvaluatorInstrument, RedisEvaluationBudget

            budget = self._budget if self._budget is not None else RedisEvaluationBudget(self._client)
            evaluator = EvaluatorInstrument(workload, section.evaluator, budget)
            queues = (self._queue(workload, evaluator, queues, self._metrics.evaluations),)
        if section.verifier is not None:
            from scorer.scoring.worker.verifier_instrument import VerifierInstrument

            verifier = VerifierInstrument(section.verifier)
            queues = (self._queue(workload, verifier, queues, self._metrics.verifications), *queues)
        return queues

    def _queue(
        self, workload: str, instrument: Instrument, later: Sequence[JudgingQueue], counter: Counter
    ) -> JudgingQueue:
        return JudgingQueue(
            workload,
            instrument,
            lambda entry, result: self._pass_through(entry, result, later),
            lambda outcome: counter.labels(workload, outcome).inc(),
        )

    async def take(self, entry: QueueEntry, result: PairResult) -> None:
        """Queue the pair for the first stage that wants and accepts it. If none does, write its result."""
        await self._pass_through(entry, result, self._queues.get(entry.workload, ()))

    async def _pass_through(self, entry: QueueEntry, result: PairResult, queues: Sequence[JudgingQueue]) -> None:
        for queue in queues:
            if queue.wants(result):
                refused = queue.offer(entry, result)
                if refused is None:
                    return
                result = refused
            else:
                result = queue.checked(result)
        await self._write(entry, result)

    def entries(self) -> list[QueueEntry]:
        """Return the pairs that wait in the stages. The caller must renew their claims in Redis."""
        return [entry for queue in self._all() for entry in queue.entries()]

    def runs(self) -> list[Coroutine[Any, Any, None]]:
        """Return the loops of the queues, which run until they are cancelled."""
        return [queue.run() for queue in self._all()]

    async def close(self, seconds: float) -> None:
        """End all questions and write the waiting pairs without a finding. Wait for at most ``seconds``."""
        await asyncio.gather(*(queue.close(seconds) for queue in self._all()))

    def _all(self) -> list[JudgingQueue]:
        return [queue for queues in self._queues.values() for queue in queues]
