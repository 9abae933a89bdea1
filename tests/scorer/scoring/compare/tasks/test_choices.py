"""Requests for several choices: all of them count, in whatever order."""

from __future__ import annotations

import numpy as np
import pytest

from glidepath.config.comparison import ScoringSection
from scorer.scoring.answers import Choice, Expectation, Extracted, Surface, ToolCall
from scorer.scoring.compare import Comparison, compare, texts_to_embed

SETTINGS = ScoringSection()
RED = "The red house stands on the hill and has a garden with apple trees."
BLUE = "The blue boat lies in the harbour and needs a new coat of paint soon."
SORRY = "I'm sorry, but I can't help with that."


def answer(*choices: str | Choice) -> Extracted:
    made = tuple(Choice(one) if isinstance(one, str) else one for one in choices)
    return Extracted(Surface.OPENAI_CHAT, made)


def compared(left: Extracted, right: Extracted) -> Comparison:
    texts = texts_to_embed("chat", Expectation(), left, right)
    rows = np.eye(max(len(texts), 1), dtype=np.float32)
    result = compare("chat", SETTINGS, Expectation(), left, right, {t: rows[i : i + 1] for i, t in enumerate(texts)})
    assert isinstance(result, Comparison)
    return result


def test_the_same_choices_agree_in_any_order_and_need_no_embedding() -> None:
    assert compared(answer(RED, BLUE), answer(BLUE, RED)).agreement == 1.0
    assert texts_to_embed("chat", Expectation(), answer(RED, BLUE), answer(BLUE, RED)) == ()


def test_a_second_choice_that_refuses_is_seen() -> None:
    result = compared(answer(RED, BLUE), answer(RED, SORRY))
    assert result.agreement == pytest.approx(0.5, abs=0.01)
    assert "refusal" in result.flags
    assert result.signals["refusal"] == 1.0
    assert result.details["refusal"].startswith("choice 2 of 2: ")


@pytest.mark.parametrize(("left", "right"), [((RED, BLUE), (RED,)), ((RED,), (RED, BLUE))])
def test_a_choice_that_only_one_side_has_counts(left: tuple[str, ...], right: tuple[str, ...]) -> None:
    result = compared(answer(*left), answer(*right))
    assert (result.agreement, result.signals["choices"]) == (0.5, 0.5)
    assert "choices" in result.flags


def test_tool_calls_of_every_choice_count() -> None:
    call, other = (Choice("", (ToolCall("pay", {"euros": n}),)) for n in (5, 50))
    assert compared(answer(call, call), answer(call, call)).agreement == 1.0
    result = compared(answer(call, call), answer(call, other))
    assert result.agreement == 0.75
    assert result.flags == ("arguments",)
