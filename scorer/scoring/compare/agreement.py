"""One number from many signals: agreement = likeness of meaning × Π (1 − weight × divergence × bearing).

Each factor falls as its signal rises, so agreement is monotone in every signal; it is 1 exactly when nothing diverges.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from glidepath.config.comparison import ScoringSection
from scorer.scoring.compare.noise_floor import NoiseFloor
from scorer.scoring.compare.result import Comparison, Signal, clamp


def combine(
    likeness: float, signals: Iterable[Signal], settings: ScoringSection, extra: dict[str, float] | None = None
) -> Comparison:
    """``likeness`` in [0, 1] is what the answers share; ``extra`` are measures that are shown but not weighed again."""
    found = list(signals)
    agreement = clamp(likeness)
    for signal in found:
        agreement *= 1 - settings.weight(signal.name) * clamp(signal.effect)
    return Comparison(
        agreement=agreement,
        flags=_flags(likeness, found, settings),
        signals={**(extra or {}), **{s.name: round(s.divergence, 4) for s in found}},
        details={s.name: s.why for s in found if s.why and s.divergence > 0},
    )


def _flags(likeness: float, signals: Sequence[Signal], settings: ScoringSection) -> tuple[str, ...]:
    flags = ["meaning"] if likeness < settings.flag_meaning else []
    reached = [s for s in signals if s.effect >= max(settings.flag_effect, 1e-9)]
    return (*flags, *(f"baseline_{s.name}" if s.baseline_at_fault else s.name for s in reached))


def against_floor(signal: Signal, floor: NoiseFloor, likeness_bearing: float, limit: float) -> Signal:
    """The signal's bearing once the workload's noise floor is known.

    Where the baseline hardly ever trips it, ``likeness_bearing`` (a more generous closeness) takes the place of a
    smaller
    bearing; where it often does, the bearing falls by that rate.
    """
    bearing = max(signal.bearing, likeness_bearing) if floor.quiet(signal.name, limit) else signal.bearing
    return replace(signal, bearing=bearing * floor.discount(signal.name))
