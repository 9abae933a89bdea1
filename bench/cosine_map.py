"""Fit the cosine map of an embedding model: ``make bench-cosine-map ARGS="--data DIR"``.

``DIR`` (or the environment variable GLIDEPATH_LABELLED) has the labelled sets that ``make bench-agreement`` reads. For
their English pairs, and for as many pairs of unrelated texts, the cosines of the model and of MiniLM are computed. The
map is linear between fixed cosines. Its values are the least-squares fit to MiniLM's cosines. It maps 1 to 1.
Only half of the pairs are used for the fit; the error is measured on the other half. The printed points go into
scorer/scoring/embed/model_traits.py.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.labelled_pairs import in_english, read_sets
from glidepath.config.processes import EmbedderSection
from glidepath.embedding_models import MINILM, MULTILINGUAL
from scorer.scoring.compare.text.parsed_document import Document
from scorer.scoring.embed import load_embedder, traits_of

COSINES = (0.65, 0.72, 0.78, 0.82, 0.86, 0.9, 0.94, 0.97, 1.0)
LONGEST = 700  # characters: the models read different parts of longer texts
Column = NDArray[np.float64]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("GLIDEPATH_LABELLED"), help="folder of SET.jsonl")
    parser.add_argument("--pairs", type=int, default=200, help="largest number of pairs of a set")
    parser.add_argument("--seed", type=int, default=1, help="seed of the draw")
    parser.add_argument("--model", default=MULTILINGUAL, help="the model whose cosines are mapped")
    options = parser.parse_args(arguments)
    if options.data is None:
        print("skipped: no labelled pairs; give their folder: make bench-cosine-map ARGS='--data DIR'")
        return 0
    fitted, measured = ([half_cosines(options, half, model) for model in (options.model, MINILM)] for half in HALVES)
    values = fit(*fitted)
    points = [[cosine, round(float(value), 2)] for cosine, value in zip(COSINES, values, strict=True)]
    error = float(np.sqrt(np.mean((np.interp(measured[0], COSINES, values) - measured[1]) ** 2)))
    figures = {"benchmark": "cosine_map", "model": options.model, "pairs": len(measured[0])}
    print(json.dumps({**figures, "points": points, "error": round(error, 3)}))
    return 0


HALVES = ("first", "second")


def half_cosines(options: argparse.Namespace, half: str, model: str) -> Column:
    """Return the cosines of the pairs in one half, then those of as many pairs of unrelated texts."""
    sets = read_sets(Path(options.data), options.pairs, options.seed, "first" if half == "first" else "second")
    pairs = [pair for one in sets.values() if in_english(one) for pair in one]
    embedder = load_embedder(EmbedderSection(model=model))
    prefix = traits_of(embedder).prefix
    left, right = (
        embedder.embed([prefix + Document(text).canonical[:LONGEST] for text in side])
        for side in ([pair.left for pair in pairs], [pair.right for pair in pairs])
    )
    others = np.random.default_rng(options.seed).permutation(len(pairs))
    return np.concatenate([(left * right).sum(1), (left * right[others]).sum(1)]).astype(np.float64)


def fit(cosines: Column, wanted: Column) -> Column:
    """Return the values of the map at COSINES: the least-squares fit of ``wanted`` that never falls and ends at 1."""
    used = cosines < 1 - 1e-4  # equal texts say nothing
    shares = np.stack([np.interp(cosines[used], COSINES, row) for row in np.eye(len(COSINES))], axis=1)
    free, *_ = np.linalg.lstsq(shares[:, :-1], wanted[used] - shares[:, -1], rcond=None)
    rising: Column = np.minimum(np.maximum.accumulate(np.append(free, 1.0)), 1.0)
    return rising


if __name__ == "__main__":
    raise SystemExit(main())
