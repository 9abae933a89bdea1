"""Operator signs that differ between short texts with the same words, and markup that makes no difference."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.scoring.compare.signals.operator_signs import MAX_WORDS, changed_operators
from tests.support.comparison_cases import compare_texts

DIFFERENT = [
    ("+", "-"), ("Operator: +", "Operator: -"), ("> 5", "5"), ("~5", "5"),
    ("!true", "true"), ("A*", "A"), ("<b>", "<i>"), ("((((", "))))"), ("=5", "5"), ("/", "\\"),
    ("The operator is `+`.", "The operator is `*`."),
]  # fmt: skip
EQUAL = [
    ("Set the \\_limit\\_ key.", "Set the _limit_ key."),
    ("It costs 5 \\* 3.", "It costs 5 * 3."),
    ("**bold**", "bold"), ("`+`", "+"), ("**+**", "+"), ("# Title\n\ntext", "Title\ntext"), ("- a\n- b", "a\nb"),
    ("* a\n* b", "- a\n- b"), ("+ a\n+ b", "- a\n- b"), ("1. a\n2. b", "1) a\n2) b"), ("Yes.", "Yes"),
    ("fine…", "fine..."), ("“a”", "a"), ("```python\nx = 1\n```", "x = 1"), ("a — b", "a, b"), ("_x_", "x"),
    ("> quote", "quote"), ("a | b\n--|--\n1 | 2", "a b\n1 2"), ("$5$", "5"), ("\\(x\\)", "x"), ("(a)", "a"),
    ("[x](http://a.b)", "x"), ("5 %", "5%"), ("1 + 1 = 2", "1+1=2"), ("2 * 3", "2 × 3"), ("x = 5", "x: 5"),
    ("+5", "5"), ("Paris!", "Paris."), ("***x***", "x"), ("**Answer:** B", "Answer: B"), ("—", "-"), ("---", "***"),
    ("~~a~~", "a"), ("x <= 5", "x ≤ 5"), ("<b>x</b>", "x"), ("a<br>b", "a b"),
]  # fmt: skip


@pytest.mark.parametrize(("left", "right"), DIFFERENT)
def test_another_operator_is_flagged_and_lowers_the_agreement_in_both_orders(left: str, right: str) -> None:
    for one, other in ((left, right), (right, left)):
        found = compare_texts(one, other, None)
        assert found.agreement < 0.5
        assert "operators" in found.flags
        assert "operators" in found.details


@pytest.mark.parametrize(("left", "right"), EQUAL)
def test_markup_and_punctuation_are_no_operators(left: str, right: str) -> None:
    assert changed_operators(left, right) == changed_operators(right, left) == []


def test_one_sign_counts_less_in_a_longer_text() -> None:
    agreements = [compare_texts(f"{'word ' * words}> 5", f"{'word ' * words}5", None).agreement for words in range(12)]
    assert agreements == sorted(agreements)
    assert agreements[0] < 0.5 < agreements[-1] < 1


def test_a_long_text_and_other_words_have_no_changed_operator() -> None:
    long = "word " * (MAX_WORDS + 1)
    assert changed_operators(f"> {long}", long) == []
    assert changed_operators("> 5", "6") == []


SIGNS = st.text("ab 1+-*/<>=~!`_#|&^\\()[]{}.:\n$", max_size=30)


@given(SIGNS, SIGNS)
def test_the_two_orders_find_the_same_signs(left: str, right: str) -> None:
    assert changed_operators(left, right) == [(a, b) for b, a in changed_operators(right, left)]
