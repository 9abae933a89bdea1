"""Nouns after a number, in the singular or in the plural."""

from __future__ import annotations

import pytest

from glidepath.pluralization import number_of


@pytest.mark.parametrize(("count", "text"), [(0, "0 Envoys"), (1, "1 Envoy"), (2, "2 Envoys")])
def test_one_thing_is_singular(count: int, text: str) -> None:
    assert number_of(count, "Envoy") == text
