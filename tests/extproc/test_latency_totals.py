"""Latencies since the start, in the buckets of Prometheus."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.latency_totals import EDGES, LatencyTotals
from extproc.outcome_classification import RequestOutcome
from extproc.traffic_counters import TrafficCounters
from glidepath.histogram import Histogram
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.sides import Origin, Side

KEY = ("chat", Side.BASELINE, Origin.LIVE)


def totals_of(*flushes: list[float]) -> LatencyTotals:
    totals = LatencyTotals()
    for seq, values in enumerate(flushes):
        side = SideOutcomes(Side.BASELINE, Origin.LIVE, len(values), latency_ms=Histogram.of(values))
        totals.add([Outcomes("chat", "here", seq, 0, 1, (side,))])
    return totals


# Values at least 1 % away from an edge: a value nearer to it may be in the next fine bucket.
milliseconds = st.floats(0, 500_000).filter(
    lambda ms: all(abs(ms - edge * 1000) > 0.012 * edge * 1000 for edge, _ in EDGES)
)


@given(st.lists(st.lists(milliseconds, max_size=20), max_size=4))
def test_each_bucket_counts_the_values_at_or_below_its_edge(flushes: list[list[float]]) -> None:
    values = [ms for flush in flushes for ms in flush]
    totals = totals_of(*flushes)
    if not values:
        assert not totals.latency
        return
    found = dict(totals.latency[KEY].samples())
    assert found.pop("+Inf") == len(values)
    assert {float(edge): n for edge, n in found.items()} == {
        edge: sum(ms <= edge * 1000 for ms in values) for edge, _ in EDGES
    }


@given(st.lists(st.floats(0.1, 1_000_000), min_size=1, max_size=30))
def test_the_sum_is_right_to_one_percent(values: list[float]) -> None:
    assert totals_of(values).latency[KEY].sum_s == pytest.approx(sum(values) / 1000, rel=0.01)


def test_a_power_of_two_of_a_millisecond_belongs_to_the_bucket_that_ends_with_it() -> None:
    found = dict(totals_of([4.0, 4.1]).latency[KEY].samples())
    assert (found["0.004"], found["0.008"]) == (1, 2)


def test_a_flush_adds_to_the_totals_and_its_own_counts_begin_again() -> None:
    counters = TrafficCounters()
    for at_ms in (5_000, 6_000):
        counters.record(RequestOutcome("chat", *KEY[1:], at_ms, latency_ms=100.0, ttft_ms=10.0))
        counters.flush(at_ms)
    assert dict(counters.latencies.latency[KEY].samples())["0.128"] == 2
    assert dict(counters.latencies.first_byte[KEY].samples())["0.016"] == 2
