"""In-memory versions of the score loop's queue and of its scorer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from glidepath.pair_scores import ScoredPair
from glidepath.pairs import Pair
from glidepath.protobuf_codec import decode_pair, encode_scored
from scorer.scoring.worker.pair_queue import QueueEntry
from scorer.scoring.worker.scoring_process.batch_result import BatchResult, NoiseFloorJson, PairResult


class InstantScorer:
    """An in-memory BatchScorer: every pair scores 1, unless ``errors`` or ``poison`` raise an error."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.errors: list[Exception] = []  # the next calls raise these errors, one each
        self.poison: dict[str, Exception] = {}  # a batch with this pair raises its error
        self.may_score = asyncio.Event()
        self.may_score.set()

    async def start(self) -> None:
        return None

    async def score(self, stored: Sequence[bytes], floors: Mapping[str, NoiseFloorJson]) -> BatchResult:
        await self.may_score.wait()
        if self.errors:
            raise self.errors.pop(0)
        pairs = [decode_pair(data) for data in stored]
        self.batches.append([one.id for one in pairs])
        for one in pairs:
            if one.id in self.poison:
                raise self.poison[one.id]
        return BatchResult(tuple(PairResult(encode_scored(_scored(one))) for one in pairs))

    async def close(self) -> None:
        return None


def _scored(one: Pair) -> ScoredPair:
    return ScoredPair(one.id, one.workload, one.kind, one.captured_at_ms, 2000, scored=True, agreement=1.0)


class MemoryPairQueue:
    """An in-memory PairQueue. If ``down`` is set, every method raises it, as with an unreachable Redis."""

    def __init__(self) -> None:
        self.waiting: list[QueueEntry] = []
        self.abandoned: list[QueueEntry] = []
        self.renewed: list[str] = []
        self.done: dict[str, ScoredPair] = {}
        self.acknowledged: set[str] = set()
        self.dead: dict[str, str] = {}
        self.down: Exception | None = None
        self.claim_counts: list[int] = []
        self.consumer_removed = False
        self.noise_added: dict[str, NoiseFloorJson] = {}
        self.stale_before_ms: dict[str, int] = {}

    def _raise_if_down(self) -> None:
        if self.down:
            raise self.down

    async def claim(self, count: int) -> list[QueueEntry]:
        self._raise_if_down()
        self.claim_counts.append(count)
        claimed, self.waiting = self.waiting[:count], self.waiting[count:]
        return claimed

    async def reclaim(self) -> tuple[list[QueueEntry], Mapping[str, int]]:
        self._raise_if_down()
        taken, self.abandoned = self.abandoned, []
        return taken, {}

    async def renew_claims(self, entries: Sequence[QueueEntry]) -> None:
        self._raise_if_down()
        self.renewed += [entry.id for entry in entries]

    async def write_result(self, entry: QueueEntry, scored: ScoredPair, result: PairResult) -> bool:
        self._raise_if_down()
        first = entry.id not in self.acknowledged
        self.acknowledged.add(entry.id)
        self.done.setdefault(scored.pair_id, scored)
        self.noise_added[scored.pair_id] = result.noise
        return first

    async def set_aside(self, entry: QueueEntry, why: str) -> bool:
        self._raise_if_down()
        self.dead[entry.id] = why
        return True

    async def noise_floors(self) -> Mapping[str, NoiseFloorJson]:
        self._raise_if_down()
        return {}

    async def lengths(self) -> Mapping[str, int]:
        return {"chat": len(self.waiting)}

    async def stale_before(self) -> Mapping[str, int]:
        return self.stale_before_ms

    async def report_trimmed(self) -> Mapping[str, int]:
        return {}

    async def remove_consumer(self) -> None:
        self.consumer_removed = True
