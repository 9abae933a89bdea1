"""Answers with several choices: all of them count, in any order."""

from __future__ import annotations

import pytest

from scorer.scoring.answers import Choice, Expectation, Extracted, Surface, ToolCall
from scorer.scoring.compare import texts_to_embed
from tests.support.comparison_cases import compare_answers

RED = "The red house stands on the hill and has a garden with apple trees."
BLUE = "The blue boat lies in the harbour and needs a new coat of paint soon."
SORRY = "I'm sorry, but I can't help with that."


def answer(*choices: str | Choice) -> Extracted:
    made = tuple(Choice(one) if isinstance(one, str) else one for one in choices)
    return Extracted(Surface.OPENAI_CHAT, made)


def test_equal_choices_agree_in_any_order_and_need_no_embedding() -> None:
    assert compare_answers(answer(RED, BLUE), answer(BLUE, RED)).agreement == 1.0
    assert texts_to_embed("chat", Expectation(), answer(RED, BLUE), answer(BLUE, RED)) == ()


def test_a_refusal_in_the_second_choice_is_flagged() -> None:
    result = compare_answers(answer(RED, BLUE), answer(RED, SORRY))
    assert result.agreement == pytest.approx(0.5, abs=0.01)
    assert "refusal" in result.flags
    assert result.signals["refusal"] == 1.0
    assert result.details["refusal"].startswith("choice 2 of 2: ")


@pytest.mark.parametrize(("left", "right"), [((RED, BLUE), (RED,)), ((RED,), (RED, BLUE))])
def test_a_choice_of_one_side_only_lowers_the_agreement(left: tuple[str, ...], right: tuple[str, ...]) -> None:
    result = compare_answers(answer(*left), answer(*right))
    assert (result.agreement, result.signals["choices"]) == (0.5, 0.5)
    assert "choices" in result.flags


def test_tool_calls_of_every_choice_count() -> None:
    call, other = (Choice("", (ToolCall("pay", {"euros": n}),)) for n in (5, 50))
    assert compare_answers(answer(call, call), answer(call, call)).agreement == 1.0
    result = compare_answers(answer(call, call), answer(call, other))
    assert result.agreement == 0.75
    assert result.flags == ("arguments",)


def test_calls_are_exact_only_if_those_of_every_choice_are() -> None:
    call, other = (Choice("", (ToolCall("pay", {"euros": n}),)) for n in (5, 50))
    assert compare_answers(answer(call, call), answer(call, call)).signals["exact_call"] == 1.0
    assert compare_answers(answer(call, call), answer(call, other)).signals["exact_call"] == 0.0
    assert compare_answers(answer(call, call), answer(call)).signals["exact_call"] == 0.0
    assert "exact_call" not in compare_answers(answer(RED, BLUE), answer(RED)).signals
