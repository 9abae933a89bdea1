"""Pairs to score, an engine without a model, and twins of what the score loop talks to."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from glidepath.domain import Answer, Ending, Origin, Pair, PairKind, ScoredPair, Side
from glidepath.wire import decode_pair, encode_scored
from scorer.scoring.embed.engine_protocol import Span, Vectors
from scorer.scoring.worker.pair_queue import QueueEntry
from scorer.scoring.worker.scoring_process.batch_result import BatchResult, NoiseFloorJson, PairResult

LONG = "The committee met on Tuesday, read the report and asked for a second one. " * 40


def completion(text: str) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    body = {"id": "c", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage}
    return json.dumps(body).encode()


def answer(side: Side, text: str = "Paris.", origin: Origin = Origin.LIVE, **changes: Any) -> Answer:
    backend = "cloud" if side is Side.BASELINE else "onprem"
    whole = Answer(side, origin, backend, 200, "application/json", completion(text), total_ms=12.5)
    return replace(whole, **changes)


def pair(name: str, left: str = "Paris.", right: str = "It is Paris.", **changes: Any) -> Pair:
    whole = Pair(
        id=name,
        workload="chat",
        kind=PairKind.CROSS,
        captured_at_ms=1000,
        method="POST",
        path="/v1/chat/completions",
        request_body=b'{"messages": [{"role": "user", "content": "The capital of France?"}]}',
        first=answer(Side.BASELINE, left),
        second=answer(Side.CANDIDATE, right, Origin.SHADOW),
    )
    return replace(whole, **changes)


def noise_pair(name: str, left: str = "Paris.", right: str = "It is Paris.", side: Side = Side.BASELINE) -> Pair:
    both = {"first": answer(side, left), "second": answer(side, right, Origin.SHADOW)}
    return pair(name, kind=PairKind.NOISE, **both)


class WordEmbedder:
    """A twin of an engine: a token a word, a vector that depends on the words; remembers what it was asked."""

    name = "words"
    dimensions = 8
    max_tokens = 5

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def spans(self, text: str) -> Sequence[Span]:
        spans, at = [], 0
        for word in text.split():
            start = text.index(word, at)
            at = start + len(word)
            spans.append((start, at))
        return spans

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.calls.append(list(texts))
        rows = [np.random.default_rng(zlib.crc32(text.encode())).normal(size=8) for text in texts]
        return np.asarray([row / np.linalg.norm(row) for row in rows], np.float32).reshape(len(texts), 8)


class InstantScorer:
    """A twin of a scoring process: every pair scores 1, except as the script says."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.errors: list[Exception] = []  # raised by the next calls, one each
        self.poison: dict[str, Exception] = {}  # raised by any batch with this pair
        self.gate = asyncio.Event()
        self.gate.set()

    async def start(self) -> None:
        return None

    async def score(self, stored: Sequence[bytes], floors: Mapping[str, NoiseFloorJson]) -> BatchResult:
        await self.gate.wait()
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
    """A twin of the queue: one queue, one pending list, and Redis errors on demand."""

    def __init__(self) -> None:
        self.waiting: list[QueueEntry] = []
        self.abandoned: list[QueueEntry] = []
        self.held: list[str] = []
        self.done: dict[str, ScoredPair] = {}
        self.dead: dict[str, str] = {}
        self.down: Exception | None = None
        self.asked: list[int] = []
        self.left = False
        self.floors_added: dict[str, NoiseFloorJson] = {}
        self.behind: dict[str, int] = {}

    def _up(self) -> None:
        if self.down:
            raise self.down

    async def take(self, count: int) -> list[QueueEntry]:
        self._up()
        self.asked.append(count)
        taken, self.waiting = self.waiting[:count], self.waiting[count:]
        return taken

    async def reclaim(self) -> tuple[list[QueueEntry], Mapping[str, int]]:
        self._up()
        taken, self.abandoned = self.abandoned, []
        return taken, {}

    async def hold(self, entries: Sequence[QueueEntry]) -> None:
        self._up()
        self.held += [entry.id for entry in entries]

    async def finish(self, entry: QueueEntry, scored: ScoredPair, result: PairResult) -> bool:
        self._up()
        first = scored.pair_id not in self.done
        self.done.setdefault(scored.pair_id, scored)
        self.floors_added[scored.pair_id] = result.floor
        return first

    async def set_aside(self, entry: QueueEntry, why: str) -> bool:
        self._up()
        self.dead[entry.id] = why
        return True

    async def floors(self) -> Mapping[str, NoiseFloorJson]:
        self._up()
        return {}

    async def queued(self) -> Mapping[str, int]:
        return {"chat": len(self.waiting)}

    async def stale_before(self) -> Mapping[str, int]:
        return self.behind

    async def trimmed(self) -> Mapping[str, int]:
        return {}

    async def leave(self) -> None:
        self.left = True


BAD_ENDINGS = [ending for ending in Ending if ending is not Ending.COMPLETE]
