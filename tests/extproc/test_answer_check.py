"""The check of captured answers runs at once or in its thread, is bounded, and raises no error."""

from __future__ import annotations

import gzip
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from extproc.answer_check import AT_ONCE, MAX_WAITING, TOGETHER, TOGETHER_BYTES, AnswerChecker, CheckedAnswer, Judge
from extproc.errors_missing_in_access_log import RefusedRequest
from extproc.outcome_classification import RequestOutcome
from extproc.traffic_counters import TrafficCounters
from glidepath.answer_faults import FoundFault
from glidepath.sides import Origin, Side
from glidepath.token_usage import TokenSource, TokenUsage
from tests.support.waiting import eventually

ERROR = b'data: {"error": {"message": "gone"}}\n\n'
REQUEST = RefusedRequest("chat", Side.CANDIDATE, Origin.LIVE, "id-1")
BROKEN = CheckedAnswer(200, "text/event-stream", ERROR)
FINE = CheckedAnswer(200, "application/json", b'{"a": 1}')
LARGE = replace(BROKEN, body=b": x\n\n" * AT_ONCE + ERROR)


@asynccontextmanager
async def checker(
    limit: int = 10**6, judge: Judge | None = None, soon_s: float = 0.0
) -> AsyncIterator[tuple[AnswerChecker, TrafficCounters]]:
    counters = TrafficCounters()
    made = AnswerChecker(counters, limit, wall=lambda: 1.0, judge=judge, soon_s=soon_s)
    yield made, counters
    made.close()


def kinds(counters: TrafficCounters) -> dict[str, int]:
    """Return the kinds of errors after the access log has reported the request."""
    counters.record(RequestOutcome("chat", Side.CANDIDATE, Origin.LIVE, 1_000), REQUEST.id)
    return {k: n for flushed in counters.flush(2_000) for side in flushed.sides for k, n in side.error_kinds.items()}


@pytest.mark.parametrize(
    "answer",
    [
        BROKEN,
        LARGE,
        replace(BROKEN, body=gzip.compress(ERROR), encoding="gzip"),
        replace(LARGE, body=gzip.compress(LARGE.body), encoding="gzip"),
    ],
    ids=["small", "large", "encoded", "large and encoded"],
)
async def test_a_failed_answer_is_reported_whatever_its_size_and_encoding(answer: CheckedAnswer) -> None:
    async with checker() as (made, counters):
        made.check(REQUEST, answer)
        await eventually(lambda: made.totals.total() == 1)
        assert kinds(counters) == {"error_event": 1}
        assert made.totals == {("chat", "candidate", "live", "failed"): 1}
        assert made.waiting == 0


async def test_a_good_answer_is_no_error() -> None:
    async with checker() as (made, counters):
        made.check(REQUEST, FINE)
        assert kinds(counters) == {}
        assert made.totals == {("chat", "candidate", "live", "good"): 1}


async def test_a_small_answer_waits_for_others_but_only_for_a_moment() -> None:
    async with checker(soon_s=0.02) as (made, counters):
        made.check(REQUEST, BROKEN)
        assert made.totals.total() == 0
        await eventually(lambda: made.totals.total() == 1)
        assert kinds(counters) == {"error_event": 1}
        made.check(REQUEST, FINE)  # the next one waits as well, and not for ever
        assert made.totals.total() == 1
        await eventually(lambda: made.totals.total() == 2)


@pytest.mark.parametrize(("size", "number"), [(10, TOGETHER), (AT_ONCE, TOGETHER_BYTES // AT_ONCE)])
async def test_enough_small_answers_are_checked_at_once(size: int, number: int) -> None:
    answer = replace(FINE, body=b'"' + b"a" * (size - 2) + b'"')
    async with checker(soon_s=3600) as (made, _):
        for _ in range(number - 1):
            made.check(REQUEST, answer)
        assert made.totals.total() == 0
        made.check(REQUEST, answer)
        assert made.totals == {("chat", "candidate", "live", "good"): number}


async def test_the_requests_of_answers_that_wait_count_as_memory_too() -> None:
    async with checker(soon_s=3600) as (made, _):
        made.check(REQUEST, replace(FINE, request=b"a" * TOGETHER_BYTES))
        assert made.totals.total() == 1


async def test_answers_that_wait_can_be_checked_before_a_stop() -> None:
    async with checker(soon_s=3600) as (made, counters):
        made.check(REQUEST, BROKEN)
        made.check_small()
        assert kinds(counters) == {"error_event": 1}


@pytest.mark.parametrize("answer", [replace(FINE, body=b"\x00", encoding="gzip"), replace(FINE, encoding="unheard-of")])
async def test_a_body_that_cannot_be_decoded_is_not_judged(answer: CheckedAnswer) -> None:
    async with checker() as (made, counters):
        made.check(REQUEST, answer)
        await eventually(lambda: made.totals.total() == 1)
        assert kinds(counters) == {}


async def test_a_body_whose_decoded_end_is_over_the_limit_is_not_judged_by_its_end() -> None:
    unfinished = b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n' * 100
    async with checker(limit=1_000) as (made, counters):
        made.check(REQUEST, replace(BROKEN, body=gzip.compress(unfinished), encoding="gzip"))
        await eventually(lambda: made.totals.total() == 1)
        assert kinds(counters) == {}


async def test_above_its_bound_the_check_counts_what_it_leaves_out() -> None:
    gate = threading.Event()

    def slow(answer: CheckedAnswer, limit: int) -> FoundFault | None:
        gate.wait(10)
        return None

    async with checker(judge=slow) as (made, _):
        for _ in range(MAX_WAITING + 3):
            made.check(REQUEST, LARGE)
        assert made.totals == {("chat", "candidate", "live", "unchecked"): 3}
        gate.set()
        await eventually(lambda: made.totals[("chat", "candidate", "live", "good")] == MAX_WAITING)


async def test_the_log_names_the_kind_once_in_a_while() -> None:
    async with checker() as (made, _):
        with capture_logs() as logs:
            for number in range(5):
                made.check(replace(REQUEST, id=str(number)), BROKEN)
        assert [(entry["event"], entry["kind"], entry["side"]) for entry in logs] == [
            ("answer_failed", "error_event", "candidate")
        ]


@pytest.mark.parametrize("answer", [BROKEN, LARGE], ids=["small", "large"])
async def test_an_unexpected_error_of_the_check_is_counted_and_stops_nothing(answer: CheckedAnswer) -> None:
    def wrong(answer: CheckedAnswer, limit: int) -> FoundFault | None:
        raise RuntimeError("a fault of our own")

    async with checker(judge=wrong) as (made, counters):
        with capture_logs() as logs:
            made.check(REQUEST, answer)
            await eventually(lambda: made.totals == {("chat", "candidate", "live", "unchecked"): 1})
        assert [entry["event"] for entry in logs] == ["answer_not_checked"]
        assert kinds(counters) == {}


STATED = b'{"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4}}'


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (replace(FINE, body=STATED), TokenUsage(9, 4)),
        (replace(FINE, body=gzip.compress(STATED), encoding="gzip"), TokenUsage(9, 4)),
        (replace(FINE, body=b'{"a": 1}', request_bytes=40), TokenUsage(10, 2, source=TokenSource.ESTIMATED)),
        (replace(FINE, body=STATED, cut=True), None),
        (replace(FINE, body=STATED, status=400), None),
        (BROKEN, None),
    ],
    ids=["stated", "encoded", "estimated", "cut", "an error of the client", "failed"],
)
async def test_the_tokens_of_each_answer_are_counted(answer: CheckedAnswer, expected: TokenUsage | None) -> None:
    async with checker() as (made, counters):
        made.check(REQUEST, answer)
        await eventually(lambda: made.totals.total() == 1)
        counters.record(RequestOutcome("chat", Side.CANDIDATE, Origin.LIVE, 1_000), REQUEST.id)
        [flushed] = counters.flush(2_000)
        assert flushed.sides[0].usage == (() if expected is None else (expected,))
