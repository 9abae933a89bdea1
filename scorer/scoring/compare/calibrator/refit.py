"""Fit the weights of the agreement to people's labels, starting from weights that were learned elsewhere (ADR 0216).

The known weights are the prior: few labels move them a little, many labels replace them. A weight keeps its sign, so
that a difference never raises the agreement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from glidepath.agreement_weights import FEATURE_SIGNS, AgreementWeights, FeatureWeight
from scorer.scoring.compare.calibrator.classifier_metrics import auc
from scorer.scoring.compare.calibrator.logistic_regression import Floats, Penalty, fit_logistic
from scorer.scoring.compare.calibrator.measured_pairs import Examples

# The strength of the prior. The two values were chosen on public labelled sets: on average, 5 labels do no harm, and 60
# labels give most of the gain that many labels give (docs/proof/agreement.md).
_TRUST, _TRUST_OF_FEW = 1.0, 10.0
_TRUST_IN_CONSTANT = 0.1  # relative to the other weights: people differ most in how strictly they judge
_FOLDS = 5
_BINS = 5
_NOISE = 1.645  # standard errors; if there is no true gain, the measured gain exceeds them in 5 % of files


@dataclass(frozen=True, slots=True)
class ReliabilityRow:
    """The pairs whose agreement is in [``low``, ``high``): their number, mean agreement, and share of label 1."""

    low: float
    high: float
    pairs: int
    agreement: float
    same: float


@dataclass(frozen=True, slots=True)
class Validation:
    """The quality of the agreement as a prediction of labels. ``loss``: the mean log loss, where lower is better.

    ``gain_noise``: by how much the loss of refitted weights may be lower by chance; 0 for the weights before the fit.
    """

    auc: float
    loss: float
    reliability: tuple[ReliabilityRow, ...]
    gain_noise: float = 0.0


def refit(base: AgreementWeights, labels: Examples, made: Mapping[str, Any]) -> AgreementWeights:
    """Return the weights that fit the labels, with ``base`` as the prior. ``made``: facts for people about the fit."""
    names = list(FEATURE_SIGNS)
    known = np.array([base.features[name].weight for name in names])
    middle = np.array([base.features[name].middle for name in names])
    spread = np.array([base.features[name].spread for name in names])
    rows = np.column_stack([(labels.values - middle) / spread, np.ones(len(labels.same))])
    prior = np.r_[known * spread, base.constant + known @ middle]
    trust = _TRUST + _TRUST_OF_FEW / max(len(labels.same), 1)
    signs = np.array([FEATURE_SIGNS[name] for name in names])
    penalty = Penalty(
        prior=prior,
        strength=np.r_[np.full(len(names), trust), trust * _TRUST_IN_CONSTANT],
        low=np.r_[np.where(signs > 0, 0.0, -np.inf), -np.inf],
        high=np.r_[np.where(signs < 0, 0.0, np.inf), np.inf],
    )
    fitted = fit_logistic(rows, labels.same, np.ones(len(labels.same)), penalty)
    weights = fitted[:-1] / spread
    features = {
        name: FeatureWeight(round(float(weights[i]), 4), float(middle[i]), float(spread[i]))
        for i, name in enumerate(names)
    }
    return AgreementWeights(round(float(fitted[-1] - weights @ middle), 4), features, made)


def validated(base: AgreementWeights, labels: Examples) -> tuple[Validation, Validation]:
    """Return how well ``base`` predicts the labels, and how well refitted weights predict labels left out of the fit.

    The second value uses cross-validation: each fifth of the labels is predicted by weights that were fitted to the
    others. ``labels`` needs both labels, each at least twice.
    """
    fold = _folds(labels)
    held = np.empty(len(labels.same))
    for one in range(_FOLDS):
        inside = fold == one
        if inside.any():
            weights = refit(base, labels.rows(np.flatnonzero(~inside)), {})
            held[inside] = labels.rows(np.flatnonzero(inside)).agreements(weights)
    known = labels.agreements(base)
    gains = _losses(known, labels.same) - _losses(held, labels.same)
    noise = _NOISE * float(np.std(gains, ddof=1)) / len(gains) ** 0.5
    return _validation(known, labels.same), _validation(held, labels.same, noise)


def _folds(labels: Examples) -> npt.NDArray[np.intp]:
    """Return the number of the fifth to which each pair belongs. With enough pairs, each fifth has both labels.

    Pairs with equal features are in the same fifth. Otherwise, weights would be validated with copies of pairs that
    they were fitted to.
    """
    _, first, place = np.unique(labels.values, axis=0, return_index=True, return_inverse=True)
    leader = first[place.ravel()]  # for each pair, the index of the first pair with equal features
    leads = leader == np.arange(len(leader))
    fold = np.zeros(len(leader), dtype=np.intp)
    for label in (0.0, 1.0):
        rows = np.flatnonzero(leads & (labels.same == label))
        fold[np.random.default_rng(0).permutation(rows)] = np.arange(len(rows)) % _FOLDS
    return fold[leader]


def _losses(agreements: Floats, same: Floats) -> Floats:
    stated = np.clip(agreements, 1e-6, 1 - 1e-6)
    losses: Floats = -(same * np.log(stated) + (1 - same) * np.log(1 - stated))
    return losses


def _validation(agreements: Floats, same: Floats, gain_noise: float = 0.0) -> Validation:
    loss = float(np.mean(_losses(agreements, same)))
    return Validation(auc(agreements, same), loss, tuple(_reliability(agreements, same)), gain_noise)


def _reliability(agreements: Floats, same: Floats) -> list[ReliabilityRow]:
    place = np.minimum((agreements * _BINS).astype(int), _BINS - 1)
    return [
        ReliabilityRow(
            i / _BINS, (i + 1) / _BINS, int(rows.sum()), float(agreements[rows].mean()), float(same[rows].mean())
        )
        for i in range(_BINS)
        if (rows := place == i).any()
    ]
