"""The pairs that a verifier gets."""

from __future__ import annotations

import pytest

from glidepath.config.comparison import VerifierSection
from scorer.scoring.answers import Extracted, Surface
from scorer.scoring.answers.answer import Choice
from scorer.scoring.verify.pairs_to_verify import to_verify
from scorer.scoring.verify.verifier_messages import PairToVerify


def section(**settings: object) -> VerifierSection:
    return VerifierSection.model_validate({"command": ["verify"], **settings})


def pair(name: str, text: str = "Paris") -> PairToVerify:
    answer = Extracted(Surface.OPENAI_CHAT, (Choice(text),))
    return PairToVerify(name, "chat", "{}", answer, answer)


@pytest.mark.parametrize("share", ["10%", "100%"])
def test_pairs_are_drawn_evenly_and_always_in_the_same_way(share: str) -> None:
    settings = section(sample=share)
    drawn = [to_verify(pair(f"pair-{i}"), settings) is not None for i in range(2000)]
    assert abs(sum(drawn) / 2000 - settings.sample) < 0.03
    assert drawn == [to_verify(pair(f"pair-{i}"), settings) is not None for i in range(2000)]


def test_a_pair_that_is_too_large_has_no_message() -> None:
    settings = section(max_input="1KiB")
    small, large = to_verify(pair("p"), settings), to_verify(pair("p", "x" * 1024), settings)
    assert small is not None
    assert small.message
    assert large is not None
    assert large.message == ""
