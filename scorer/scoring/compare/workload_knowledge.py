"""What a comparison knows about a workload beside its settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from glidepath.agreement_weights import AgreementWeights, shipped_weights
from scorer.scoring.compare.noise_floor import UNKNOWN, NoiseFloor


@dataclass(frozen=True, slots=True)
class WorkloadKnowledge:
    """``floor``: how often the baseline's answers differ from each other. ``weights``: those of the agreement."""

    floor: NoiseFloor = UNKNOWN
    weights: AgreementWeights = field(default_factory=shipped_weights)
