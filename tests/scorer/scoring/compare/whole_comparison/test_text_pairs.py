"""Pairs of texts with the flags and the agreement that are expected; the pairs are data in cases/pairs/."""

from __future__ import annotations

import pytest

from tests.support.comparison_cases import TextPair, text_pairs


@pytest.mark.parametrize("pair", text_pairs())
def test_a_pair_of_texts_has_the_expected_result(pair: TextPair) -> None:
    pair.check()
