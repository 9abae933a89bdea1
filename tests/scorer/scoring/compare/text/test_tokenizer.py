"""The keys of tokens."""

from __future__ import annotations

import pytest

from scorer.scoring.compare.text.tokenizer import tokenize
from tests.support.comparison_cases import cases


@pytest.mark.parametrize(("one", "other"), cases("tokens.yaml", "equal_keys"))
def test_two_forms_of_the_same_thing_have_the_same_key(one: str, other: str) -> None:
    assert [t.key for t in tokenize(one)] == [t.key for t in tokenize(other)]


def test_different_numbers_have_different_keys() -> None:
    keys = [
        "".join(t.key for t in tokenize(f"at {n} units"))
        for n in ("5", "-5", "5.1", "50", "5 million", "5 billion", "05:30")
    ]
    assert len(set(keys)) == len(keys)


def test_a_decimal_comma_is_read_only_in_languages_that_have_one() -> None:
    assert [t.key for t in tokenize("It is 1.500 here and 3,4 there.")][2::3] == ["1.5", "3"]
    assert "3.5" in [t.key for t in tokenize("Das ist der Preis und die 3,5 sind nicht viel.")]
