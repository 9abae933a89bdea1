"""Measure how well the agreement separates equal from different meaning: ``make bench-agreement ARGS="--data DIR"``.

``DIR`` (or the environment variable GLIDEPATH_LABELLED) has one file SET.jsonl for each labelled set; see
bench/labelled_pairs.py. Without it, nothing is measured. Three scores are compared on the same pairs: the agreement,
the plain cosine of the same embedding model, and a logistic regression on six cheap features, which is trained on the
other sets. For each score, the result has the AUC, and the share of pairs with different meanings that is detected at a
threshold with 2 % and 5 % false alarms. ``low`` is the share of pairs with the same meaning whose agreement is below ½.
Of these pairs, ``flagged`` is the share that has a flag.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.labelled_pairs import LabelledPair, in_english, read_sets
from bench.regressions import compared, plain_cosine
from glidepath.config.processes import EmbedderSection
from glidepath.embedding_models import MINILM
from scorer.scoring.compare.calibrator.classifier_metrics import auc, calibration_error, caught
from scorer.scoring.compare.calibrator.logistic_regression import Floats, Penalty, fit_logistic
from scorer.scoring.compare.similarity.character_similarity import multiset_distance
from scorer.scoring.embed import Embedder, VectorCache, load_embedder

_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+")
_DENIALS = frozenset(("not", "no", "never", "none", "without", "cannot", "nicht", "kein", "pas", "sin"))


@dataclass(frozen=True, slots=True)
class ScoredSet:
    """The scores of one set's pairs.

    ``same``: 1 if the two texts mean the same, else 0. ``cheap``: shape [pairs, features]. ``flagged``: 1 if a pair has
    a flag, else 0. ``english``: whether the default engine can read all texts; other sets are left out of the means.
    """

    same: Floats
    agreement: Floats
    cosine: Floats
    cheap: Floats
    flagged: Floats
    english: bool = True


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("GLIDEPATH_LABELLED"), help="folder of SET.jsonl")
    parser.add_argument("--pairs", type=int, default=300, help="largest number of pairs of a set")
    parser.add_argument("--half", choices=("all", "first", "second"), default="all", help="draw from one half only")
    parser.add_argument("--seed", type=int, default=1, help="seed of the draw")
    parser.add_argument("--engine", default="onnxruntime", help="embedding engine")
    parser.add_argument("--model", default=MINILM, help="embedding model")
    options = parser.parse_args(arguments)
    if options.data is None:
        print("skipped: no labelled pairs; give their folder: make bench-agreement ARGS='--data DIR'")
        return 0
    sets = read_sets(Path(options.data), options.pairs, options.seed, options.half)
    if not sets:
        print(f"skipped: {options.data} has no file *.jsonl with labelled pairs (left, right, same)")
        return 0
    section = EmbedderSection(engine=options.engine, model=options.model)
    embedder, started = load_embedder(section), time.process_time()
    rows = report({name: score(pairs, embedder) for name, pairs in sets.items()})
    print_table(rows)
    seconds = round(time.process_time() - started, 1)
    print(json.dumps({"benchmark": "agreement", "seed": options.seed, "half": options.half, "cpu_s": seconds, **rows}))
    return 0


def score(pairs: Sequence[LabelledPair], embedder: Embedder) -> ScoredSet:
    cache = VectorCache()
    found = [compared(pair.left, pair.right, embedder, cache) for pair in pairs]
    cosines = [plain_cosine(pair.left, pair.right, embedder, cache) for pair in pairs]
    return ScoredSet(
        same=np.array([float(pair.same) for pair in pairs]),
        agreement=np.array([one.agreement for one in found]),
        cosine=np.array(cosines),
        cheap=np.array([cheap_features(p.left, p.right, c) for p, c in zip(pairs, cosines, strict=True)]),
        flagged=np.array([float(bool(one.flags)) for one in found]),
        english=in_english(pairs),
    )


def cheap_features(left: str, right: str, cosine: float) -> list[float]:
    """Return six simple features for comparison: cosine, words, numbers, negations, length, last number."""
    (a, a_numbers, a_denials), (b, b_numbers, b_denials) = (_counted(text) for text in (left, right))
    last = [side[-1].rstrip(".,") for side in (a_numbers, b_numbers) if side]
    return [
        cosine,
        1 - multiset_distance(Counter(a), Counter(b)),
        -multiset_distance(Counter(a_numbers), Counter(b_numbers)),
        -float(a_denials % 2 != b_denials % 2),
        -abs(math.log((len(a) + 3) / (len(b) + 3))),
        0.0 if len(last) < 2 else 1.0 if last[0] == last[1] else -1.0,
    ]


def _counted(text: str) -> tuple[list[str], list[str], int]:
    """Return the words of a text, its numbers, and the number of its negations."""
    words = [word.casefold() for word in _WORD.findall(text)]
    denials = sum(word in _DENIALS for word in words) + text.count("n't")
    return words, [word for word in words if word[0].isdigit()], denials


def cheap_scores(sets: Mapping[str, ScoredSet], name: str) -> Floats:
    """Return the log-odds of the cheap baseline for one set, trained on all other sets with equal weight."""
    others = [one for other, one in sets.items() if other != name] or [sets[name]]
    rows = np.concatenate([one.cheap for one in others])
    middle, spread = rows.mean(0), rows.std(0) + 1e-9
    size = rows.shape[1]
    unbounded = np.full(size + 1, np.inf)
    penalty = Penalty(np.zeros(size + 1), np.r_[np.full(size, 3.0), 0.0], np.r_[np.zeros(size), -np.inf], unbounded)
    counts = np.concatenate([np.full(len(one.same), 300 / len(one.same)) for one in others])
    same = np.concatenate([one.same for one in others])
    weights = fit_logistic(_with_constant((rows - middle) / spread), same, counts, penalty)
    found: Floats = _with_constant((sets[name].cheap - middle) / spread) @ weights
    return found


def _with_constant(rows: Floats) -> Floats:
    return np.column_stack([rows, np.ones(len(rows))])


def report(sets: Mapping[str, ScoredSet]) -> dict[str, Any]:
    """Return the figures of each set, and their means over the sets in English."""
    rows = {name: _figures(one, cheap_scores(sets, name)) for name, one in sets.items()}
    english = [row for name, row in rows.items() if sets[name].english]
    mean = {key: round(float(np.mean([row[key] for row in english])), 4) for key in english[0]} if english else {}
    return {"sets": rows, "mean": mean}


def _figures(one: ScoredSet, cheap: Floats) -> dict[str, float]:
    found: dict[str, float] = {"pairs": len(one.same)}
    for name, scores in (("agreement", one.agreement), ("cosine", one.cosine), ("cheap", cheap)):
        found[f"auc_{name}"] = auc(scores, one.same)
        found[f"at2_{name}"] = caught(scores, one.same, 0.02)
        found[f"at5_{name}"] = caught(scores, one.same, 0.05)
    found["low"] = float((one.agreement[one.same == 1] < 0.5).mean())
    found["flagged"] = float(one.flagged[one.same == 1].mean())
    found["other_low"] = float((one.agreement[one.same == 0] < 0.5).mean())
    found["calibration_error"] = calibration_error(one.agreement, one.same)
    return {key: round(value, 4) for key, value in found.items()}


def print_table(rows: Mapping[str, Any]) -> None:
    three = f"{'agree':>8}{'cosine':>8}{'cheap':>8}"
    print(f"{'':16}{'':>6} | {'AUC':^24} | {'detected at 2 %':^24} | {'detected at 5 %':^24} | {'same meaning':^16} |")
    print(f"{'set':16}{'pairs':>6} | {three} | {three} | {three} | {'low':>8}{'flagged':>8} | {'error':>6}")
    for name, row in [*rows["sets"].items(), ("mean", rows["mean"])]:
        blocks = [
            "".join(_cell(row, f"{what}_{which}") for which in ("agreement", "cosine", "cheap"))
            for what in ("auc", "at2", "at5")
        ]
        counted = f"{row['pairs']:>6.0f}" if row else ""
        low = f"{_cell(row, 'low')}{_cell(row, 'flagged')}"
        print(f"{name:16}{counted} | {' | '.join(blocks)} | {low} | {_cell(row, 'calibration_error')}")
    print("\nmean: of the sets in English. error: expected calibration error of the agreement, in ten bins.\n")


def _cell(row: Mapping[str, float], key: str) -> str:
    return f"{row[key]:>8.3f}" if key in row else f"{'-':>8}"


if __name__ == "__main__":
    sys.exit(main())
