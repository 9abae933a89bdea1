"""The baseline's copies of answered requests: which of them extproc counts, and where it reports them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from extproc.exchange_events import ResponseHeaders
from extproc.outcome_classification import RequestOutcome
from extproc.traffic_counters import TrafficCounters, merge
from glidepath.outcome_summaries import Outcomes
from glidepath.pairs import Ending
from glidepath.protobuf_codec import decode_outcomes, encode_outcomes
from glidepath.sides import Origin, Side
from tests.support.capture_setup import END, OF_CANDIDATE, OK, CaptureSetup, setup

LIVE = {side: RequestOutcome("chat", side, Origin.LIVE, 1_000) for side in Side}


def counted(counters: TrafficCounters) -> dict[Side, tuple[int, int]]:
    """Return the copies of each side's requests, and how many of them failed, as the next flush reports them."""
    for outcome in LIVE.values():
        counters.record(outcome)
    (flushed,) = counters.flush(2_000)
    sides = {one.side: one for one in decode_outcomes(encode_outcomes(flushed)).sides if one.origin is Origin.LIVE}
    return {side: (one.baseline_copies, one.baseline_copies_failed) for side, one in sides.items()}


async def captured(r: CaptureSetup, cluster: str, answer: ResponseHeaders) -> dict[Side, tuple[int, int]]:
    r.sender.gate.set()
    r.feed(r.request(cluster), answer, END)
    await r.settled()
    return counted(r.counters)


@pytest.mark.parametrize(
    ("status", "ending", "copies"),
    [
        (200, Ending.COMPLETE, (1, 0)),
        (400, Ending.COMPLETE, (1, 0)),
        (500, Ending.COMPLETE, (1, 1)),
        (503, Ending.COMPLETE, (1, 1)),
        (429, Ending.COMPLETE, (0, 0)),
        (408, Ending.COMPLETE, (0, 0)),
        (200, Ending.ABORTED, (0, 0)),
        (0, Ending.TIMEOUT, (0, 0)),
        (0, Ending.REFUSED, (0, 0)),
    ],
)
async def test_a_copy_of_the_candidates_request_shows_whether_the_baseline_fails_it(
    status: int, ending: Ending, copies: tuple[int, int]
) -> None:
    async with setup() as r:
        r.sender.status, r.sender.ending = status, ending
        found = await captured(r, r.workload.fallback, OF_CANDIDATE)
        assert found == {Side.CANDIDATE: copies, Side.BASELINE: (0, 0)}


@pytest.mark.parametrize("status", [200, 503])
async def test_a_copy_of_the_baselines_own_request_is_counted_apart(status: int) -> None:
    async with setup("{same_side: 100}") as r:
        r.sender.status = status
        found = await captured(r, "cloud", OK)
        assert found == {Side.CANDIDATE: (0, 0), Side.BASELINE: (1, int(status == 503))}


@pytest.mark.parametrize(
    "answer",
    [
        replace(OF_CANDIDATE, status=400),  # the client's fault
        replace(OF_CANDIDATE, status=503),
        replace(OF_CANDIDATE, backend="cloud"),  # the baseline answered in place of the candidate
    ],
)
async def test_only_requests_that_the_candidate_answered_are_counted(answer: ResponseHeaders) -> None:
    async with setup() as r:
        r.sender.status = 503
        assert await captured(r, r.workload.fallback, answer) == {Side.CANDIDATE: (0, 0), Side.BASELINE: (0, 0)}


async def test_the_candidates_copy_is_not_counted() -> None:
    async with setup() as r:
        r.sender.status = 503
        assert await captured(r, "cloud", OK) == {Side.CANDIDATE: (0, 0), Side.BASELINE: (0, 0)}


def test_copies_wait_for_the_next_flush_that_has_requests_of_their_side() -> None:
    counters = TrafficCounters()
    counters.count_baselines_copy("chat", Side.CANDIDATE, failed=True)
    assert counters.flush(1_000) == []
    counters.count_baselines_copy("chat", Side.CANDIDATE, failed=False)
    assert counted(counters)[Side.CANDIDATE] == (2, 1)
    assert counted(counters)[Side.CANDIDATE] == (0, 0)


def test_flushes_that_are_merged_add_their_copies() -> None:
    flushes: list[Outcomes] = []
    for failed in (True, False):
        counters = TrafficCounters()
        counters.record(LIVE[Side.CANDIDATE])
        counters.count_baselines_copy("chat", Side.CANDIDATE, failed=failed)
        flushes += counters.flush(1_000)
    (side,) = merge(*flushes).sides
    assert (side.baseline_copies, side.baseline_copies_failed) == (2, 1)
