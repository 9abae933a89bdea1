"""Weights that are fitted to labels: they start from the prior, keep their signs, and follow enough labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glidepath.agreement_weights import FEATURE_SIGNS, shipped_weights
from scorer.scoring.compare.calibrator.classifier_metrics import auc
from scorer.scoring.compare.calibrator.measured_pairs import Examples
from scorer.scoring.compare.calibrator.refit import refit, validated

NAMES = list(FEATURE_SIGNS)
BASE = shipped_weights()


def labels(seed: int, n: int, by: str = "length") -> Examples:
    """Return pairs with random features, whose label depends on one feature that the shipped weights ignore."""
    rng = np.random.default_rng(seed)
    values = rng.random((n, len(NAMES)))
    values[:, NAMES.index("cosine")] = 0.9
    for other in NAMES[1:]:
        values[:, NAMES.index(other)] *= other == by
    same = (values[:, NAMES.index(by)] < 0.5).astype(float)
    same[:2], same[2:4] = 0, 1
    return Examples(values, same, np.ones(n))


def test_without_labels_the_weights_stay() -> None:
    none = Examples(np.empty((0, len(NAMES))), np.empty(0), np.empty(0))
    assert refit(BASE, none, {}).constant == pytest.approx(BASE.constant, abs=1e-3)


def test_few_labels_move_the_weights_less_than_many() -> None:
    few, many = (refit(BASE, labels(1, n), {}).features["length"].weight for n in (5, 200))
    assert many < few < 0.5
    assert many < -3


def test_labels_teach_what_the_shipped_weights_ignore() -> None:
    held = labels(2, 300)
    before, after = (auc(held.agreements(w), held.same) for w in (BASE, refit(BASE, labels(3, 60), {})))
    assert before < 0.6
    assert after > 0.9


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(4, 80), st.sampled_from(NAMES))
def test_every_weight_keeps_its_sign(seed: int, n: int, by: str) -> None:
    fitted = refit(BASE, labels(seed, n, by), {})
    assert all(fitted.features[name].weight * sign >= 0 for name, sign in FEATURE_SIGNS.items())


def test_validation_judges_labels_by_weights_that_have_not_seen_them() -> None:
    rng = np.random.default_rng(5)
    noise = labels(4, 60)
    random_labels = Examples(noise.values, rng.permutation(noise.same), noise.form)
    before, after = validated(BASE, random_labels)
    assert after.auc < 0.7
    assert sum(row.pairs for row in before.reliability) == sum(row.pairs for row in after.reliability) == 60


def test_validation_shows_the_gain_of_labels_that_follow_a_rule() -> None:
    before, after = validated(BASE, labels(6, 100))
    assert after.auc > before.auc + 0.2
    assert after.loss < before.loss
    top = after.reliability[-1]
    assert top.same > 0.75


def test_the_noise_of_a_gain_distinguishes_a_rule_from_chance() -> None:
    before, after = validated(BASE, labels(6, 100))
    assert before.loss - after.loss > after.gain_noise > 0
    shown = 0
    for seed in range(40):
        one = labels(seed, 30)
        stated = np.random.default_rng(seed).random(30) < one.agreements(BASE)
        stated[:2], stated[2:4] = False, True
        before, after = validated(BASE, Examples(one.values, stated.astype(float), one.form))
        shown += before.loss - after.loss > after.gain_noise
    assert shown <= 6


def test_copies_of_a_pair_show_no_gain_that_the_pairs_do_not_show() -> None:
    values = np.random.default_rng(4).random((10, len(NAMES)))
    random_labels = Examples(values, np.arange(10) % 2.0, np.ones(10))
    _, after = validated(BASE, random_labels.rows(np.tile(np.arange(10), 30)))
    assert after.auc < 0.7


def test_two_labels_of_each_kind_are_enough() -> None:
    before, after = validated(BASE, labels(7, 5))
    assert 0 <= after.auc <= 1
    assert np.isfinite([before.loss, after.loss]).all()
