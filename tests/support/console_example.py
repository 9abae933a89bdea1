"""Three workloads with pairs, decisions and a history in Redis, for browser tests, screenshots and the benchmark."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from typing import Any

from glidepath.clock import unix_ms
from glidepath.histogram import Histogram
from glidepath.history import LEVELS, PeriodTotals, SideTotals, encode_point, encode_traffic, point_of
from glidepath.pair_scores import Preference
from glidepath.redis_keys import WorkloadKeys
from glidepath.side_traffic import Sent, SideTraffic
from glidepath.status_and_decisions import WeighedPair
from glidepath.token_usage import TokenUsage
from tests.conftest import VALID
from tests.support.console_data import (
    VERDICTS,
    decision,
    hold_for_sameness,
    pair,
    scored,
    status,
    store_decisions,
    store_pairs,
    store_status,
)

HOUR_MS = 3_600_000
# The candidate's share in the history of ``chat``: up to which part of the shown time, and which share.
SHARES = ((0.3, 1.0), (0.5, 5.0), (0.62, 1.0), (0.8, 5.0), (2.0, 10.0))
OTHERS = {"batch": "/v1/batch", "extraction": "/v1/extract"}
CONFIG = VALID + "".join(
    f"  {name}:\n    match: {{path: {path}}}\n    baseline: cloud\n    candidate: onprem\n"
    for name, path in OTHERS.items()
)


@dataclass(frozen=True, slots=True)
class Example:
    question: str
    left: str
    right: str
    agreement: float
    flags: tuple[str, ...]
    signals: dict[str, float]


EXAMPLES = (
    Example(
        "Where is the office?",
        "The office is at 12 Harbour Street, Hamburg.",
        "Our office is in Hamburg, 12 Harbour Street.",
        0.94,
        (),
        {"cosine": 0.97, "word_overlap": 0.9},
    ),
    Example(
        "What does the standard plan cost?",
        "The standard plan costs 40 euros per month. You can cancel it at any time, and the first month is free.",
        "The standard plan costs 45 euros per month. You can cancel it at any time.",
        0.21,
        ("numbers", "omission"),
        {"numbers": 1.0, "omission": 0.7, "cosine": 0.93, "word_overlap": 0.82, "length": 0.1},
    ),
    Example(
        "May I take the medicine with milk?",
        "No, do not take it with milk, because milk lowers its effect.",
        "Yes, you can take it with milk.",
        0.12,
        ("negation",),
        {"negation": 1.0, "cosine": 0.85, "word_overlap": 0.55},
    ),
    Example(
        "Summarise the contract.",
        "The contract runs for two years and renews by itself.",
        "I cannot help with that request.",
        0.05,
        ("refusal",),
        {"refusal": 1.0, "cosine": 0.31, "word_overlap": 0.1},
    ),
)


async def store_example(redis: Any, pairs: int = 60) -> list[str]:
    """Store the whole example, and return the ids of the pairs of ``chat``, the newest first."""
    now = unix_ms()
    stored = []
    for number in range(pairs):
        one = EXAMPLES[number % 4 if number % 3 else 0]
        name = f"7f3c9e{number:02d}-5a1b-4c8e-9d2f-{number:012d}"
        made = pair(name, one.left, one.right, one.question, captured_at_ms=now - number * 90_000)
        candidate = replace(scored(made).candidate, faults=("refusal",) if "refusal" in one.flags else ())
        judged = Preference.LOSS if "numbers" in one.flags else None
        agreement = min(0.99, one.agreement + number / 400)
        result = scored(made, agreement, flags=one.flags, signals=one.signals, candidate=candidate, preference=judged)
        stored.append((made, result))
    await store_pairs(redis, *reversed(stored))
    flagged = [made.id for made, result in stored if result.flags][:4]
    await _store_statuses(redis, flagged, now)
    await _store_log(redis, flagged, now)
    return [made.id for made, _ in stored]


async def _store_statuses(redis: Any, flagged: list[str], now: int) -> None:
    evidence = {"errors": (1.3, 0.0), "latency_p99": (0.62, 0.2), "sameness": (0.1, 1.4)}
    verdicts = tuple(
        replace(
            one,
            evidence_to_pass=evidence[one.gate][0],
            evidence_to_fail=evidence[one.gate][1],
            eta_s=None if one.missing is None else one.missing / 2.4,  # a tenth of 24 requests/s
        )
        for one in VERDICTS
    )
    weighed = tuple(WeighedPair(name, "", 0.9, now) for name in flagged)
    verdicts = (*verdicts[:2], replace(verdicts[2], pairs=weighed))
    counts = {"pairs_scored": 5740, "pairs_apart": {"noise": 620}}
    times = {"since_ms": now, "updated_at_ms": now + HOUR_MS}  # so that the status stays current while it is looked at
    done = "done at 100 %; the guards still run"
    asks = "waits for `glidepath approve extraction` to go to 25 %"
    await store_status(redis, status(verdicts=verdicts, **times, **counts))
    batch = status("batch", phase="completed", percent=100.0, message=done, verdicts=verdicts[:1], **times)
    await store_status(redis, batch)
    extraction = status("extraction", phase="awaiting_approval", message=asks, verdicts=verdicts[:2], **times)
    await store_status(redis, extraction)


async def _store_log(redis: Any, flagged: list[str], now: int) -> None:
    """Store the decisions that explain the chart of the last hour (``SHARES``)."""

    def at(place: float) -> int:
        return now - round((1 - place) * HOUR_MS)

    slow = "latency_p99: p99 1,420 ms, limit 900 ms"
    _, rolled_back, _ = await store_decisions(
        redis,
        decision("promote", at(0.3), from_percent=1.0, to_percent=5.0, reason="all gates pass"),
        decision("rollback", at(0.5), from_percent=5.0, to_percent=1.0, reason=slow, trigger="latency_p99"),
        decision("retry", at(0.52), to_percent=1.0, from_percent=1.0, trigger="command:retry", actor="Ana"),
    )
    cause = {"target": rolled_back}
    await store_decisions(
        redis,
        decision("annotate", at(0.55), reason="switch port 12 dropped packets", actor="Ben", details=cause),
        decision("promote", at(0.62), from_percent=1.0, to_percent=5.0, reason="all gates pass"),
        decision("promote", at(0.8), from_percent=5.0, to_percent=10.0, reason="all gates pass"),
        hold_for_sameness(now - HOUR_MS // 6, *flagged),
    )


async def store_history(redis: Any, share: float = 0.9) -> None:
    """Fill ``share`` of each level of the history of ``chat``, with steps, a slow period, a daily wave and a gap."""
    rng, now, keys = random.Random(5), unix_ms(), WorkloadKeys("chat")
    for level in LEVELS:
        count = int(level.kept * share)
        pipe = redis.pipeline(transaction=False)
        for number in range(count, 0, -1):
            at = level.start_of(now) - number * level.seconds * 1000
            place = 1 - number / count
            if 0.72 < place < 0.74:
                continue
            totals = _period(rng, place, at, level.seconds)
            point = point_of(totals, at, level.seconds)
            fields = {"h": encode_point(point), "t": encode_traffic(point)}
            pipe.xadd(keys.history(level.name), fields, id=f"{at}-0")
        await pipe.execute()


def _period(rng: random.Random, place: float, at_ms: int, seconds: int) -> PeriodTotals:
    percent = next(share for end, share in SHARES if place < end)
    requests = int(24 * seconds * (1 + 0.4 * math.sin(at_ms / 86_400_000 * 2 * math.pi)))
    candidate = int(requests * percent / 100)
    slow = 1.7 if 0.47 < place < 0.5 else 1.0
    agreement = 0.77 + 0.03 * rng.random() - (0.06 if place > 0.93 else 0)
    return PeriodTotals(
        _side(rng, requests - candidate, 240, 180, copies=requests // 100),
        _side(rng, candidate, 225 * slow, 190, copies=requests // 10),
        scored=30,
        agreement_sum=30 * agreement,
        noise_pairs=5,
        noise_sum=5 * (0.79 + 0.02 * rng.random()),
        judged=10,
        preference_sum=10 * (0.5 + 0.06 * rng.uniform(-1, 1)),
        captured=40,
        percent=percent,
        phase="baking",
    )


def _sent(requests: int, output: int) -> Sent:
    """Return the totals of requests with 640 input tokens, half of them cached. One request in ten was captured."""
    seen = requests // 10
    usage = (TokenUsage(640 * seen, output * seen, cached_read=320 * seen, answers=seen),) if seen else ()
    return Sent(requests, requests * 2600, usage)


def _side(rng: random.Random, requests: int, latency_ms: float, tokens: int, copies: int) -> SideTotals:
    errors = sum(rng.random() < 0.001 for _ in range(min(requests, 300)))
    return SideTotals(
        requests,
        errors,
        {"http_503": errors} if errors else {},
        Histogram.of([rng.lognormvariate(math.log(latency_ms), 0.3) for _ in range(30)]),
        Histogram.of([rng.lognormvariate(math.log(latency_ms / 4), 0.3) for _ in range(30)]),
        20,
        int(20 * tokens * rng.uniform(0.97, 1.03)),
        int(rng.random() < 0.05),
        SideTraffic(_sent(requests, tokens), _sent(copies, tokens)),
    )
