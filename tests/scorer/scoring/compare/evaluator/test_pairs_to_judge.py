"""The pairs that the evaluator judges: a uniform sample of the pairs of free text."""

from __future__ import annotations

import pytest

from glidepath.config.comparison import EvaluatorSection, Task
from glidepath.pair_scores import Preference
from glidepath.sides import Side
from scorer.scoring.answers import Choice, Expectation, Extracted, Surface, ToolCall
from scorer.scoring.compare.evaluator.pairs_to_judge import to_judge
from scorer.scoring.compare.evaluator.questions import AnswersToJudge

SETTINGS = EvaluatorSection(url="http://127.0.0.1:1", model="judge", sample="100%", max_chars=200)
ASKED = Expectation(Surface.OPENAI_CHAT, prompt="How much?")


def answer(*texts: str, **fields: object) -> Extracted:
    return Extracted(Surface.OPENAI_CHAT, tuple(Choice(text=text, **fields) for text in texts))  # type: ignore[arg-type]


def judged(baseline: Extracted, candidate: Extracted, task: Task = "chat") -> AnswersToJudge | Preference | None:
    return to_judge("p", task, ASKED, {Side.BASELINE: baseline, Side.CANDIDATE: candidate}, SETTINGS)


def test_different_answers_are_judged_and_long_ones_are_cut() -> None:
    found = judged(answer("It costs 40."), answer("B " * 900))
    assert isinstance(found, AnswersToJudge)
    assert (found.prompt, found.baseline, len(found.candidate)) == ("How much?", "It costs 40.", 200)


def test_answers_that_mean_the_same_by_their_canonical_text_are_a_tie_without_a_question() -> None:
    assert judged(answer("It costs 40."), answer("**It costs 40.**")) is Preference.TIE


@pytest.mark.parametrize(("baseline", "candidate"), [("Operator: +", "Operator: -"), ("> 5", "5"), ("<b>", "<i>")])
def test_answers_with_another_operator_are_judged(baseline: str, candidate: str) -> None:
    assert isinstance(judged(answer(baseline), answer(candidate)), AnswersToJudge)


def test_a_refusal_is_an_answer() -> None:
    assert isinstance(judged(answer("40."), answer("", refusal="I cannot say.")), AnswersToJudge)


@pytest.mark.parametrize(
    ("candidate", "task"),
    [
        (answer("40."), "classification"),
        (answer("40."), "tools"),
        (answer("  "), "chat"),
        (answer(), "chat"),
        (answer("one", "two"), "chat"),
        (answer("so", tool_calls=(ToolCall("f", {}),)), "chat"),
    ],
)
def test_what_is_no_single_free_text_is_not_judged(candidate: Extracted, task: Task) -> None:
    assert judged(answer("It costs 40."), candidate, task) is None
