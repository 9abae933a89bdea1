"""Capture of requests of which an answer or a copy failed or was refused: pairs, coverage and errors."""

from __future__ import annotations

from dataclasses import replace

import pytest

from extproc.exchange_events import ResponseHeaders
from extproc.outcome_classification import RequestOutcome
from glidepath.pairs import Ending, PairKind
from glidepath.sides import Origin, Side
from tests.support.capture_setup import END, OF_CANDIDATE, OK, CaptureSetup, setup
from tests.support.waiting import eventually


@pytest.mark.parametrize(("cluster", "fallback"), [("cloud", "true"), ("cloud", "false"), ("onprem", "false")])
async def test_a_plain_retry_is_no_failover(cluster: str, fallback: str) -> None:
    async with setup(fallback=fallback) as r:
        r.sender.gate.set()
        r.feed(r.request(cluster), ResponseHeaders(200, {}, 2, "via_upstream"), END)
        await r.settled()
        assert len(r.sink.pairs) == 1


@pytest.mark.parametrize(
    ("status", "ending"),
    [(200, Ending.ABORTED), (0, Ending.TIMEOUT), (0, Ending.REFUSED), (503, Ending.COMPLETE), (429, Ending.COMPLETE)],
)
async def test_a_failed_copy_is_counted_and_its_pair_is_not(status: int, ending: Ending) -> None:
    async with setup() as r:
        r.sender.status, r.sender.ending = status, ending
        r.sender.gate.set()
        r.feed(r.request(), OK, END)
        await r.settled()
        assert r.coverage == {"captured": 1, "tee_failed": 1}
        assert [(raw.counted, raw.pair.second.ending, raw.pair.second.status) for raw in r.sink.raw] == [
            (False, ending, status)
        ]


async def test_a_failed_copy_to_the_baseline_makes_no_pair() -> None:
    async with setup() as r:
        r.sender.status = 503
        r.sender.gate.set()
        r.feed(r.request(r.workload.fallback), OF_CANDIDATE, END)
        await r.settled()
        assert (r.sink.raw, r.coverage) == ([], {"captured": 1, "tee_failed": 1})


@pytest.mark.parametrize(
    ("status", "ending"), [(200, Ending.ABORTED), (0, Ending.TIMEOUT), (503, Ending.COMPLETE), (429, Ending.COMPLETE)]
)
async def test_a_failed_copy_makes_an_uncounted_pair_if_both_sides_got_a_copy(status: int, ending: Ending) -> None:
    async with setup("{same_side: 100}") as r:
        r.sender.status, r.sender.ending = status, ending
        r.sender.gate.set()
        r.feed(r.request(), OK, END)
        await r.settled()
        assert {raw.pair.kind for raw in r.sink.raw} == {PairKind.CROSS, PairKind.NOISE}
        assert {(raw.pair.both_copied, raw.counted) for raw in r.sink.raw} == {(True, False)}
        assert {(pair.second.ending, pair.second.status) for pair in r.sink.pairs} == {(ending, status)}
        assert r.coverage == {"captured": 1, "tee_failed": 1, "noise_tee_failed": 1}


@pytest.mark.parametrize("status", [400, 503])
async def test_both_copies_are_kept_though_the_clients_answer_failed(status: int) -> None:
    async with setup("{same_side: 100}") as r:
        captured = r.request()
        await eventually(lambda: len(r.sender.copies) == 2)
        r.feed(captured, replace(OK, status=status), END)
        assert r.sender.cancelled == 0
        r.sender.gate.set()
        await r.settled()
        assert {(raw.pair.kind, raw.pair.first.status, raw.counted) for raw in r.sink.raw} == {
            (PairKind.CROSS, status, False),
            (PairKind.NOISE, status, False),
        }
        assert r.coverage["not_comparable"] == 1
        assert "paired" not in r.coverage


async def test_one_accepted_copy_does_not_count_as_copies_to_both_sides() -> None:
    async with setup("{same_side: 100, max_in_flight: 1}") as r:
        r.sender.gate.set()
        r.feed(r.request(), OK, END)
        await r.settled()
        assert [(pair.kind, pair.both_copied) for pair in r.sink.pairs] == [(PairKind.CROSS, False)]


def record_refusal(r: CaptureSetup, side: Side, origin: Origin) -> None:
    """Record the access log entry of a request with status 4xx that counts as the client's fault."""
    r.counters.record(RequestOutcome("chat", side, origin, 1_000), "id-1")


async def test_a_request_that_only_the_other_side_refuses_is_the_other_sides_error() -> None:
    async with setup() as r:
        r.sender.status = 404
        r.sender.gate.set()
        r.feed(r.request(), OK, END)
        await r.settled()
        record_refusal(r, Side.CANDIDATE, Origin.SHADOW)
        (outcomes,) = r.counters.flush(1)
        assert (outcomes.sides[0].errors, outcomes.sides[0].error_kinds) == (1, {"capability": 1})
        assert r.sink.pairs[0].second.status == 404


@pytest.mark.parametrize("status", [401, 403])
async def test_a_copy_whose_credential_is_refused_counts_once(status: int) -> None:
    async with setup() as r:
        r.sender.status = status
        r.sender.gate.set()
        r.feed(r.request(), OK, END)
        await r.settled()
        r.counters.record(RequestOutcome("chat", Side.CANDIDATE, Origin.SHADOW, 1_000, error=f"http_{status}"), "id-1")
        r.counters.record(RequestOutcome("chat", Side.CANDIDATE, Origin.SHADOW, 1_000, latency_ms=1))
        (outcomes,) = r.counters.flush(60_000)
        assert (outcomes.sides[0].requests, outcomes.sides[0].error_kinds) == (2, {f"http_{status}": 1})


async def test_a_request_that_only_the_serving_side_refuses_is_its_error() -> None:
    async with setup() as r:
        r.sender.gate.set()
        r.feed(r.request(r.workload.fallback), replace(OF_CANDIDATE, status=400), END)
        await r.settled()
        record_refusal(r, Side.CANDIDATE, Origin.LIVE)
        (outcomes,) = r.counters.flush(1)
        assert outcomes.sides[0].error_kinds == {"capability": 1}
        assert (r.sink.pairs, outcomes.coverage) == ([], {"captured": 1, "not_comparable": 1})


async def test_a_request_that_both_sides_refuse_is_no_error_of_either() -> None:
    async with setup() as r:
        r.sender.status = 400
        r.sender.gate.set()
        r.feed(r.request(), ResponseHeaders(422, {}, 1, "via_upstream"), END)
        await r.settled()
        record_refusal(r, Side.BASELINE, Origin.LIVE)
        assert r.counters.flush(1)[0].sides[0].errors == 0
        assert r.coverage == {"captured": 1, "not_comparable": 1}
