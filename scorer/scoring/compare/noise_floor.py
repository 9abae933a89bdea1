"""The noise floor: how often the baseline diverges from itself, signal by signal.

Diffy's idea, for meaning: a signal that two answers of the *same* side trip is natural in this workload, so it says
less
about the candidate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from glidepath.domain import TRIP, add_counts
from scorer.scoring.compare.result import clamp

MIN_PAIRS = 30  # below it nothing is known about the floor


@dataclass(frozen=True, slots=True)
class NoiseFloor:
    """Counts over NOISE pairs; mergeable with ``+``. ``agreement_sum`` is that of the same pairs."""

    pairs: int = 0
    trips: Mapping[str, int] = field(default_factory=dict)
    agreement_sum: float = 0.0

    def __add__(self, other: NoiseFloor) -> NoiseFloor:
        return NoiseFloor(
            self.pairs + other.pairs, add_counts(self.trips, other.trips), self.agreement_sum + other.agreement_sum
        )

    def fold(self, signals: Mapping[str, float], agreement: float) -> NoiseFloor:
        """One more pair of answers of the same side (ScoredPair.signals and .agreement of a NOISE pair)."""
        tripped = {name: 1 for name, divergence in signals.items() if divergence >= TRIP}
        return self + NoiseFloor(1, tripped, agreement)

    def rate(self, signal: str) -> float:
        """How often the baseline trips ``signal`` against itself; 0 while there are no pairs."""
        return self.trips.get(signal, 0) / self.pairs if self.pairs else 0.0

    @property
    def agreement(self) -> float | None:
        return self.agreement_sum / self.pairs if self.pairs else None

    @property
    def known(self) -> bool:
        return self.pairs >= MIN_PAIRS

    def discount(self, signal: str) -> float:
        """The share of its weight that a signal keeps: 1 while nothing is known, less the more the baseline trips
        it.
        """
        return clamp(1 - self.rate(signal)) if self.known else 1.0

    def quiet(self, signal: str, limit: float) -> bool:
        """Whether the baseline is known to trip ``signal`` at most at the rate ``limit``."""
        return self.known and self.rate(signal) <= limit

    def to_json(self) -> dict[str, Any]:
        return {"pairs": self.pairs, "trips": dict(self.trips), "agreement_sum": self.agreement_sum}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> NoiseFloor:
        trips = {str(k): int(v) for k, v in dict(raw.get("trips", {})).items()}
        return cls(int(raw.get("pairs", 0)), trips, float(raw.get("agreement_sum", 0.0)))


UNKNOWN = NoiseFloor()
