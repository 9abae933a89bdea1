"""The noise floor of a workload: how often each signal diverges between two answers of the baseline to one request.

If two answers of the baseline often differ in one respect, a difference in that respect is weak evidence against the
candidate (ADR 0034). The idea comes from the tool Diffy. Here, it is applied to the meaning of answers. ADR 0039
explains where the pairs are counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from glidepath.outcome_summaries import add_counts
from glidepath.pair_scores import DIVERGED_AT, MIN_NOISE_PAIRS
from scorer.scoring.compare.result import clamp


@dataclass(frozen=True, slots=True)
class NoiseFloor:
    """Counts of the baseline's NOISE pairs, each of which has two answers of the baseline to one request.

    Two noise floors can be added with ``+``.

    - ``pairs``: the number of NOISE pairs.
    - ``diverged``: for each signal's name, the number of pairs in which the signal diverged.
    - ``agreement_sum``: the sum of the agreements of all pairs.
    """

    pairs: int = 0
    diverged: Mapping[str, int] = field(default_factory=dict)
    agreement_sum: float = 0.0

    def __add__(self, other: NoiseFloor) -> NoiseFloor:
        return NoiseFloor(
            self.pairs + other.pairs,
            add_counts(self.diverged, other.diverged),
            self.agreement_sum + other.agreement_sum,
        )

    def fold(self, signals: Mapping[str, float], agreement: float) -> NoiseFloor:
        """Return the noise floor with one more NOISE pair added.

        ``signals`` and ``agreement`` are the fields of the pair's ScoredPair.
        """
        diverged = {name: 1 for name, divergence in signals.items() if divergence >= DIVERGED_AT}
        return self + NoiseFloor(1, diverged, agreement)

    def rate(self, signal: str) -> float:
        """Return the share of NOISE pairs in which ``signal`` reached DIVERGED_AT, or 0 if there are no pairs."""
        return self.diverged.get(signal, 0) / self.pairs if self.pairs else 0.0

    @property
    def agreement(self) -> float | None:
        return self.agreement_sum / self.pairs if self.pairs else None

    @property
    def known(self) -> bool:
        return self.pairs >= MIN_NOISE_PAIRS

    def kept_share(self, signal: str) -> float:
        """Return the factor that scales a signal's relevance: 1 − the share of NOISE pairs in which it diverges.

        If this share is unknown because there are fewer than MIN_NOISE_PAIRS pairs, the factor is 1.
        """
        return clamp(1 - self.rate(signal)) if self.known else 1.0

    def rarely_diverges(self, signal: str, limit: float) -> bool:
        """Return whether the signal is known to diverge in at most ``limit`` (a share) of the NOISE pairs."""
        return self.known and self.rate(signal) <= limit

    def to_json(self) -> dict[str, Any]:
        return {"pairs": self.pairs, "diverged": dict(self.diverged), "agreement_sum": self.agreement_sum}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> NoiseFloor:
        diverged = {str(k): int(v) for k, v in dict(raw.get("diverged", {})).items()}
        return cls(int(raw.get("pairs", 0)), diverged, float(raw.get("agreement_sum", 0.0)))


UNKNOWN = NoiseFloor()
