"""The definition of latency: from the end of the request, and never negative."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from glidepath.latency import waited, waited_ms

TIMES = st.integers(-(2**40), 2**40).map(float)
MAYBE = st.none() | TIMES


@given(TIMES, st.integers(0, 2**40), st.integers(-(2**40), 2**40))
def test_latency_is_the_time_from_the_end_of_the_request_whenever_that_was(end: float, wait: int, shift: int) -> None:
    assert waited(end, end + wait) == waited(end + shift, end + shift + wait) == wait


@given(MAYBE, MAYBE)
def test_latency_is_none_for_an_unknown_time_and_for_an_answer_before_the_end_of_the_request(
    end: float | None, answer: float | None
) -> None:
    known = end is not None and answer is not None and answer >= end
    found = waited(end, answer)
    assert (found is not None) == known
    assert found is None or found >= 0


@given(MAYBE, MAYBE)
def test_in_milliseconds_an_unknown_latency_is_0(end: float | None, answer: float | None) -> None:
    assert waited_ms(end, answer) == (waited(end, answer) or 0.0) * 1000
