"""The final answer of a text: the forms that are read, and similar forms that are not. The pairs are in cases/pairs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.scoring.compare.signals.document_pair import DocumentPair
from scorer.scoring.compare.signals.final_answers import AnswerKind, final_answer, final_answers
from scorer.scoring.compare.text.parsed_document import Document


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Paris is the capital of France.",
        "#### 2 Steps to follow\nFirst, open the lid.",
        "No problem! I can do that.",
        "Yes and no: it depends on the year.",
        "No, wait. Yes, it does.",
        "The answer is A dog and a cat.",
        "The answer is 5 to 10.",
        "The answer is between 5 and 10.",
        "The answer is 3 pm.",
        "The answer is 2024-03-05.",
        "The answer is 1.2.3",
        "The answer is I think 5",
        "The answer is Paris.",
        "The answer is C++.",
        "\\boxed{",
        "\\boxed{}",
        "A. First, open the lid.\nB. Then close it.",
        "I have 3 cats.",
    ],
)
def test_what_is_uncertain_is_no_final_answer(text: str) -> None:
    assert final_answer(text) is None


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("The answer is B.", "The answer is 42."),
        ("The answer is 42.", "It is hard to say."),
        ("Yes, because the lid is open.", "Yes, because the light is on."),
        ("(C) 12", "(C) 21"),
        ("Answer: 5\n\nAnswer: 7", "Answer: 6\n\nAnswer: 7"),
        ("The answer is 5 ducks and 3 geese.", "The answer is 5 ducks and 4 geese."),
    ],
)
def test_answers_that_cannot_be_compared_for_certain_have_no_signal(left: str, right: str) -> None:
    assert final_answers(DocumentPair(Document(left), Document(right))) is None


def test_the_span_of_the_answer_is_its_place_in_the_text() -> None:
    text = "We add them.\n\nThe final answer is **1,350 dollars**."
    found = final_answer(text)
    assert found is not None
    assert text[found.start : found.end] == "1,350 dollars"
    assert found.kind is AnswerKind.NUMBER


@given(st.integers(-(10**12), 10**12), st.sampled_from(["The answer is {}.", "#### {}", "\\boxed{{{}}}", "{}"]))
def test_a_number_equals_itself_with_separators_in_every_form(number: int, form: str) -> None:
    left, right = Document(f"So.\nThe answer is {number}."), Document(form.format(f"{number:,}"))
    signal = final_answers(DocumentPair(left, right))
    assert signal is not None
    assert signal.divergence == 0


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_two_numbers_have_the_signal_of_their_equality_in_both_orders(one: int, other: int) -> None:
    sides = Document(f"The answer is {one}."), Document(f"Hence \\boxed{{{other}}}.")
    for left, right in (sides, sides[::-1]):
        signal = final_answers(DocumentPair(left, right))
        assert signal is not None
        assert signal.divergence == float(one != other)


@given(st.text(alphabet="The answer is#\\boxed{}()=0123456789.,/%$ABEIYesNo\n-–:*", max_size=200))
def test_any_text_has_a_final_answer_within_the_text_or_none(text: str) -> None:
    found = final_answer(text)
    assert found is None or 0 <= found.start < found.end <= len(text)


@pytest.mark.parametrize("part", ["The answer is = ", "answer: 5 ", "\\boxed{", "#### ", "= 1 ", "Answer: ((("])
def test_a_long_text_of_declarations_is_read_at_once(part: str) -> None:
    final_answer(part * 20_000)
