"""Learn the weights of the agreement from labelled pairs: ``make train-agreement ARGS="--data DIR"``.

``DIR`` has one file SET.jsonl for each labelled set (bench/labelled_pairs.py). Sets in languages other than English are
left out. One more set has harmless and harmful changes of the answers in this repository (bench/regressions.py). It has
changes of every second answer only, so that the other answers can be used for measurements. Every set has the same
weight, and so have its two labels. Each set has a constant of its own while the weights are learned, because the sets
are not equally strict about what counts as the same meaning.

The result is written to glidepath/agreement_weights.json. The table shows for each set the AUC with weights that were
learned without this set.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bench.labelled_pairs import LabelledPair, in_english, read_sets
from bench.regressions import ANSWERS, HARMFUL, HARMLESS, read_answers
from glidepath.agreement_weights import FEATURE_SIGNS, SHIPPED_WEIGHTS, AgreementWeights, FeatureWeight
from glidepath.config.processes import EmbedderSection
from scorer.scoring.compare.calibrator.classifier_metrics import auc, calibration_error
from scorer.scoring.compare.calibrator.logistic_regression import Floats, Penalty, fit_logistic
from scorer.scoring.compare.calibrator.measured_pairs import Examples, measured
from scorer.scoring.embed import load_embedder

OWN = "own changes"
# Changes of form. No weight is learned for them: the factors of the signals of form detect them.
_OF_FORM = {"loops", "template_leaks", "truncation", "refusal", "empty", "garbled", "wrong_language"}
_BY_HAND = {"final_answer": 4.0, "length": 0.0}  # ADR 0215 says why these are not learned
_COUNT = 300.0  # the number of pairs that each set counts as
_SHRINK, _SHRINK_CONSTANT = 3.0, 0.3  # strengths of the penalties
# The smallest spread of a feature. Labels of people must not freely move the weight of a feature that few pairs have.
_LEAST_SPREAD = 0.1


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("GLIDEPATH_LABELLED"), help="folder of SET.jsonl")
    parser.add_argument("--out", type=Path, default=SHIPPED_WEIGHTS, help="the file of weights to write")
    parser.add_argument("--pairs", type=int, default=300, help="largest number of pairs of a set")
    parser.add_argument("--half", choices=("all", "first", "second"), default="all", help="draw from one half only")
    parser.add_argument("--seed", type=int, default=1, help="seed of the draw")
    options = parser.parse_args(arguments)
    if options.data is None:
        print("skipped: no labelled pairs; give their folder: make train-agreement ARGS='--data DIR'")
        return 0
    read = read_sets(Path(options.data), options.pairs, options.seed, options.half)
    sets = {name: pairs for name, pairs in read.items() if in_english(pairs)}
    if not sets:
        print(f"skipped: {options.data} has no file *.jsonl with labelled pairs (left, right, same) in English")
        return 0
    embedder = load_embedder(EmbedderSection(engine="onnxruntime"))
    examples = {
        name: measured(((pair.left, pair.right, pair.same) for pair in pairs), embedder)
        for name, pairs in {**sets, OWN: own_changes()}.items()
    }
    left_out = {name: _without(examples, name) for name in sets}
    made = _made(options, examples, left_out)
    options.out.write_text(train(examples, made).to_json(), encoding="utf-8")
    _print(made, options.out)
    return 0


def own_changes() -> list[LabelledPair]:
    """Return changes of every second answer in this repository: one change of each kind, except changes of form."""
    found = []
    for same, kinds in ((True, HARMLESS), (False, HARMFUL)):
        for kind, mutate in kinds.items():
            if kind in _OF_FORM:
                continue
            for index, text in enumerate(read_answers(ANSWERS)[::2]):
                changed = mutate(text, random.Random(zlib.crc32(f"1/{kind}/{2 * index}/0".encode())))
                if changed is not None:
                    before, after = (text, changed) if isinstance(changed, str) else changed
                    found.append(LabelledPair(before, after, same, kind))
    return found


def train(sets: Mapping[str, Examples], made: Mapping[str, Any]) -> AgreementWeights:
    """Learn the weights from several sets, each with a constant of its own that is dropped afterwards."""
    values = np.concatenate([one.values for one in sets.values()])
    middle, spread = values.mean(0), values.std(0) + 1e-6
    which = np.concatenate([np.full(len(one.same), i) for i, one in enumerate(sets.values())])
    constants = np.column_stack([np.ones(len(which)), *(which == i for i in range(len(sets)))])
    same = np.concatenate([one.same for one in sets.values()])
    counts = np.concatenate([_balanced(one.same) for one in sets.values()])
    weights = fit_logistic(np.hstack([(values - middle) / spread, constants]), same, counts, _penalty(spread, sets))
    columns = (weights[: len(FEATURE_SIGNS)] / spread, middle, np.maximum(spread, _LEAST_SPREAD))
    features = {
        name: FeatureWeight(*(round(float(column[i]), 4) for column in columns)) for i, name in enumerate(FEATURE_SIGNS)
    }
    constant = float(weights[len(FEATURE_SIGNS)] - (weights[: len(FEATURE_SIGNS)] * middle / spread).sum())
    return AgreementWeights(round(constant, 4), features, made)


def _balanced(same: Floats) -> Floats:
    ones = same.sum()
    return np.where(same == 1, _COUNT / 2 / ones, _COUNT / 2 / (len(same) - ones))


def _penalty(spread: Floats, sets: Mapping[str, Examples]) -> Penalty:
    constants, names = 1 + len(sets), list(FEATURE_SIGNS)
    fixed = [_BY_HAND.get(name) for name in names]
    prior = np.array([0.0 if one is None else one for one in fixed]) * spread
    low = np.array([-np.inf if FEATURE_SIGNS[name] < 0 else 0.0 for name in names])
    high = np.array([np.inf if FEATURE_SIGNS[name] > 0 else 0.0 for name in names])
    held = np.array([one is not None for one in fixed])
    unbounded = np.full(constants, np.inf)
    return Penalty(
        prior=np.r_[prior, np.zeros(constants)],
        strength=np.r_[np.full(len(names), _SHRINK), np.full(constants, _SHRINK_CONSTANT)],
        low=np.r_[np.where(held, prior, low), -unbounded],
        high=np.r_[np.where(held, prior, high), unbounded],
    )


def _without(sets: Mapping[str, Examples], name: str) -> dict[str, float]:
    """Return the figures of one set, with weights that were learned without it."""
    weights = train({other: one for other, one in sets.items() if other != name}, {})
    scores, same = sets[name].agreements(weights), sets[name].same
    return {
        "auc": round(auc(scores, same), 3),
        "low": round(float((scores[same == 1] < 0.5).mean()), 3),
        "error": round(calibration_error(scores, same), 3),
    }


def _made(
    options: argparse.Namespace, examples: Mapping[str, Examples], left_out: Mapping[str, dict[str, float]]
) -> dict[str, Any]:
    sets = {
        name: {"pairs": len(one.same), "same": int(one.same.sum()), **left_out.get(name, {})}
        for name, one in examples.items()
    }
    return {
        "by": f"make train-agreement (bench/train_agreement.py), seed {options.seed}, half: {options.half}",
        "date": datetime.now(UTC).date().isoformat(),
        "by_hand": list(_BY_HAND),
        "sets": sets,
        "auc_left_out": round(float(np.mean([row["auc"] for row in left_out.values()])), 3),
    }


def _print(made: Mapping[str, Any], out: Path) -> None:
    print(f"{'set':16}{'pairs':>7}{'same':>7}{'AUC':>8}{'low':>8}{'error':>8}   (learned without the set)")
    for name, row in made["sets"].items():
        figures = "".join(f"{row[key]:8.3f}" if key in row else f"{'-':>8}" for key in ("auc", "low", "error"))
        print(f"{name:16}{row['pairs']:7}{row['same']:7}{figures}")
    print(
        f"{'mean':30}{made['auc_left_out']:8.3f}\n\nlow: share of pairs with the same meaning below ½. Written: {out}"
    )
    print(json.dumps({"train": "agreement", **made}))


if __name__ == "__main__":
    sys.exit(main())
