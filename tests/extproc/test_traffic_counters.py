"""Counters between two flushes, and totals for the metrics."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.errors_missing_in_access_log import ELSEWHERE_MS, MAX_ENTRIES, RefusedRequest, Rejection
from extproc.outcome_classification import RequestOutcome
from extproc.traffic_counters import TrafficCounters, merge
from glidepath.histogram import Histogram
from glidepath.outcome_summaries import Coverage, Outcomes, SideOutcomes
from glidepath.pairs import PairKind
from glidepath.sides import Origin, Side
from glidepath.token_usage import ServiceTier, TokenSource, TokenUsage

GOOD = RequestOutcome("chat", Side.CANDIDATE, Origin.LIVE, 5_000, latency_ms=100.0, ttft_ms=10.0)
BAD = RequestOutcome("chat", Side.CANDIDATE, Origin.LIVE, 6_000, error="http_503")


def only(flushed: list[Outcomes]) -> SideOutcomes:
    (outcomes,) = flushed
    (side,) = outcomes.sides
    return side


def test_requests_errors_aborts_and_times_add_up() -> None:
    counters = TrafficCounters()
    for outcome in (
        GOOD,
        replace(GOOD, latency_ms=0.0, ttft_ms=None),
        BAD,
        replace(BAD, at_ms=5_500, error="failover", failover=True),
        RequestOutcome("chat", Side.CANDIDATE, Origin.LIVE, 7_000, client_abort=True),
    ):
        counters.record(outcome)
    side = only(counters.flush(8_000))
    assert (side.requests, side.errors, side.failovers, side.client_aborts) == (4, 2, 1, 1)
    assert side.error_kinds == {"http_503": 1, "failover": 1}
    assert side.first_error_ms == 5_500
    assert side.latency_ms == Histogram.of([100.0, 0.0])
    assert side.ttft_ms == Histogram.of([10.0])


@pytest.mark.parametrize(
    ("side", "origin", "kept"),
    [(Side.CANDIDATE, Origin.LIVE, 2), (Side.CANDIDATE, Origin.SHADOW, 0), (Side.BASELINE, Origin.LIVE, 0)],
)
def test_durations_with_uploads_are_kept_of_clients_requests_at_the_candidate(
    side: Side, origin: Origin, kept: int
) -> None:
    counters = TrafficCounters()
    for outcome in (replace(GOOD, duration_ms=60_000), replace(GOOD, duration_ms=0), BAD):
        counters.record(replace(outcome, side=side, origin=origin))
    assert only(counters.flush(8_000)).duration_ms == Histogram.of([60_000.0, 1.0][:kept])


def test_answers_with_404_are_counted_and_add_up() -> None:
    counters = TrafficCounters()
    for not_found in (True, True, False):
        counters.record(replace(GOOD, latency_ms=None, ttft_ms=None, not_found=not_found))
    side = only(counters.flush(8_000))
    assert (side.requests, side.errors, side.not_found) == (3, 0, 2)
    assert (side + side).not_found == 4


def test_refused_requests_are_counted_and_add_up() -> None:
    counters = TrafficCounters()
    for refused in (True, False, True):
        counters.record(replace(GOOD, latency_ms=None, ttft_ms=None, refused=refused))
    side = only(counters.flush(8_000))
    assert (side.requests, side.errors, side.refused) == (3, 0, 2)
    assert (side + side).refused == 4


def test_an_answered_request_without_a_latency_is_counted_and_shown() -> None:
    counters = TrafficCounters()
    counters.record(GOOD)
    counters.record(replace(GOOD, latency_ms=None, ttft_ms=None, untimed=True))
    side = only(counters.flush(8_000))
    assert (side.requests, side.errors, side.latency_ms.total) == (2, 0, 1)
    assert counters.untimed_totals == {("chat", "candidate", "live"): 1}


def test_rescues_are_counted_by_result_and_a_client_abort_is_neither_result() -> None:
    counters = TrafficCounters()
    for rescued in (True, True, False, None):
        at_both = rescued is False
        counters.record(replace(BAD, error="failover", failover=True, rescued=rescued, failed_at_both=at_both))
    counters.record(BAD)
    side = only(counters.flush(8_000))
    assert (side.errors, side.failovers, side.rescued, side.rescues_failed) == (5, 4, 2, 1)
    assert side.failed_at_both == 1
    assert counters.rescue_totals == {("chat", "answered"): 2, ("chat", "failed"): 1, ("chat", "client_abort"): 1}


ENDED = st.lists(st.sampled_from([True, False, None]), max_size=20)


@given(ENDED, ENDED)
def test_two_flushes_merged_hold_the_rescues_of_one_flush_of_both(
    first: list[bool | None], then: list[bool | None]
) -> None:
    apart, together = TrafficCounters(), TrafficCounters()
    for counters in (apart, together):
        counters.record(GOOD)
    flushes = []
    for part in (first, then):
        for rescued in part:
            outcome = replace(BAD, error="failover", failover=True, rescued=rescued)
            apart.record(outcome)
            together.record(outcome)
        flushes += apart.flush(8_000)
    merged = flushes[0] if len(flushes) == 1 else merge(*flushes)
    side = only([merged])
    assert side == only(together.flush(8_000))
    assert side.rescued + side.rescues_failed <= side.failovers <= side.errors <= side.requests


def test_a_flush_resets_the_counters_and_without_counts_there_is_no_flush() -> None:
    counters = TrafficCounters()
    assert counters.flush(1_000) == []
    counters.record(GOOD)
    assert len(counters.flush(2_000)) == 1
    assert counters.flush(3_000) == []


def test_sides_origins_and_workloads_are_separate_and_flushes_leave_no_gap_in_time() -> None:
    counters = TrafficCounters()
    counters.flush(1_000)
    counters.record(GOOD)
    counters.record(replace(GOOD, side=Side.BASELINE))
    counters.record(replace(GOOD, origin=Origin.SHADOW))
    counters.count("mail", Coverage.CAPTURED)
    chat, mail = counters.flush(1_250)
    assert (chat.workload, len(chat.sides), mail.workload, mail.sides) == ("chat", 3, "mail", ())
    assert (chat.from_ms, chat.to_ms) == (1_000, 1_250)


def test_coverage_of_the_noise_floor_has_its_own_names() -> None:
    counters = TrafficCounters()
    counters.count("chat", Coverage.PAIRED)
    counters.count("chat", Coverage.PAIRED, PairKind.NOISE, 2)
    assert counters.flush(1)[0].coverage == {"paired": 1, "noise_paired": 2}


ID = "id-1"
REFUSED = replace(GOOD, latency_ms=None, ttft_ms=None)  # a 4xx that counts as the client's fault
DENIED = replace(REFUSED, error="http_401")
LEFT = replace(REFUSED, client_abort=True)
PROOF = Rejection(RefusedRequest("chat", Side.CANDIDATE, Origin.LIVE, ID), "rejected_400", 9_000)


@pytest.mark.parametrize("proof_first", [False, True])
def test_a_rejection_turns_the_request_of_the_same_id_into_an_error(proof_first: bool) -> None:
    counters = TrafficCounters()
    reports = [lambda: counters.record(REFUSED, ID), lambda: counters.count_rejection(PROOF)]
    for report in reversed(reports) if proof_first else reports:
        report()
    side = only(counters.flush(10_000))
    assert (side.requests, side.errors, side.error_kinds, side.first_error_ms) == (1, 1, {"rejected_400": 1}, 9_000)
    assert sum(counters.outcome_totals.values()) == 1
    assert counters.rejection_totals == {("chat", "candidate", "live", "rejected_400"): 1}


@pytest.mark.parametrize("proof_first", [False, True])
@pytest.mark.parametrize("counted", [DENIED, LEFT], ids=["an error", "a client abort"])
def test_a_rejection_of_a_request_that_is_counted_otherwise_adds_no_error(
    counted: RequestOutcome, proof_first: bool
) -> None:
    counters = TrafficCounters()
    reports = [lambda: counters.record(counted, ID), lambda: counters.count_rejection(PROOF)]
    for report in reversed(reports) if proof_first else reports:
        report()
    counters.record(GOOD)
    side = only(counters.flush(60_000))
    assert side.errors == bool(counted.error)
    counters.record(GOOD)
    assert only(counters.flush(120_000)).errors == 0
    assert counters.rejection_totals == {}


def test_a_rejection_waits_for_its_own_request_and_not_for_any() -> None:
    counters = TrafficCounters()
    counters.count_rejection(PROOF)
    assert counters.flush(10_000) == []
    counters.record(GOOD)
    counters.record(REFUSED, "id-2")
    assert only(counters.flush(11_000)).errors == 0
    counters.record(REFUSED, ID)
    side = only(counters.flush(12_000))
    assert (side.requests, side.errors) == (1, 1)


@pytest.mark.parametrize("by_ms", [ELSEWHERE_MS, -3_600_000])
def test_a_rejection_whose_request_another_process_reports_is_counted_and_errors_never_exceed_requests(
    by_ms: int,
) -> None:
    """``by_ms``: how far the clock moves from the rejection to the flush; negative: it was set back."""
    counters = TrafficCounters()
    counters.count_rejection(PROOF)
    late = PROOF.at_ms + by_ms
    assert counters.flush(late) == []
    counters.record(GOOD)
    side = only(counters.flush(late + 1_000))
    assert (side.requests, side.errors) == (1, 1)
    assert counters.flush(late + 2_000) == []


def test_reports_of_refused_requests_take_bounded_memory_and_no_rejection_is_lost() -> None:
    counters = TrafficCounters()
    for number in range(MAX_ENTRIES + 5):
        request = replace(PROOF.request, id=str(number))
        counters.count_rejection(replace(PROOF, request=request))
        counters.record(REFUSED)
    assert only(counters.flush(9_000)).errors == 5
    for _ in range(MAX_ENTRIES):
        counters.record(REFUSED)
    assert only(counters.flush(9_000 + ELSEWHERE_MS)).errors == MAX_ENTRIES


def test_checked_answers_wait_for_the_report_of_a_request_of_their_side() -> None:
    counters = TrafficCounters()
    counters.count_checked("chat", Side.CANDIDATE, Origin.LIVE)
    assert counters.flush(1_000) == []
    counters.record(GOOD)
    counters.count_checked("chat", Side.CANDIDATE, Origin.LIVE)
    assert only(counters.flush(2_000)).checked == 2
    counters.record(GOOD)
    assert only(counters.flush(3_000)).checked == 0


def test_merged_flushes_are_their_sum_under_the_earlier_number() -> None:
    counters = TrafficCounters()
    counters.record(GOOD)
    counters.count("chat", Coverage.PAIRED)
    earlier = replace(counters.flush(1_000)[0], source="s", seq=7)
    counters.record(BAD)
    counters.record(replace(GOOD, side=Side.BASELINE))
    counters.count("chat", Coverage.PAIRED)
    both = merge(earlier, counters.flush(2_000)[0])
    assert (both.source, both.seq, both.from_ms, both.to_ms) == ("s", 7, 1_000, 2_000)
    candidate = next(s for s in both.sides if s.side is Side.CANDIDATE)
    assert (candidate.requests, candidate.errors, len(both.sides), both.coverage) == (2, 1, 2, {"paired": 2})


def test_totals_never_decrease() -> None:
    counters = TrafficCounters()
    counters.record(GOOD)
    counters.count("chat", Coverage.CAPTURED)
    counters.flush(1)
    counters.record(BAD)
    counters.count("chat", Coverage.CAPTURED)
    assert counters.outcome_totals[("chat", "candidate", "live", "ok")] == 1
    assert counters.outcome_totals[("chat", "candidate", "live", "http_503")] == 1
    assert counters.coverage_totals[("chat", "captured")] == 2


def test_only_a_live_error_of_the_candidate_is_announced() -> None:
    announced: list[str] = []
    counters = TrafficCounters(on_failure=lambda: announced.append("error"))
    counters.record(GOOD)
    counters.record(replace(BAD, side=Side.BASELINE))
    counters.record(replace(BAD, origin=Origin.SHADOW))
    assert announced == []
    counters.record(BAD)
    assert announced == ["error"]


FAILED_ANSWER = replace(PROOF, kind="error_event")


@pytest.mark.parametrize("proof_first", [False, True])
def test_an_answer_that_failed_with_status_200_is_one_error_and_is_reported_at_once(proof_first: bool) -> None:
    failures: list[bool] = []
    counters = TrafficCounters(on_failure=lambda: failures.append(True))
    reports = [lambda: counters.record(GOOD, ID), lambda: counters.count_rejection(FAILED_ANSWER)]
    for report in reversed(reports) if proof_first else reports:
        report()
    assert failures
    side = only(counters.flush(10_000))
    assert (side.requests, side.errors, side.error_kinds) == (1, 1, {"error_event": 1})


def test_the_latency_of_an_answer_that_is_known_to_have_failed_is_left_out() -> None:
    counters = TrafficCounters()
    counters.count_rejection(FAILED_ANSWER)
    counters.record(GOOD, ID)
    counters.record(GOOD, "id-2")
    side = only(counters.flush(10_000))
    assert (side.requests, side.latency_ms.total, side.ttft_ms.total) == (2, 1, 1)


def test_waits_of_clients_that_left_are_counted_and_a_long_one_at_the_candidate_is_flushed_soon() -> None:
    soon: list[bool] = []
    counters = TrafficCounters(lambda: soon.append(True))
    for which, ms in ((Side.BASELINE, 9000.0), (Side.CANDIDATE, 300.0), (Side.CANDIDATE, None)):
        counters.record(RequestOutcome("chat", which, Origin.LIVE, 7_000, client_abort=True, aborted_ms=ms))
    assert not soon
    counters.record(RequestOutcome("chat", Side.CANDIDATE, Origin.LIVE, 7_000, client_abort=True, aborted_ms=6000.0))
    assert soon == [True]
    (flushed,) = counters.flush(8_000)
    found = {side.side: (side.requests, side.client_aborts, side.aborted_ms.total) for side in flushed.sides}
    assert found == {Side.BASELINE: (0, 1, 1), Side.CANDIDATE: (0, 3, 2)}


def test_tokens_add_up_by_source_and_tier_and_wait_for_the_access_log() -> None:
    counters = TrafficCounters()
    batch = TokenUsage(7, 7, tier=ServiceTier.BATCH)
    for usage in (TokenUsage(10, 5), TokenUsage(20, 5), batch, TokenUsage(1, 1, source=TokenSource.ESTIMATED)):
        counters.count_usage("chat", Side.CANDIDATE, Origin.LIVE, usage)
    assert not counters.flush(1_000)
    counters.record(GOOD, sent_bytes=300)
    counters.record(GOOD, sent_bytes=50)
    side = only(counters.flush(2_000))
    assert set(side.usage) == {
        TokenUsage(30, 10, answers=2),
        batch,
        TokenUsage(1, 1, source=TokenSource.ESTIMATED),
    }
    assert side.sent_bytes == 350
    counters.record(GOOD)
    assert only(counters.flush(3_000)).usage == ()


def test_merged_flushes_have_the_tokens_of_both() -> None:
    one, two = (
        Outcomes(
            "chat", "s", n, 0, 1, (SideOutcomes(Side.CANDIDATE, Origin.LIVE, usage=(TokenUsage(n),), sent_bytes=n),)
        )
        for n in (1, 2)
    )
    side = merge(one, two).sides[0]
    assert (side.usage, side.sent_bytes) == ((TokenUsage(3, answers=2),), 3)
