"""A BatchScorer that scores in a thread of the test's process, with an engine that is already loaded."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from glidepath.clock import unix_ms
from glidepath.config import Config
from scorer.scoring.embed import Embedder
from scorer.scoring.worker.scoring_process.batch_result import BatchResult, NoiseFloorJson
from scorer.scoring.worker.scoring_process.extract_embed_compare import ScoringContext
from scorer.scoring.worker.scoring_process.score_batch import score_batch


class ThreadScorer:
    def __init__(self, config: Config, embedder: Embedder) -> None:
        self._context = ScoringContext(config, embedder)

    async def start(self) -> None:
        return None

    async def score(self, stored: Sequence[bytes], floors: Mapping[str, NoiseFloorJson]) -> BatchResult:
        return await asyncio.to_thread(score_batch, stored, self._context, unix_ms(), floors)

    async def close(self) -> None:
        return None
