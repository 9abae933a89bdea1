"""The chart of a gate, and the sentence with the same content."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from glidepath.status_and_decisions import Verdict
from glidepath_ops.console.gate_chart import WIDTH, gate_chart, sentence_of
from tests.support.console_data import VERDICTS

NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9)


@given(NUMBERS, NUMBERS, st.floats(0, 50), st.floats(0, 50), NUMBERS, NUMBERS)
def test_everything_is_inside_the_chart(
    value: float | None, limit: float | None, to_pass: float, to_fail: float, low: float | None, high: float | None
) -> None:
    verdict = Verdict(
        "g", "inconclusive", value, limit, "", 9, evidence_to_pass=to_pass, evidence_to_fail=to_fail, low=low, high=high
    )
    picture = gate_chart(verdict, None)
    for place in (picture.value_at, picture.limit_at, *(picture.span or ())):
        assert place is None or 0 <= place <= WIDTH
    assert 0 <= picture.fail_percent <= 100
    assert 0 <= picture.pass_percent <= 100


def test_a_value_below_its_limit_stands_left_of_it() -> None:
    picture = gate_chart(VERDICTS[1], None)
    assert picture.value_at is not None
    assert picture.limit_at is not None
    assert picture.value_at < picture.limit_at


def test_the_confidence_sequence_is_drawn_around_the_value_and_said() -> None:
    verdict = replace(VERDICTS[1], value=0.9, limit=0.8, low=0.85, high=None)
    picture = gate_chart(verdict, None)
    assert picture.span is not None
    assert picture.value_at is not None
    assert picture.limit_at is not None
    assert picture.limit_at < picture.span[0] < picture.value_at < picture.span[1]
    assert picture.sentence.endswith(" The value is at least 0.85 (confidence sequence).")
    assert "at most 0.95" in gate_chart(replace(verdict, low=None, high=0.95), None).sentence
    assert "between 0.85 and 0.95" in gate_chart(replace(verdict, high=0.95), None).sentence
    assert gate_chart(replace(verdict, low=None), None).span is None


def test_the_sentence_says_how_many_samples_are_missing_and_when_they_are_there() -> None:
    text = sentence_of(VERDICTS[1], 3.2)
    assert text == "Undecided after 640 samples; it needs about 820 more, 14 h at 3.2 requests a second."


def test_without_an_estimate_the_sentence_says_so() -> None:
    assert "too early to say" in sentence_of(replace(VERDICTS[1], missing=None, eta_s=None), None)
    assert sentence_of(replace(VERDICTS[1], n=0), None) == "No data yet."
    assert sentence_of(VERDICTS[0], None) == "Decided: it passes, after 4,120 samples."
