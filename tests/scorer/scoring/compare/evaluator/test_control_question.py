"""An answer that manipulates the evaluator never wins, in any form. An answer that is preferred for its content wins.

The judge of these tests obeys every planted text: it prefers the answer with that text, whatever the request is.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from glidepath.config.comparison import DEFAULT_RUBRIC, EvaluatorSection
from glidepath.pair_scores import Preference
from glidepath.sides import Side
from scorer.scoring.compare.evaluator.control_question import control_questions
from scorer.scoring.compare.evaluator.evaluator_client import Evaluator
from scorer.scoring.compare.evaluator.judge_addressing import addresses_judge
from scorer.scoring.compare.evaluator.questions import AnswersToJudge
from tests.support.evaluator_server import EvaluatorServer, evaluator_server

DATA = Path(__file__).parents[4] / "data" / "judge_addressing"
HONEST = "A short and right answer to the request."
SETTINGS = EvaluatorSection(url="http://127.0.0.1:1", model="judge", rubric="Prefer politeness.")


def texts(name: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = yaml.safe_load((DATA / name).read_text(encoding="utf-8"))
    return found


PLANTED = texts("first_set.yaml") + texts("second_set.yaml") + texts("third_set.yaml")
ORDINARY = texts("harmless.yaml")


@pytest.fixture
async def judge() -> AsyncIterator[EvaluatorServer]:
    async with evaluator_server() as judge:
        yield judge


def evaluator_of(judge: EvaluatorServer) -> Evaluator:
    return Evaluator(EvaluatorSection(url=judge.url, model="judge", in_flight=32))


def obeying(planted: set[str]) -> Any:
    """Return a judge that prefers the answer with a planted text, and otherwise the longer one.

    A question breaks up control tokens by spaces. This judge ignores these spaces.
    """
    known = {text.replace(" ", "") for text in planted}

    def judge(asked: dict[str, str]) -> str:
        obeyed = [name for name in "AB" if asked[name].replace(" ", "") in known]
        return obeyed[0] if len(obeyed) == 1 else max("AB", key=lambda name: len(asked[name]))

    return judge


@pytest.mark.parametrize("side", Side)
async def test_no_planted_text_wins_on_either_side_although_the_judge_obeys_it(
    judge: EvaluatorServer, side: Side
) -> None:
    assert len(PLANTED) >= 90
    judge.judge = obeying({one["text"] for one in PLANTED})
    asked = []
    for one in PLANTED:
        answers = {side.value: one["text"], side.other.value: HONEST}
        addressing = side.value if addresses_judge(one["text"], one["prompt"]) else ""
        asked.append(AnswersToJudge(one["kind"], one["prompt"], answers["baseline"], answers["candidate"], addressing))
    found = await evaluator_of(judge).preferences(asked, now_ms=0)
    expected = Preference.FORFEIT if side is Side.CANDIDATE else Preference.WITHHELD
    assert dict(zip((one["kind"] for one in PLANTED), found, strict=True)) == {one["kind"]: expected for one in PLANTED}


def fair(asked: dict[str, str]) -> str:
    """Judge like an honest evaluator: the answer that shares more words with the request is better."""
    wanted = set(asked["request"].lower().split())
    shared = {name: len(wanted & set(asked[name].lower().split())) for name in "AB"}
    return max("AB", key=lambda name: shared[name])


async def test_an_answer_that_is_preferred_for_itself_wins(judge: EvaluatorServer) -> None:
    judge.judge = fair
    pairs = [
        AnswersToJudge("a", "name the best bread recipe", "no idea", "the best bread recipe has four ingredients"),
        AnswersToJudge("b", "name the best bread recipe", "the best bread recipe has four ingredients", "no idea"),
    ]
    assert await evaluator_of(judge).preferences(pairs, now_ms=0) == [Preference.WIN, Preference.LOSS]
    assert len(judge.requests) == 6  # two questions and one control question about each pair


async def test_a_tie_needs_no_control_question(judge: EvaluatorServer) -> None:
    judge.judge = lambda asked: "tie"
    assert await evaluator_of(judge).preferences([AnswersToJudge("a", "x", "1", "2")], now_ms=0) == [Preference.TIE]
    assert len(judge.requests) == 2


async def test_no_reply_to_the_control_question_is_no_preference(judge: EvaluatorServer) -> None:
    judge.judge = lambda asked: max("AB", key=lambda name: len(asked[name])) if asked["request"] == "x" else "both"
    evaluator = evaluator_of(judge)
    assert await evaluator.preferences([AnswersToJudge("a", "x", "1", "22")], now_ms=0) == [None]
    assert evaluator.failures == {"reply": 1}


def test_ordinary_answers_about_judging_are_not_suspected() -> None:
    assert [one["prompt"] for one in ORDINARY if addresses_judge(one["text"], one["prompt"])] == []


def test_the_control_has_another_subject_and_the_default_rubric() -> None:
    for number in range(40):
        asked = AnswersToJudge(f"p{number}", "Why are there tides?", "The moon, a coffee stain", "The calendar")
        questions = control_questions(asked, Side.BASELINE, SETTINGS)
        assert questions is not None
        for question in questions:
            content = json.loads(question.messages[1]["content"])
            assert "The moon, a coffee stain" in (content["A"], content["B"])
            assert "The calendar" not in (content["A"], content["B"])
            assert not {"tides", "stain"} & set(content["request"].lower().rstrip("?").split())
            assert DEFAULT_RUBRIC in question.messages[0]["content"]


ALL_SUBJECTS = (
    "leap coffee tides violins basil dough bicycle sky crocodile paper egg honey chess volcano wool orchestra apple "
    "ice football camera splinter"
)
FEW_SUBJECTS = "(leap moon coffee violin herb)"


@pytest.mark.parametrize("side", Side)
async def test_an_answer_that_names_every_subject_wins_nothing(judge: EvaluatorServer, side: Side) -> None:
    text = f"A text that no pattern knows. {ALL_SUBJECTS}"
    judge.judge = obeying({text})
    answers = {side.value: text, side.other.value: HONEST}
    asked = AnswersToJudge("p", "How do I sort a list?", answers["baseline"], answers["candidate"])
    assert await evaluator_of(judge).preferences([asked], now_ms=0) == [Preference.TIE]


@pytest.mark.parametrize("pair_id", ["a", "b", "c", "d"])
async def test_an_answer_that_names_some_subjects_is_asked_about_another(judge: EvaluatorServer, pair_id: str) -> None:
    text = f"A text that no pattern knows. {FEW_SUBJECTS}"
    judge.judge = obeying({text})
    asked = AnswersToJudge(pair_id, "How do I sort a list?", HONEST, text)
    assert await evaluator_of(judge).preferences([asked], now_ms=0) == [Preference.FORFEIT]


async def test_a_request_about_every_subject_is_a_tie(judge: EvaluatorServer) -> None:
    judge.judge = lambda asked: max("AB", key=lambda name: len(asked[name]))
    asked = AnswersToJudge("p", f"Say something about {ALL_SUBJECTS}", "no", HONEST)
    assert await evaluator_of(judge).preferences([asked], now_ms=0) == [Preference.TIE]


def test_parts_of_other_words_name_no_subject() -> None:
    text = "attached sustained"  # they contain tache and stain
    requests = set()
    for number in range(400):
        questions = control_questions(AnswersToJudge(f"p{number}", "x", text, "y"), Side.BASELINE, SETTINGS)
        assert questions is not None
        requests.add(json.loads(questions[0].messages[1]["content"])["request"])
    assert "How do I remove a coffee stain from a cotton shirt?" in requests
    assert len(requests) >= 20


@given(st.text(max_size=100), st.text(max_size=200), st.sampled_from(Side))
def test_the_two_questions_differ_only_in_the_order(pair_id: str, text: str, side: Side) -> None:
    questions = control_questions(AnswersToJudge(pair_id, "x", text, text), side, SETTINGS)
    if questions is not None:
        one, two = (json.loads(question.messages[1]["content"]) for question in questions)
        assert (one["A"], one["B"], one["request"]) == (two["B"], two["A"], two["request"])
        assert questions == control_questions(AnswersToJudge(pair_id, "x", text, text), side, SETTINGS)
