"""The totals of periods, and the points that are stored for them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.errors import InputError
from glidepath.histogram import Histogram
from glidepath.history import (
    LEVELS,
    MOST_KINDS,
    PeriodTotals,
    SideTotals,
    decode_point,
    encode_point,
    encode_traffic,
    few_kinds,
    point_of,
    totals_from_json,
    totals_to_json,
)
from glidepath.side_traffic import Sent, SideTraffic
from glidepath.token_usage import ServiceTier, TokenSource, TokenUsage, merged

COUNTS = st.integers(0, 1000)
HISTOGRAMS = st.lists(st.floats(0, 1e5), max_size=8).map(Histogram.of)
USAGES = st.builds(TokenUsage, *[COUNTS] * 8, source=st.sampled_from(TokenSource), tier=st.sampled_from(ServiceTier))
SENT = st.builds(Sent, COUNTS, COUNTS, st.lists(USAGES, max_size=3).map(merged))
SIDES = st.builds(
    SideTotals,
    COUNTS,
    COUNTS,
    st.dictionaries(st.sampled_from(["http_503", "timeout", "reset"]), COUNTS, max_size=3),
    HISTOGRAMS,
    HISTOGRAMS,
    COUNTS,
    COUNTS,
    COUNTS,
    st.builds(SideTraffic, SENT, SENT),
)
PERIODS = st.builds(
    PeriodTotals,
    SIDES,
    SIDES,
    scored=COUNTS,
    agreement_sum=st.floats(0, 1000),
    captured=COUNTS,
    percent=st.floats(0, 100),
    phase=st.sampled_from(["", "baking", "held"]),
    pinned=COUNTS,
)


@given(PERIODS)
def test_totals_survive_a_change_of_the_leader(totals: PeriodTotals) -> None:
    assert totals_from_json(json.loads(json.dumps(totals_to_json(totals)))) == totals


@given(PERIODS)
def test_a_point_survives_its_storage(totals: PeriodTotals) -> None:
    point = point_of(totals, 1_700_000_000_000, 10)
    assert decode_point(encode_point(point), point.at_ms, 10, encode_traffic(point)) == point


@pytest.mark.slow
@given(PERIODS, PERIODS)
def test_the_quantiles_of_a_sum_are_those_of_all_requests(one: PeriodTotals, two: PeriodTotals) -> None:
    both = point_of(one + two, 0, 10)
    assert both.baseline.requests == one.baseline.requests + two.baseline.requests
    pooled = (one.baseline.latency + two.baseline.latency).quantile(0.5)
    assert (both.baseline.p50 is None) == (pooled is None)
    assert pooled is None or both.baseline.p50 == pytest.approx(pooled, rel=1e-3)


def test_the_later_period_says_where_the_ramp_stands() -> None:
    assert (PeriodTotals(percent=5, phase="baking") + PeriodTotals(percent=10, phase="held")).percent == 10
    assert (PeriodTotals(percent=5, phase="baking") + PeriodTotals()).phase == "baking"


def test_kinds_of_errors_are_few_and_none_is_lost() -> None:
    many = {f"kind_{number:02d}": number + 1 for number in range(40)}
    kept = few_kinds(many)
    assert len(kept) == MOST_KINDS
    assert sum(kept.values()) == sum(many.values())
    assert kept["kind_39"] == 40


@pytest.mark.parametrize("text", ["", "[]", "{}", "[[1],[2],[3]]", "null", "[" * 5000, b"\xff"])
def test_a_damaged_point_is_an_error(text: str | bytes) -> None:
    with pytest.raises(InputError):
        decode_point(text, 0, 10)


def test_a_point_of_an_earlier_version_has_no_traffic() -> None:
    point = point_of(PeriodTotals(SideTotals(requests=7)), 0, 10)
    assert encode_traffic(point) == ""
    assert decode_point(encode_point(point), 0, 10) == point
    older = totals_to_json(PeriodTotals(SideTotals(requests=7)))
    del older["baseline"]["traffic"], older["pinned"]
    assert totals_from_json(older) == PeriodTotals(SideTotals(requests=7))


@pytest.mark.parametrize("text", ["[]", "[0,[],[]]", "[0,1,2]", "{", "[0,[[1,2,[]],[1,2,[[1]]]],[[1,2,[]],[0,0,[]]]]"])
def test_damaged_traffic_is_an_error(text: str) -> None:
    with pytest.raises(InputError):
        decode_point(encode_point(point_of(PeriodTotals(), 0, 10)), 0, 10, text)


@pytest.mark.parametrize("raw", [None, [], {}, {"baseline": {}}, {"baseline": None, "candidate": None}])
def test_damaged_totals_are_an_error(raw: object) -> None:
    with pytest.raises(InputError):
        totals_from_json(raw)


def test_the_levels_cover_an_hour_days_and_months_with_few_entries() -> None:
    for level, needed_s in zip(LEVELS, (3600, 3 * 86400, 90 * 86400), strict=True):
        assert level.seconds * level.kept >= needed_s
    assert sum(level.kept for level in LEVELS) <= 4000
