"""Refuse scores that were not computed with the configured embedding model.

The cosines of two models have different scales, so their scores must not be averaged. Such scores arrive when a scorer
still runs with an older configuration. The engines of one model agree (docs/reference/embedding.md), so only the model
counts.
"""

from __future__ import annotations

from dataclasses import replace

from glidepath.pair_scores import ScoredPair

OTHER_EMBEDDER = "other_embedder"


def refuse_other_embedder(pair: ScoredPair, configured: str) -> ScoredPair:
    """Return the pair. Its score is removed if it was not computed with the model in ``configured``.

    ``configured`` and the pair's scorer have the form ENGINE:MODEL. A pair without the name of a model is returned
    unchanged.
    """
    models = {embedder.partition(":")[2] for embedder in (pair.scorer, configured)}
    if not pair.scored or "" in models or len(models) == 1:
        return pair
    return replace(pair, scored=False, unscored_reason=OTHER_EMBEDDER)
