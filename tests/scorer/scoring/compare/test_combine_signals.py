"""The agreement as a function of the signals."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glidepath.agreement_weights import shipped_weights
from glidepath.config.comparison import CONTENT_SIGNALS, DEFAULT_WEIGHTS, ScoringSection
from scorer.scoring.compare.combine_signals import FoundDifferences, combine
from scorer.scoring.compare.result import Comparison, Signal
from scorer.scoring.compare.signals.document_pair import DocumentPair
from scorer.scoring.compare.similarity.embedding_similarity import Similarity
from scorer.scoring.compare.text.parsed_document import Document

SETTINGS = ScoringSection()
LEFT = Document("The library lends maps and globes to every school in the district, free of charge, for six weeks.")
RIGHT = Document("The library lends maps and globes to every school in the region, free of charge, for six weeks.")


def compared(signals: dict[str, float], cosine: float = 0.95, settings: ScoringSection = SETTINGS) -> Comparison:
    found = [Signal(name, divergence) for name, divergence in signals.items()]
    pair = DocumentPair(LEFT, RIGHT, Similarity(cosine, cosine))
    return combine(FoundDifferences(pair, cosine, tuple(found)), settings, {})


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(
    st.floats(-1, 1),
    st.dictionaries(st.sampled_from(sorted(DEFAULT_WEIGHTS)), st.floats(0, 1), min_size=1),
    st.data(),
)
def test_agreement_never_rises_when_a_signal_does(
    cosine: float, divergences: dict[str, float], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(divergences)))
    more = data.draw(st.floats(divergences[name], 1))
    before, after = compared(divergences, cosine), compared({**divergences, name: more}, cosine)
    assert after.agreement <= before.agreement + 1e-12
    assert set(before.flags) <= set(after.flags)


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_agreement_never_falls_when_the_cosine_rises(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert compared({"names": 1.0}, high).agreement >= compared({"names": 1.0}, low).agreement


def test_signals_of_content_change_the_probability_and_signals_of_form_multiply_it() -> None:
    plain = compared({}).agreement
    assert compared({"refusal": 1.0}).agreement == pytest.approx(plain * 0.2)
    changed = compared({"numbers": 1.0}).agreement
    odds = (changed / (1 - changed)) / (plain / (1 - plain))
    assert odds == pytest.approx(math.exp(shipped_weights().features["numbers"].weight))


def test_a_weight_of_zero_removes_a_signal() -> None:
    for name in DEFAULT_WEIGHTS:
        silent = ScoringSection(weights={name: 0.0})
        assert compared({name: 1.0}, settings=silent).agreement == pytest.approx(compared({}).agreement)


def test_other_words_are_a_flag_only_if_the_agreement_is_low() -> None:
    assert compared({"wording": 1.0}, 0.98).agreement > 0.5
    assert compared({"wording": 1.0}, 0.98).flags == ()
    assert "wording" in compared({"wording": 1.0, "negation": 1.0}, 0.98).flags


def test_texts_without_any_difference_have_the_agreement_one() -> None:
    pair = DocumentPair(Document("Bring a coat."), Document("Bring a coat!"), Similarity(0.9, 0.9))
    found = FoundDifferences(pair, 0.9, (Signal("names", 0),))
    assert combine(found, SETTINGS, {}).agreement == 1.0


def test_an_early_end_of_a_short_text_counts_less_unless_the_provider_reports_it() -> None:
    a, b = Document("Bring a warm coat."), Document("Bring a warm")

    def agreement(right: Document) -> float:
        pair = DocumentPair(a, right, Similarity(0.9, 0.9))
        return combine(FoundDifferences(pair, 0.9, (Signal("truncation", 1.0),)), SETTINGS, {}).agreement

    assert agreement(Document(b.text, cut=True)) < agreement(b)


def test_every_signal_is_of_content_or_of_form() -> None:
    assert set(CONTENT_SIGNALS) < set(DEFAULT_WEIGHTS)
