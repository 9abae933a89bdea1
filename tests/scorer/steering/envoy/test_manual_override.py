"""The interpretation of each pair of weights and each switch that a person may set."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.steering.envoy.manual_override import (
    UNREADABLE,
    describe_entry,
    parse_switch,
    parse_weight,
    weights_override,
)

OURS = [(6000, 4000)]


@pytest.mark.parametrize(
    ("candidate", "baseline", "percent", "unambiguous"),
    [
        # Two valid weights, up or down.
        ("1000", "9000", 10, True),
        ("9000", "1000", 90, True),
        ("0", "10000", 0, True),
        ("10000", "0", 100, True),
        # Only the candidate's weight was changed.
        ("0", "4000", 0, False),
        ("1000", "4000", 10, False),
        ("100", "4000", 1, False),
        ("8000", "4000", 60, False),
        ("10000", "4000", 60, False),
        # Only the baseline's weight was changed.
        ("6000", "10000", 0, False),
        ("6000", "9000", 10, False),
        ("6000", "100", 60, False),
        ("6000", "0", 60, False),
        # Both were changed, to another sum: their proportion counts, if it is lower.
        ("30", "70", 30, False),
        ("90", "10", 60, False),
        ("1000", "900", 52.63, False),
        ("0", "0", 0, False),
        ("0", "1", 0, False),
        # One of them is invalid: the other counts, if it gives a lower share.
        ("1000", "9000.0", 10, False),
        ("9000", "1000.0", 60, False),
        ("0", "x", 0, False),
        ("99%", "4000", 60, False),
        ("99%", "10000", 0, False),
        ("6000", "99%", 60, False),
        ("", "4000", 60, False),
        ("6000", "", 60, False),
        ("-5", "10005", 60, False),
        ("60000", "40000", 60, False),
        # Both are invalid.
        ("99%", "1%", 60, False),
        ("1e4", "0.0", 60, False),
    ],
)
def test_the_share_that_weights_ask_for_at_60_percent(
    candidate: str, baseline: str, percent: float, unambiguous: bool
) -> None:
    assert weights_override(parse_weight(candidate), parse_weight(baseline), OURS, 60.0) == (percent, unambiguous)


@given(
    st.text(max_size=8) | st.integers(-20_000, 20_000).map(str), st.text(max_size=8) | st.integers(0, 10_000).map(str)
)
def test_only_two_whole_weights_with_the_sum_10000_can_raise_the_share(candidate: str, baseline: str) -> None:
    asked = weights_override(parse_weight(candidate), parse_weight(baseline), OURS, 60.0)
    assert 0 <= asked.percent <= 100
    if asked.percent > 60:
        assert int(candidate) + int(baseline) == 10_000


@pytest.mark.parametrize("text", ["", "-1", "10001", "9000.0", "99%", "1e3", " 5", "5 ", "٥", "+5", "9" * 400])
def test_anything_but_a_whole_number_from_0_to_10000_is_an_invalid_weight(text: str) -> None:
    assert parse_weight(text) == UNREADABLE


@pytest.mark.parametrize("text", ["0", "false", "False", "OFF", "no", "0.0", "00"])
def test_texts_that_mean_off(text: str) -> None:
    assert parse_switch(text) is False


@pytest.mark.parametrize("text", ["1", "true", "TRUE", "On", "yes", "1.0"])
def test_texts_that_mean_on(text: str) -> None:
    assert parse_switch(text) is True


@given(st.text(max_size=12))
def test_any_other_text_means_neither_on_nor_off(text: str) -> None:
    if parse_switch(text) is not None:
        word = text.strip().lower()
        assert word in {"0", "false", "off", "no", "1", "true", "on", "yes"} or float(word) in (0.0, 1.0)


def test_a_value_is_shown_in_one_bounded_line() -> None:
    assert describe_entry("k", "99%") == "k=99%"
    assert describe_entry("k", "") == "k (removed)"
    assert len(describe_entry("k", "x\n" * 1000)) < 50
    assert "\n" not in describe_entry("k", "a\nb")
