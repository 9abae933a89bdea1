"""A client that leaves at the end of an answer: the access log entry and the end of the capture, in any order."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import permutations

import pytest

from extproc.clients_that_left import EARLY_WAIT_S, LONGEST_ID, LONGEST_WAIT_S, ClientsThatLeft, LoggedRequest
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


def logged(outcome: RequestOutcome, id_: str, started_ns: int = 1) -> LoggedRequest:
    return LoggedRequest(outcome, id_, id_, sent_bytes=7, started_ns=started_ns)


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
            r.left.take(logged(LEFT, "id-1"))
            assert results(r) == {}
        r.feed(captured, last)
        if not entry_first:
            assert results(r) == {}
            r.left.take(logged(LEFT, "id-1"))
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
            r.left.take(logged(LEFT, "id-1"))
        r.feed(captured, *PARTLY[ending])
        if not entry_first:
            r.left.take(logged(LEFT, "id-1"))
        assert results(r) == {"client_abort": 1}


async def test_a_request_whose_capture_does_not_begin_counts_by_its_entry_two_seconds_later() -> None:
    now = 0.0
    async with setup() as r:
        r.left.clock = lambda: now
        captured = r.request(request_id="id-1")
        r.left.take(logged(LEFT, "id-2"))
        now = EARLY_WAIT_S / 2
        r.left.take(logged(replace(LEFT, workload="other"), "id-1"))
        for at, counted in ((EARLY_WAIT_S - 0.01, 0), (EARLY_WAIT_S, 1), (EARLY_WAIT_S * 1.5, 2)):
            now = at
            r.left.pass_on_old()
            assert results(r).get("client_abort", 0) == counted
        r.feed(captured, STREAM, PART, DONE)
        r.left.take(logged(LEFT, "id-1"))
        assert results(r) == {"client_abort": 2, "ok": 1}


@pytest.mark.parametrize("is_whole", [False, True])
async def test_an_entry_that_comes_before_its_capture_begins_waits_for_it(*, is_whole: bool) -> None:
    """extproc may read the connection of the access log before that of the capture."""
    now = 0.0
    async with setup() as r:
        r.left.clock = lambda: now
        r.left.take(logged(LEFT, "id-1"))
        now = EARLY_WAIT_S - 0.1
        r.left.pass_on_old()
        captured = r.request(request_id="id-1")
        now = LONGEST_WAIT_S * 2  # from now on, the entry waits for the end of the capture
        r.left.pass_on_old()
        assert results(r) == {}
        r.feed(captured, STREAM, PART, DONE if is_whole else Closed())
        assert results(r) == ({"ok": 1} if is_whole else {"client_abort": 1})
        r.left.pass_on_all()
        assert sum(results(r).values()) == 1


async def test_an_entry_or_a_capture_without_a_time_or_an_id_counts_by_itself() -> None:
    async with setup() as r:
        for id_, started_ns in (("id-1", 0), ("", 1), ("x" * (LONGEST_ID + 1), 1)):
            captured = r.request(request_id=id_, started_ns=started_ns)
            r.left.take(logged(LEFT, id_, started_ns))
            r.feed(captured, STREAM, PART, DONE)
        assert results(r) == {"client_abort": 3}


async def test_an_entry_whose_client_did_not_leave_counts_at_once_and_once() -> None:
    good = live("cloud", 200)
    async with setup() as r:
        for order in ("entry first", "capture first"):
            captured = r.request(request_id=order)
            if order == "entry first":
                r.left.take(logged(good, order))
            r.feed(captured, STREAM, PART, DONE)
            if order == "capture first":
                r.left.take(logged(good, order))
            assert results(r)["ok"] == 1 + (order == "capture first")
        r.left.pass_on_all()
        assert results(r) == {"ok": 2}


async def test_a_client_that_left_without_a_byte_counts_at_once() -> None:
    waited = live("cloud", 0, "downstream_connection_termination", ended=False, first_byte_ms=0)
    async with setup() as r:
        captured = r.request(request_id="id-1")
        r.left.take(logged(waited, "id-1"))
        assert results(r) == {"client_abort": 1}
        r.feed(captured, Closed())


async def test_a_rescue_whose_client_left_at_the_end_is_one_that_the_baseline_answered() -> None:
    rescue = live("cloud", 200, "downstream_connection_termination", chosen="onprem-or-cloud", tries=2, body_bytes=30)
    assert (rescue.side, rescue.error, rescue.rescued) == (Side.CANDIDATE, "failover", None)
    async with setup() as r:
        r.feed(r.request("onprem-or-cloud", "id-1"), STREAM, PART, DONE)
        r.left.take(logged(rescue, "id-1"))
        captured = r.request("onprem-or-cloud", "id-2")
        r.left.take(logged(rescue, "id-2"))  # an error does not wait
        r.feed(captured, Closed())
        assert dict(r.counters.rescue_totals) == {("chat", "answered"): 1, ("chat", "client_abort"): 1}


async def test_entries_that_wait_when_extproc_stops_are_not_lost() -> None:
    async with setup() as r:
        captured = r.request(request_id="id-1")
        r.left.take(logged(LEFT, "id-1"))
        r.left.take(logged(LEFT, "id-2"))
        r.left.pass_on_all()
        r.feed(captured, STREAM, PART, DONE)
        assert results(r) == {"client_abort": 2}


async def test_the_memory_of_both_reports_is_limited() -> None:
    async with setup() as r:
        r.sender.gate.set()
        r.left.most_waiting = 10
        for n in range(11):
            captured = r.request(request_id=f"id-{n}")
            r.feed(captured, STREAM, PART, DONE)
            await r.settled()
        for n in (0, 1):
            r.left.take(logged(LEFT, f"id-{n}"))
        assert results(r) == {"ok": 1}  # the oldest was dropped
        for n in range(20, 30):
            r.left.take(logged(LEFT, f"id-{n}"))
        assert results(r) == {"client_abort": 1, "ok": 1}  # the entry that has waited for the longest time


@pytest.mark.parametrize("whole", ["first", "retry"])
@pytest.mark.parametrize("order", list(permutations(("log first", "log retry", "end first", "end retry"))))
async def test_each_attempt_under_one_id_counts_by_its_own_capture(order: tuple[str, ...], whole: str) -> None:
    """Clients repeat a request under its id. Each attempt has its own time."""
    async with setup() as r:
        attempts = {"first": r.request(started_ns=1), "retry": r.request(started_ns=2)}
        for step in order:
            what, attempt = step.split()
            if what == "end":
                r.feed(attempts[attempt], STREAM, PART, DONE if attempt == whole else Closed())
            else:
                r.left.take(logged(LEFT, "id-1", attempts[attempt].started_ns))
        assert results(r) == {"ok": 1, "client_abort": 1}
        (flushed,) = r.counters.flush(1)
        assert sum(side.requests for side in flushed.sides if side.origin is Origin.LIVE) == 1


async def test_a_complete_answer_waits_ten_seconds_for_its_entry() -> None:
    now = 0.0
    async with setup() as r:
        r.left.clock = lambda: now
        for id_ in ("in time", "late"):
            r.feed(r.request(request_id=id_), STREAM, PART, DONE)
        r.feed(r.request(request_id="an error"), replace(STREAM, status=503), PART, DONE)
        for id_, at in (("in time", LONGEST_WAIT_S), ("late", LONGEST_WAIT_S + 0.1), ("an error", 1.0)):
            now = at
            r.left.take(logged(LEFT, id_))
        assert results(r) == {"client_abort": 2, "ok": 1}


def test_each_entry_is_passed_on_once_however_often_it_comes() -> None:
    passed: list[RequestOutcome] = []
    left = ClientsThatLeft(lambda outcome, *_: passed.append(outcome))
    for _ in range(3):
        left.take(logged(LEFT, "id"))
        left.take(logged(LEFT, ""))
    left.pass_on_all()
    assert passed == [LEFT] * 6
