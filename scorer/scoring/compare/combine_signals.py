"""Combine the similarity of two texts and their signals into one agreement (ADR 0215).

agreement = P(same meaning) × Π (1 − weight × divergence × relevance)

The probability depends on the differences in content, with weights that were learned from labelled pairs
(``calibrator/``). Each factor belongs to a signal about form, such as a refusal or a loop, which no labelled set
covers. A factor falls as the divergence of its signal rises. Texts without any difference have an agreement of 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from glidepath.agreement_weights import AgreementWeights, shipped_weights
from glidepath.config.comparison import CONTENT_SIGNALS, ScoringSection
from scorer.scoring.compare.calibrator.text_features import ComparedTexts, feature_values
from scorer.scoring.compare.noise_floor import NoiseFloor
from scorer.scoring.compare.result import Comparison, Signal, clamp
from scorer.scoring.compare.signals.document_pair import DocumentPair
from scorer.scoring.compare.text.parsed_document import ends_alike


@dataclass(frozen=True, slots=True)
class FoundDifferences:
    """Two texts and their signals. ``meaning``: their similarity in [0, 1], for the flag "meaning"."""

    pair: DocumentPair
    meaning: float
    signals: tuple[Signal, ...]


def combine(
    found: FoundDifferences,
    settings: ScoringSection,
    measures: dict[str, float],
    weights: AgreementWeights | None = None,
) -> Comparison:
    """Combine the differences of two texts into a comparison.

    ``measures`` are shown among the signals and do not change the agreement. ``weights``: None means the shipped
    weights.
    """
    signals = found.signals
    agreement = _agreement(found, settings, weights or shipped_weights())
    return Comparison(
        agreement=agreement,
        flags=_flags(found, settings, agreement),
        signals={**measures, **{s.name: round(s.divergence, 4) for s in signals}},
        details={s.name: s.reason for s in signals if s.reason and s.divergence > 0},
        spans={s.name: s.spans for s in signals if s.spans and s.divergence > 0},
    )


def compared_texts(found: FoundDifferences, settings: ScoringSection) -> ComparedTexts:
    """Return the texts with the effects of their content signals: the input of ``feature_values``.

    Signals with the weight 0 are left out.
    """
    weights = {s.name: settings.weight(s.name) for s in found.signals if s.name in CONTENT_SIGNALS}
    effects = {s.name: weights[s.name] * clamp(s.effect) for s in found.signals if weights.get(s.name)}
    return ComparedTexts(found.pair, effects)


def _agreement(found: FoundDifferences, settings: ScoringSection, weights: AgreementWeights) -> float:
    texts = compared_texts(found, settings)
    ends_differ = not ends_alike(found.pair.left, found.pair.right)  # in the parts that no signal reads
    differs = found.pair.alignment.edits or any(texts.effects.values()) or ends_differ
    return (weights.probability(feature_values(texts)) if differs else 1.0) * form_factor(found, settings)


def form_factor(found: FoundDifferences, settings: ScoringSection) -> float:
    """Return the product of the factors of all signals about form, in [0, 1]."""
    texts, factor = compared_texts(found, settings), 1.0
    for signal in found.signals:
        if signal.name not in CONTENT_SIGNALS:
            factor *= 1 - settings.weight(signal.name) * _form_effect(signal, texts)
    return factor


def _form_effect(signal: Signal, texts: ComparedTexts) -> float:
    """Return the effect of a signal about form.

    A text of a few words without a full stop may look truncated although it is complete. Therefore the effect of
    ``truncation`` is smaller for short texts, unless the provider reports the truncation.
    """
    reported = texts.pair.left.cut != texts.pair.right.cut
    return clamp(signal.effect) * (texts.substance() if signal.name == "truncation" and not reported else 1.0)


def _flags(found: FoundDifferences, settings: ScoringSection, agreement: float) -> tuple[str, ...]:
    """Return the flags. Different wording is flagged only if the agreement is also below ½."""
    flags = ["meaning"] if found.meaning < settings.flag_meaning else []
    reached = [s for s in found.signals if s.effect >= max(settings.flag_effect, 1e-9)]
    clear = [s for s in reached if s.name != "wording" or agreement < 0.5]
    return (*flags, *(f"baseline_{s.name}" if s.baseline_at_fault else s.name for s in clear))


def apply_noise_floor(signal: Signal, floor: NoiseFloor, overlap_relevance: float, limit: float) -> Signal:
    """Return the signal with a relevance that takes the workload's noise floor into account (ADR 0034).

    The rate of a signal is the share of the workload's NOISE pairs in which the signal diverges. If the rate is at most
    ``limit``, the relevance is raised to at least ``overlap_relevance``, which depends on the word overlap of the two
    texts. In every case, the relevance is multiplied by 1 − rate afterwards. If the noise floor is unknown, the
    relevance does not change.
    """
    relevance = signal.relevance
    if floor.rarely_diverges(signal.name, limit):
        relevance = max(relevance, overlap_relevance)
    return replace(signal, relevance=relevance * floor.kept_share(signal.name))
