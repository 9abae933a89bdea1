"""What is added up between two flushes."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from extproc.access_log import RequestOutcome
from extproc.counters import Ledger, merge
from glidepath.domain import Coverage, Origin, Outcomes, PairKind, Side, SideOutcomes
from glidepath.histogram import Histogram

GOOD = RequestOutcome("chat", Side.CANDIDATE, Origin.LIVE, 5_000, latency_ms=100.0, ttft_ms=10.0)
BAD = RequestOutcome("chat", Side.CANDIDATE, Origin.LIVE, 6_000, error="http_503")


def only(flushed: list[Outcomes]) -> SideOutcomes:
    (outcomes,) = flushed
    (side,) = outcomes.sides
    return side


def test_requests_errors_aborts_and_times_add_up() -> None:
    ledger = Ledger()
    for outcome in (
        GOOD,
        replace(GOOD, latency_ms=0.0, ttft_ms=None),
        BAD,
        replace(BAD, at_ms=5_500, error="failover", failover=True),
        RequestOutcome("chat", Side.CANDIDATE, Origin.LIVE, 7_000, client_abort=True),
    ):
        ledger.record(outcome)
    side = only(ledger.flush(8_000))
    assert (side.requests, side.errors, side.failovers, side.client_aborts) == (4, 2, 1, 1)
    assert side.error_kinds == {"http_503": 1, "failover": 1}
    assert side.first_error_ms == 5_500
    assert side.latency_ms == Histogram.of([100.0, 0.0])
    assert side.ttft_ms == Histogram.of([10.0])


def test_rescues_are_counted_by_their_end_and_the_client_that_left_by_neither() -> None:
    ledger = Ledger()
    for rescued in (True, True, False, None):
        ledger.record(replace(BAD, error="failover", failover=True, rescued=rescued))
    ledger.record(BAD)
    side = only(ledger.flush(8_000))
    assert (side.errors, side.failovers, side.rescued, side.rescues_failed) == (5, 4, 2, 1)
    assert ledger.rescue_totals == {("chat", "answered"): 2, ("chat", "failed"): 1, ("chat", "client_abort"): 1}


ENDED = st.lists(st.sampled_from([True, False, None]), max_size=20)


@given(ENDED, ENDED)
def test_two_flushes_merged_hold_the_rescues_of_one_flush_of_both(
    first: list[bool | None], then: list[bool | None]
) -> None:
    apart, together = Ledger(), Ledger()
    for ledger in (apart, together):
        ledger.record(GOOD)
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


def test_a_flush_empties_and_nothing_gives_no_flush() -> None:
    ledger = Ledger()
    assert ledger.flush(1_000) == []
    ledger.record(GOOD)
    assert len(ledger.flush(2_000)) == 1
    assert ledger.flush(3_000) == []


def test_sides_origins_and_workloads_stay_apart_and_flushes_join_in_time() -> None:
    ledger = Ledger()
    ledger.flush(1_000)
    ledger.record(GOOD)
    ledger.record(replace(GOOD, side=Side.BASELINE))
    ledger.record(replace(GOOD, origin=Origin.SHADOW))
    ledger.count("mail", Coverage.CAPTURED)
    chat, mail = ledger.flush(1_250)
    assert (chat.workload, len(chat.sides), mail.workload, mail.sides) == ("chat", 3, "mail", ())
    assert (chat.from_ms, chat.to_ms) == (1_000, 1_250)


def test_coverage_of_the_noise_floor_has_its_own_names() -> None:
    ledger = Ledger()
    ledger.count("chat", Coverage.PAIRED)
    ledger.count("chat", Coverage.PAIRED, PairKind.NOISE, 2)
    assert ledger.flush(1)[0].coverage == {"paired": 1, "noise_paired": 2}


def test_blame_turns_a_counted_request_into_an_error() -> None:
    ledger = Ledger()
    ledger.record(GOOD)
    ledger.blame("chat", Side.CANDIDATE, Origin.LIVE, "rejected_400", 9_000)
    side = only(ledger.flush(10_000))
    assert (side.requests, side.errors, side.error_kinds, side.first_error_ms) == (1, 1, {"rejected_400": 1}, 9_000)


def test_a_request_that_is_blamed_is_still_one_request() -> None:
    ledger = Ledger()
    ledger.record(GOOD)
    ledger.blame("chat", Side.CANDIDATE, Origin.LIVE, "rejected_400", 9_000)
    assert sum(ledger.outcome_totals.values()) == 1
    assert ledger.blamed_totals == {("chat", "candidate", "live", "rejected_400"): 1}


def test_blame_waits_for_its_request_so_that_errors_never_exceed_requests() -> None:
    ledger = Ledger()
    ledger.blame("chat", Side.CANDIDATE, Origin.LIVE, "rejected_400", 9_000)
    assert ledger.flush(10_000) == []
    ledger.record(GOOD)
    side = only(ledger.flush(11_000))
    assert (side.requests, side.errors) == (1, 1)
    assert ledger.flush(12_000) == []


def test_merged_flushes_are_their_sum_under_the_earlier_number() -> None:
    ledger = Ledger()
    ledger.record(GOOD)
    ledger.count("chat", Coverage.PAIRED)
    earlier = replace(ledger.flush(1_000)[0], source="s", seq=7)
    ledger.record(BAD)
    ledger.record(replace(GOOD, side=Side.BASELINE))
    ledger.count("chat", Coverage.PAIRED)
    both = merge(earlier, ledger.flush(2_000)[0])
    assert (both.source, both.seq, both.from_ms, both.to_ms) == ("s", 7, 1_000, 2_000)
    candidate = next(s for s in both.sides if s.side is Side.CANDIDATE)
    assert (candidate.requests, candidate.errors, len(both.sides), both.coverage) == (2, 1, 2, {"paired": 2})


def test_totals_never_go_back() -> None:
    ledger = Ledger()
    ledger.record(GOOD)
    ledger.count("chat", Coverage.CAPTURED)
    ledger.flush(1)
    ledger.record(BAD)
    ledger.count("chat", Coverage.CAPTURED)
    assert ledger.outcome_totals[("chat", "candidate", "live", "ok")] == 1
    assert ledger.outcome_totals[("chat", "candidate", "live", "http_503")] == 1
    assert ledger.coverage_totals[("chat", "captured")] == 2


def test_a_candidates_live_error_is_announced_and_nothing_else() -> None:
    announced: list[str] = []
    ledger = Ledger(on_candidate_error=lambda: announced.append("error"))
    ledger.record(GOOD)
    ledger.record(replace(BAD, side=Side.BASELINE))
    ledger.record(replace(BAD, origin=Origin.SHADOW))
    assert announced == []
    ledger.record(BAD)
    assert announced == ["error"]
