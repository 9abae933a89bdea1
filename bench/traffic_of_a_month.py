"""A synthetic month of traffic: ten workloads, two million requests, five callers, four models.

Each workload has fixed numbers of requests and tokens, so that sums are known exactly.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

CHAT, EMBEDDINGS, MESSAGES = "/v1/chat/completions", "/v1/embeddings", "/v1/messages"
MONTH_MS = 30 * 86_400_000
SHAPES = 50  # different requests of a workload, which take turns


@dataclass(frozen=True, slots=True)
class MonthlyWorkload:
    """One workload of the month.

    ``share``: its share of all requests. ``tokens_in``, ``tokens_out``: the tokens of its first request; later requests
    have a few more.
    """

    path: str
    model: str
    team: str
    share: float
    tokens_in: int
    tokens_out: int
    latency_ms: int
    streamed: bool = False
    tools: bool = False


WORKLOADS = (
    MonthlyWorkload(CHAT, "gpt-4o-mini", "etl-batch", 0.25, 1500, 200, 1800),
    MonthlyWorkload(CHAT, "gpt-4o", "web", 0.16, 900, 350, 2600, streamed=True),
    MonthlyWorkload(CHAT, "gpt-4o-mini", "web", 0.14, 400, 150, 900, streamed=True),
    MonthlyWorkload(EMBEDDINGS, "text-embedding-3-small", "search", 0.13, 300, 0, 60),
    MonthlyWorkload(CHAT, "gpt-4o", "support", 0.10, 2400, 300, 2900, tools=True),
    MonthlyWorkload(MESSAGES, "claude-sonnet", "web", 0.07, 3000, 700, 5000, streamed=True),
    MonthlyWorkload(MESSAGES, "claude-sonnet", "staff", 0.06, 5000, 900, 7000),
    MonthlyWorkload(CHAT, "gpt-4o-mini", "staff", 0.04, 600, 200, 1100),
    MonthlyWorkload(EMBEDDINGS, "text-embedding-3-small", "etl-batch", 0.03, 500, 0, 90),
    MonthlyWorkload(MESSAGES, "claude-sonnet", "support", 0.02, 1200, 400, 4000, tools=True),
)


@dataclass(frozen=True, slots=True)
class MonthlyRequest:
    """One request, ``at_ms`` after the beginning of the month. ``variant``: the index of its shape in SHAPES."""

    workload: MonthlyWorkload
    at_ms: int
    variant: int

    @property
    def tokens_in(self) -> int:
        return self.workload.tokens_in + self.variant

    @property
    def tokens_out(self) -> int:
        return self.workload.tokens_out + (self.variant if self.workload.tokens_out else 0)


def numbers(requests: int) -> list[int]:
    """Return the number of requests of each workload. Their sum is ``requests``."""
    found = [round(one.share * requests) for one in WORKLOADS]
    found[0] += requests - sum(found)
    return found


def month(requests: int) -> Iterator[MonthlyRequest]:
    """Yield the requests in the order of time. The requests of each workload are evenly spread over the month."""
    counts = numbers(requests)
    hours = 720
    for hour in range(hours):
        for workload, count in zip(WORKLOADS, counts, strict=True):
            first, last = count * hour // hours, count * (hour + 1) // hours
            for number in range(first, last):
                at = (hour * MONTH_MS + (number - first) * MONTH_MS // (last - first)) // hours
                yield MonthlyRequest(workload, at, (number - first) % SHAPES)


def expected_tokens(workload: MonthlyWorkload, count: int) -> tuple[int, int]:
    """Return the sums of the input tokens and of the output tokens of ``count`` requests of a workload in one hour."""
    whole, rest = divmod(count, SHAPES)
    variants = whole * SHAPES * (SHAPES - 1) // 2 + rest * (rest - 1) // 2
    written = count * workload.tokens_out + (variants if workload.tokens_out else 0)
    return count * workload.tokens_in + variants, written


def line(request: MonthlyRequest, begin_ms: int) -> bytes:
    of = request.workload
    entry = {
        "time": begin_ms + request.at_ms,
        "method": "POST",
        "path": of.path,
        "status": 200,
        "duration_ms": of.latency_ms + 20 * request.variant,
        "model": of.model,
        "x-team": of.team,
        "stream": of.streamed,
        "tools": of.tools,
        "bytes_received": 4 * request.tokens_in,
        "bytes_sent": 4 * request.tokens_out,
        "input_tokens": request.tokens_in,
        "output_tokens": request.tokens_out,
    }
    return json.dumps(entry).encode() + b"\n"
