"""What a comparison knows about a workload beside its settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from glidepath.agreement_weights import AgreementWeights, shipped_weights
from scorer.scoring.compare.noise_floor import UNKNOWN, NoiseFloor
from scorer.scoring.embed.model_traits import SAME_SCALE, CosineMap


@dataclass(frozen=True, slots=True)
class WorkloadKnowledge:
    """What is known beside the answers.

    ``floor``: how often the baseline's answers differ from each other. ``weights``: those of the agreement.
    ``cosine_map``: gives the cosines of the embedding model their common scale.
    """

    floor: NoiseFloor = UNKNOWN
    weights: AgreementWeights = field(default_factory=shipped_weights)
    cosine_map: CosineMap = SAME_SCALE
