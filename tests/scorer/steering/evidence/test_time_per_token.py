"""The time per token of a pair: with usage, without usage, and without any text to count."""

from __future__ import annotations

import pytest

from glidepath.histogram import bucket_of
from glidepath.pair_scores import AnswerFacts
from scorer.steering.evidence.gate_observations import LatencyHistograms, LatencyUnmeasured
from scorer.steering.evidence.time_per_token import time_per_token


def facts(ms: float = 1000.0, tokens: int = 0, chars: int = 0) -> AnswerFacts:
    return AnswerFacts(total_ms=ms, output_tokens=tokens, text_chars=chars)


def values(observed: object) -> tuple[int, int]:
    assert isinstance(observed, LatencyHistograms)
    ((own,), (base,)) = observed.candidate.counts, observed.baseline.counts
    return own, base


def test_the_usage_of_both_answers_counts_whatever_their_texts_are() -> None:
    (seen,) = time_per_token(facts(1000, 100, 1), facts(1000, 50, 4000))
    assert values(seen) == (bucket_of(10), bucket_of(20))


@pytest.mark.parametrize(("own", "base"), [(0, 50), (100, 0), (0, 0)])
def test_without_the_usage_of_one_answer_four_characters_are_a_token_in_both(own: int, base: int) -> None:
    note, seen = time_per_token(facts(1000, own, 400), facts(1000, base, 200))
    assert values(seen) == (bucket_of(10), bucket_of(20))
    assert note == LatencyUnmeasured("per_token", estimated=1)


@pytest.mark.parametrize(
    ("own", "base"), [(facts(0, 10, 40), facts(10, 10, 40)), (facts(10, 0, 0), facts(10, 10, 40)), (facts(), facts())]
)
def test_a_pair_without_a_time_or_without_text_and_tokens_has_no_value(own: AnswerFacts, base: AnswerFacts) -> None:
    assert time_per_token(own, base) == (LatencyUnmeasured("per_token", without=1),)
