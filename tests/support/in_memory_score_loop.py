"""A score loop with an in-memory queue, its metrics, and a context manager that runs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from prometheus_client import CollectorRegistry

from glidepath.config import Config
from glidepath.protobuf_codec import encode_pair
from scorer.scoring.worker.pair_queue import QueueEntry
from scorer.scoring.worker.score_loop import ScoreLoop
from scorer.scoring.worker.scoring_process.process_client import BatchScorer
from tests.support.answer_pairs import pair
from tests.support.memory_pair_queue import MemoryPairQueue


def queue_entry(name: str, *answers: str, deliveries: int = 1, id_ms: int | None = None, **changes: Any) -> QueueEntry:
    """Return a queued pair. ``answers``, ``changes``: the arguments of ``pair``. ``id_ms``: the time in its id."""
    entry_id = f"{name if id_ms is None else id_ms}-0"
    return QueueEntry("chat", entry_id, encode_pair(pair(name, *answers, **changes)), deliveries)


class LoopHarness:
    def __init__(self, config: Config, scorer: BatchScorer, budget: Any = None) -> None:
        self.queue, self.registry, self.scorer, self.budget = MemoryPairQueue(), CollectorRegistry(), scorer, budget
        client: Any = None  # the loop uses only the in-memory queue and budget
        self.loop = ScoreLoop(
            config, client, scorer, consumer="c", registry=self.registry, queue=self.queue, budget=budget
        )

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"glidepath_scorer_{name}", labels) or 0.0

    def agreement(self, name: str) -> float:
        return self.queue.done[name].agreement

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            task = group.create_task(self.loop.run(stop))
            yield
            stop.set()
            await task
