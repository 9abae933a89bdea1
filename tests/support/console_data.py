"""A workload's status, decisions and pairs in Redis, as a scorer stores them, for tests of the console."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from glidepath.clock import unix_ms
from glidepath.pair_scores import AnswerFacts, ScoredPair
from glidepath.pairs import Answer, Pair, PairKind
from glidepath.protobuf_codec import encode_pair, encode_scored
from glidepath.redis_keys import WorkloadKeys
from glidepath.sides import Origin, Side
from glidepath.status_and_decisions import Decision, SideStatus, Verdict, WeighedPair, WorkloadStatus, to_json

VERDICTS = (
    Verdict(
        "errors",
        "pass",
        0.001,
        0.005,
        "",
        4120,
        1.3,
        message="0.1 % more errors, at most 0.5 %",
        low=-0.001,
        high=0.003,
    ),
    Verdict(
        "latency_p99", "inconclusive", 812.0, 900.0, "ms", 640, 0.62, missing=820, eta_s=50_400.0, low=640.0, high=985.0
    ),
    Verdict(
        "sameness",
        "fail",
        0.71,
        0.78,
        "",
        512,
        1.4,
        action="hold",
        message="agreement 0.71 is below 0.78",
        low=0.67,
        high=0.75,
    ),
)


def status(workload: str = "chat", **changes: Any) -> WorkloadStatus:
    """Return the status of a workload that bakes at 10 %, updated now."""
    now = unix_ms()
    found = WorkloadStatus(
        workload=workload,
        phase="baking",
        percent=10.0,
        step=2,
        steps=(1.0, 5.0, 10.0, 25.0, 50.0, 100.0),
        since_ms=now - 3_600_000,
        updated_at_ms=now,
        message="to 25 %: waits for latency_p99",
        confirmed=2,
        envoys=2,
        weights={"onprem-or-cloud": 1000, "cloud": 9000},
        verdicts=VERDICTS,
        baseline=SideStatus(77_760, 31, 240.0, 610.0, 800.0, 90.0),
        candidate=SideStatus(8_640, 4, 220.0, 600.0, 812.0, 80.0),
        agreement=0.71,
        noise=0.8,
        pairs_scored=5120,
        coverage={"captured": 8000, "paired": 6000, "shed_in_flight": 1500, "tee_failed": 500},
        error_kinds={"candidate live http_503": 4, "baseline live http_500": 31},
        live_answers={"candidate requests": 8640, "candidate checked": 4000},
        min_samples=200,
    )
    return replace(found, **changes)


async def store_status(redis: Any, found: WorkloadStatus) -> None:
    await redis.set(WorkloadKeys(found.workload).status, to_json(found))


async def store_decisions(redis: Any, *decisions: Decision) -> list[str]:
    return [(await redis.xadd(WorkloadKeys(d.workload).log, {"d": to_json(d)})).decode() for d in decisions]


def decision(event: str, at_ms: int, **changes: Any) -> Decision:
    found = Decision(at_ms, "chat", event, 10.0, 10.0, "baking", "because", trigger="schedule")
    return replace(found, **changes)


def hold_for_sameness(at_ms: int, *pair_ids: str) -> Decision:
    """Return the decision of a hold that names these pairs as the heaviest evidence."""
    pairs = tuple(WeighedPair(name, "", 0.9, at_ms) for name in pair_ids)
    failed = replace(VERDICTS[2], pairs=pairs)
    return decision("hold", at_ms, phase="held", reason="sameness fails", trigger="sameness", verdicts=(failed,))


def chat_body(text: str | bytes) -> bytes:
    """Return the body of a chat completion. Text in bytes is inserted unchanged, even if it is not UTF-8."""
    if isinstance(text, bytes):
        begin, end = chat_body("@@").split(b"@@")
        return begin + text + end
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps({"id": "x", "object": "chat.completion", "model": "m", "choices": [choice]}).encode()


def pair(name: str, left: str | bytes, right: str | bytes, question: str = "What?", **changes: Any) -> Pair:
    request = {"model": "m", "messages": [{"role": "user", "content": question}]}
    answers = (
        Answer(Side.BASELINE, Origin.LIVE, "cloud", 200, "application/json", chat_body(left), total_ms=310.0),
        Answer(Side.CANDIDATE, Origin.SHADOW, "onprem", 200, "application/json", chat_body(right), total_ms=280.0),
    )
    found = Pair(
        name, "chat", PairKind.CROSS, unix_ms(), "POST", "/v1/chat/completions", json.dumps(request).encode(), *answers
    )
    return replace(found, **changes)


def scored(one: Pair, agreement: float = 0.9, **changes: Any) -> ScoredPair:
    found = ScoredPair(
        one.id,
        one.workload,
        one.kind,
        one.captured_at_ms,
        one.captured_at_ms + 50,
        True,
        agreement=agreement,
        baseline=AnswerFacts(backend="cloud", status=200, total_ms=310.0, output_tokens=20),
        candidate=AnswerFacts(Origin.SHADOW, backend="onprem", status=200, total_ms=280.0, output_tokens=22),
        sticky=one.sticky,
    )
    return replace(found, **changes)


async def store_pairs(redis: Any, *pairs: tuple[Pair, ScoredPair]) -> None:
    """Add each pair with its result to the streams of its workload."""
    for one, result in pairs:
        keys = WorkloadKeys(one.workload)
        entry = await redis.xadd(keys.pairs, {"p": encode_pair(one)})
        await redis.xadd(keys.results, {"r": encode_scored(result), "e": entry})


async def store_results(redis: Any, results: Sequence[ScoredPair]) -> None:
    """Add results whose pairs, with the bodies, are no longer stored."""
    pipe = redis.pipeline(transaction=False)
    for result in results:
        pipe.xadd(WorkloadKeys(result.workload).results, {"r": encode_scored(result), "e": ""})
    await pipe.execute()
