"""A client that leaves at the end of an answer: the access log entry and the end of the capture, in any order."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from extproc.clients_that_left import LONGEST_ID, LONGEST_WAIT_S, ClientsThatLeft, LoggedRequest
from extproc.exchange_events import Chunk, Closed, Event, ResponseHeaders
from extproc.exchange_transitions import Half
from extproc.outcome_classification import RequestOutcome
from glidepath.sides import Origin, Side
from tests.support.access_log_entries import live
from tests.support.capture_setup import OK, CaptureSetup, setup

LEFT = live("cloud", 200, "downstream_connection_termination", body_bytes=30, ended=False)
STREAM = ResponseHeaders(200, {"content-type": "text/event-stream"}, 1, "via_upstream")
PART = Chunk(Half.RESPONSE, b'data: {"choices":[{"delta":{"content":"Hello"}}]}\n\n')
DONE = Chunk(Half.RESPONSE, b"data: [DONE]\n\n")
STOPPED = Chunk(Half.RESPONSE, b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n')
WHOLE: dict[str, list[Event]] = {
    "the last event": [STREAM, PART, DONE],
    "a finish reason, and Envoy's close": [STREAM, PART, STOPPED, Closed()],
    "the end of a document": [OK, Chunk(Half.RESPONSE, b'{"choices":[{"message":{"content":"Hello"}}]}', end=True)],
}
PARTLY: dict[str, list[Event]] = {"a part": [STREAM, PART, Closed()], "nothing": [Closed()]}


def results(r: CaptureSetup) -> dict[str, int]:
    """Return how many of the clients' requests had each result."""
    found: Counter[str] = Counter()
    for (_, _, origin, result), number in r.counters.outcome_totals.items():
        found[result] += number if origin == "live" else 0
    return dict(+found)


@pytest.mark.parametrize("entry_first", [False, True])
@pytest.mark.parametrize("ending", WHOLE)
async def test_a_whole_answer_counts_as_answered_although_its_client_left(ending: str, *, entry_first: bool) -> None:
    async with setup() as r:
        captured = r.request(request_id="id-1")
        *before, last = WHOLE[ending]
        r.feed(captured, *before)
        if entry_first:
            r.left.take(LoggedRequest(LEFT, "id-1", "id-1", "", 7))
            assert results(r) == {}
        r.feed(captured, last)
        if not entry_first:
            assert results(r) == {}
            r.left.take(LoggedRequest(LEFT, "id-1", "id-1", "", 7))
        assert results(r) == {"ok": 1}
        (flushed,) = r.counters.flush(1)
        (side,) = (one for one in flushed.sides if one.origin is Origin.LIVE)
        assert (side.requests, side.client_aborts, side.errors, side.sent_bytes) == (1, 0, 0, 7)
        assert side.latency_ms.total == 1


@pytest.mark.parametrize("entry_first", [False, True])
@pytest.mark.parametrize("ending", PARTLY)
async def test_a_part_of_an_answer_counts_as_a_client_that_left(ending: str, *, entry_first: bool) -> None:
    async with setup() as r:
        captured = r.request(request_id="id-1")
        if entry_first:
            r.left.take(LoggedRequest(LEFT, "id-1"))
        r.feed(captured, *PARTLY[ending])
        if not entry_first:
            r.left.take(LoggedRequest(LEFT, "id-1"))
        assert results(r) == {"client_abort": 1}


async def test_a_request_that_is_not_captured_counts_at_once_by_its_entry() -> None:
    async with setup() as r:
        captured = r.request(request_id="id-1")
        r.left.take(LoggedRequest(LEFT, "id-2"))
        assert results(r) == {"client_abort": 1}
        r.feed(captured, STREAM, PART, DONE)
        r.left.take(LoggedRequest(replace(LEFT, workload="other"), "id-1"))
        assert results(r) == {"client_abort": 2}


async def test_an_entry_whose_client_did_not_leave_counts_at_once_and_once() -> None:
    good = live("cloud", 200)
    async with setup() as r:
        for order in ("entry first", "capture first"):
            captured = r.request(request_id=order)
            if order == "entry first":
                r.left.take(LoggedRequest(good, order))
            r.feed(captured, STREAM, PART, DONE)
            if order == "capture first":
                r.left.take(LoggedRequest(good, order))
            r.left.take(LoggedRequest(LEFT, order))  # another request of a client that repeats its ids
        assert results(r) == {"ok": 2, "client_abort": 2}


async def test_a_client_that_left_without_a_byte_counts_at_once() -> None:
    waited = live("cloud", 0, "downstream_connection_termination", ended=False, first_byte_ms=0)
    async with setup() as r:
        captured = r.request(request_id="id-1")
        r.left.take(LoggedRequest(waited, "id-1"))
        assert results(r) == {"client_abort": 1}
        r.feed(captured, Closed())


async def test_a_rescue_whose_client_left_at_the_end_is_one_that_the_baseline_answered() -> None:
    rescue = live("cloud", 200, "downstream_connection_termination", chosen="onprem-or-cloud", tries=2, body_bytes=30)
    assert (rescue.side, rescue.error, rescue.rescued) == (Side.CANDIDATE, "failover", None)
    async with setup() as r:
        r.feed(r.request("onprem-or-cloud", "id-1"), STREAM, PART, DONE)
        r.left.take(LoggedRequest(rescue, "id-1"))
        captured = r.request("onprem-or-cloud", "id-2")
        r.left.take(LoggedRequest(rescue, "id-2"))  # an error does not wait
        r.feed(captured, Closed())
        assert dict(r.counters.rescue_totals) == {("chat", "answered"): 1, ("chat", "client_abort"): 1}


async def test_entries_that_wait_when_extproc_stops_are_not_lost() -> None:
    async with setup() as r:
        captured = r.request(request_id="id-1")
        r.left.take(LoggedRequest(LEFT, "id-1"))
        r.left.pass_on_all()
        r.feed(captured, STREAM, PART, DONE)
        assert results(r) == {"client_abort": 1}


async def test_the_memory_of_both_reports_is_limited() -> None:
    async with setup() as r:
        r.sender.gate.set()
        r.left.most_complete = 10
        for n in range(11):
            captured = r.request(request_id=f"id-{n}")
            r.feed(captured, STREAM, PART, DONE)
            await r.settled()
        for n in (0, 1):
            r.left.take(LoggedRequest(LEFT, f"id-{n}"))
        assert results(r) == {"client_abort": 1, "ok": 1}  # the oldest was dropped
        long = "x" * (LONGEST_ID + 1)
        captured = r.request(request_id=long)
        r.left.take(LoggedRequest(LEFT, long))
        assert results(r) == {"client_abort": 2, "ok": 1}
        r.feed(captured, STREAM, PART, DONE)


@pytest.mark.parametrize("retry_is_captured", [False, True])
@pytest.mark.parametrize("retry_is_logged_first", [False, True])
async def test_a_retry_under_the_same_id_does_not_decide_about_the_first_attempt(
    *, retry_is_captured: bool, retry_is_logged_first: bool
) -> None:
    good = live("cloud", 200)
    async with setup() as r:
        for n in range(20):
            first = r.request(request_id=f"id-{n}")
            r.feed(first, STREAM, PART)
            r.left.take(LoggedRequest(LEFT, f"id-{n}"))
            if retry_is_logged_first:
                r.left.take(LoggedRequest(good, f"id-{n}"))
            if retry_is_captured:
                r.feed(r.request(request_id=f"id-{n}"), STREAM, PART, DONE)
            if not retry_is_logged_first:
                r.left.take(LoggedRequest(good, f"id-{n}"))
            r.feed(first, Closed())
        assert results(r) == {"ok": 20, "client_abort": 20}


@pytest.mark.parametrize("is_old", [False, True])
async def test_an_earlier_answer_of_the_same_id_does_not_decide_about_a_later_one(*, is_old: bool) -> None:
    now = 0.0
    async with setup() as r:
        r.left.clock = lambda: now
        r.feed(r.request(request_id="id-1"), replace(STREAM, status=503), PART, DONE)
        r.feed(r.request(request_id="id-2"), STREAM, PART, DONE)  # another process gets its entry
        now = LONGEST_WAIT_S + 0.1 if is_old else 1.0
        for id_ in ("id-1", "id-2"):
            second = r.request(request_id=id_) if not is_old else None
            r.left.take(LoggedRequest(LEFT, id_))
            if second is not None:
                r.feed(second, STREAM, PART, Closed())
        assert results(r) == {"client_abort": 2}


def test_each_entry_is_passed_on_once_however_often_a_client_repeats_its_id() -> None:
    passed: list[RequestOutcome] = []
    left = ClientsThatLeft(lambda outcome, *_: passed.append(outcome))
    for _ in range(3):
        left.take(LoggedRequest(LEFT, "id"))
        left.take(LoggedRequest(LEFT, ""))
    left.pass_on_all()
    assert passed == [LEFT] * 6
