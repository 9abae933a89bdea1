"""Combine the similarity of two texts and their signals into one agreement (ADR 0033).

The formula is: agreement = similarity × Π (1 − weight × divergence × relevance), with one factor for each signal. A
factor falls as the divergence of its signal rises. The agreement is 1 only if the similarity and all factors are 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from glidepath.config.comparison import ScoringSection
from scorer.scoring.compare.noise_floor import NoiseFloor
from scorer.scoring.compare.result import Comparison, Signal, clamp


def combine(
    similarity: float, signals: Iterable[Signal], settings: ScoringSection, extra: dict[str, float] | None = None
) -> Comparison:
    """Combine the similarity of two texts, in [0, 1], and their signals into a comparison.

    ``extra`` contains further measures that are shown among the signals but do not change the agreement.
    """
    found = list(signals)
    agreement = clamp(similarity)
    for signal in found:
        agreement *= 1 - settings.weight(signal.name) * clamp(signal.effect)
    return Comparison(
        agreement=agreement,
        flags=_flags(similarity, found, settings),
        signals={**(extra or {}), **{s.name: round(s.divergence, 4) for s in found}},
        details={s.name: s.reason for s in found if s.reason and s.divergence > 0},
        spans={s.name: s.spans for s in found if s.spans and s.divergence > 0},
    )


def _flags(similarity: float, signals: Sequence[Signal], settings: ScoringSection) -> tuple[str, ...]:
    flags = ["meaning"] if similarity < settings.flag_meaning else []
    reached = [s for s in signals if s.effect >= max(settings.flag_effect, 1e-9)]
    return (*flags, *(f"baseline_{s.name}" if s.baseline_at_fault else s.name for s in reached))


def apply_noise_floor(signal: Signal, floor: NoiseFloor, overlap_relevance: float, limit: float) -> Signal:
    """Return the signal with a relevance that takes the workload's noise floor into account (ADR 0034).

    The rate of a signal is the share of the workload's NOISE pairs in which the signal diverges. If the rate is at most
    ``limit``, the relevance is raised to at least ``overlap_relevance``, which depends on the word overlap of the two
    texts. In every case, the relevance is multiplied by 1 − rate afterwards. If the noise floor is unknown, the
    relevance does not change.
    """
    relevance = signal.relevance
    if floor.rarely_trips(signal.name, limit):
        relevance = max(relevance, overlap_relevance)
    return replace(signal, relevance=relevance * floor.kept_share(signal.name))
