"""The inputs of a comparison that are not in the configuration: noise floor, learned weights and cosine map."""

from __future__ import annotations

from dataclasses import dataclass, field

from glidepath.agreement_weights import AgreementWeights, shipped_weights
from scorer.scoring.compare.noise_floor import UNKNOWN, NoiseFloor
from scorer.scoring.embed.model_traits import SAME_SCALE, CosineMap


@dataclass(frozen=True, slots=True)
class LearnedParameters:
    """The inputs of a comparison in addition to the answers and the settings.

    ``floor``: how often the baseline's answers differ from each other. ``weights``: the weights of the agreement.
    ``cosine_map``: converts the cosines of the embedding model to the common scale.
    """

    floor: NoiseFloor = UNKNOWN
    weights: AgreementWeights = field(default_factory=shipped_weights)
    cosine_map: CosineMap = SAME_SCALE
