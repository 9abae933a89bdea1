"""Measure the features of pairs of texts, to learn weights from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from glidepath.agreement_weights import FEATURE_SIGNS, AgreementWeights
from glidepath.config.comparison import ScoringSection
from scorer.scoring.compare.calibrator.logistic_regression import Floats, probability
from scorer.scoring.compare.calibrator.text_features import feature_values
from scorer.scoring.compare.combine_signals import compared_texts, form_factor
from scorer.scoring.compare.noise_floor import UNKNOWN
from scorer.scoring.compare.result import Comparison
from scorer.scoring.compare.task_dispatch import text_similarity
from scorer.scoring.compare.tasks.free_text import found_differences, needs_embedding
from scorer.scoring.compare.text.parsed_document import Document
from scorer.scoring.embed import Embedder, VectorCache, embed_texts, traits_of


@dataclass(frozen=True, slots=True)
class Examples:
    """Labelled pairs as numbers, one row each. A pair whose agreement does not depend on the weights has no row.

    ``values``: [pairs, features], in the order of FEATURE_SIGNS. ``same``: 1 or 0. ``form``: the factor of the signals
    about form.
    """

    values: Floats
    same: Floats
    form: Floats

    def agreements(self, weights: AgreementWeights) -> Floats:
        by_name = np.array([weights.features[name].weight for name in FEATURE_SIGNS])
        return probability(self.values @ by_name + weights.constant) * self.form

    def rows(self, chosen: npt.NDArray[np.intp]) -> Examples:
        return Examples(self.values[chosen], self.same[chosen], self.form[chosen])


def measured(
    pairs: Iterable[tuple[str, str, bool]], embedder: Embedder, settings: ScoringSection | None = None
) -> Examples:
    """Measure pairs (left, right, same). A pair of equal texts, or of two refusals, is left out."""
    cache, section, cosine_map = VectorCache(), settings or ScoringSection(), traits_of(embedder).cosine_map
    rows = []
    for left_text, right_text, same in pairs:
        left, right = Document(left_text, beside=right_text), Document(right_text, beside=left_text)
        wanted = [left.canonical, right.canonical] if needs_embedding(left, right) else []
        vectors = dict(zip(wanted, embed_texts(embedder, wanted, cache), strict=True)) if wanted else {}
        found = found_differences(left, right, section, text_similarity(left, right, vectors, cosine_map), UNKNOWN)
        if not isinstance(found, Comparison):
            values = feature_values(compared_texts(found, section))
            rows.append([*(values[name] for name in FEATURE_SIGNS), float(same), form_factor(found, section)])
    table = np.array(rows, dtype=np.float64).reshape(len(rows), len(FEATURE_SIGNS) + 2)
    return Examples(table[:, :-2], table[:, -2], table[:, -1])
