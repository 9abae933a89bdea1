"""Tests of durations as text for people."""

from __future__ import annotations

import pytest

from glidepath.duration_text import duration_text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.001, "1 s"),
        (89.4, "89 s"),
        (90, "2 min"),
        (3599, "1 h"),
        (12_000, "3 h 20 min"),
        (172_799, "2 d"),
        (187_200, "2 d 4 h"),
    ],
)
def test_a_duration_has_at_most_two_units(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text
