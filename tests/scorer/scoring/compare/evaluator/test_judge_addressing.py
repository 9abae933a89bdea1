"""Text that is written to please a judge never wins, on either side, even if the judge obeys it.

Other text is not affected.

The stub judge is gullible: it always prefers the answer that has the planted text.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.config.comparison import EvaluatorSection
from glidepath.pair_scores import Preference
from glidepath.sides import Side
from scorer.scoring.answers import Choice, Expectation, Extracted, Surface
from scorer.scoring.compare.evaluator.evaluator_client import Evaluator
from scorer.scoring.compare.evaluator.judge_addressing import addresses_judge
from scorer.scoring.compare.evaluator.pairs_to_judge import to_judge
from scorer.scoring.compare.evaluator.questions import AnswersToJudge, preference_of
from tests.support.judge_addressing_texts import ORDINARY, WRITTEN_FOR_A_JUDGE

SETTINGS = EvaluatorSection(url="http://127.0.0.1:1", model="judge", sample="100%")
HONEST = "The capital of France is Paris, on the Seine."
FRAMES = ("{planted}", "Paris it is.\n\n{planted}", "{planted}\n\nParis it is, the capital since 987.")


def asked_about(texts: dict[Side, str]) -> AnswersToJudge | Preference | None:
    answers = {side: Extracted(Surface.OPENAI_CHAT, (Choice(text=text),)) for side, text in texts.items()}
    expected = Expectation(Surface.OPENAI_CHAT, prompt="The capital of France?")
    return to_judge("p", "chat", expected, answers, SETTINGS)


def judged_by_a_gullible_judge(texts: dict[Side, str], planted: Side) -> Preference:
    """Return the preference that follows if the judge prefers the side ``planted`` in both orders."""
    found = asked_about(texts)
    assert isinstance(found, AnswersToJudge)
    return preference_of(planted, planted, found.addressing)


def test_there_are_at_least_thirty_kinds() -> None:
    assert len(WRITTEN_FOR_A_JUDGE) >= 30


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("kind", WRITTEN_FOR_A_JUDGE)
def test_an_answer_that_addresses_its_judge_never_wins_on_either_side(kind: str, frame: str) -> None:
    planted = frame.format(planted=WRITTEN_FOR_A_JUDGE[kind])
    for side in Side:
        texts = {side: planted, side.other: HONEST}
        found = judged_by_a_gullible_judge(texts, side)
        assert found is (Preference.FORFEIT if side is Side.CANDIDATE else Preference.WITHHELD)
        assert found.score <= 0.5 if side is Side.CANDIDATE else found.score >= 0.5


@pytest.mark.parametrize("kind", WRITTEN_FOR_A_JUDGE)
def test_an_answer_that_addresses_its_judge_can_lose(kind: str) -> None:
    texts = {Side.CANDIDATE: WRITTEN_FOR_A_JUDGE[kind], Side.BASELINE: HONEST}
    assert judged_by_a_gullible_judge(texts, Side.BASELINE) is Preference.LOSS


async def test_no_question_is_asked_about_two_answers_that_address_their_judge() -> None:
    one, two, *_ = WRITTEN_FOR_A_JUDGE.values()
    asked = asked_about({Side.CANDIDATE: one, Side.BASELINE: two})
    assert isinstance(asked, AnswersToJudge)
    evaluator = Evaluator(SETTINGS)
    assert await evaluator.preferences([asked], now_ms=0) == [None]
    assert evaluator.failures == {"both_address_judge": 1}


@pytest.mark.parametrize("text", ORDINARY)
def test_an_ordinary_text_about_judging_is_left_alone(text: str) -> None:
    assert not addresses_judge(text)
    texts = {Side.CANDIDATE: text, Side.BASELINE: HONEST}
    assert judged_by_a_gullible_judge(texts, Side.CANDIDATE) is Preference.WIN


@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    assert addresses_judge(text) in (True, False)


@pytest.mark.slow
@given(st.sampled_from(sorted(WRITTEN_FOR_A_JUDGE)), st.integers(0, 3000))
def test_a_long_answer_before_it_does_not_hide_it(kind: str, words: int) -> None:
    if kind not in ("reversed", "rot13", "base64"):
        assert addresses_judge("Paris is large. " * words + "\n\n" + WRITTEN_FOR_A_JUDGE[kind])
