"""What comes back from where batches are scored; light, so that the steering process loads nothing that scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NoiseFloorJson = Mapping[str, Any]
"""JSON of a scorer.scoring.compare.NoiseFloor: pairs, trips by signal, agreement_sum."""


@dataclass(frozen=True, slots=True)
class PairResult:
    """One pair's: ``scored`` is an encoded ScoredPair, or ``why`` says why the bytes were no pair.

    ``floor``: what a NOISE pair adds to its workload's noise floor. ``doubt``: fields of a Doubt
    (compare/evaluator/questions.py) where the workload's evaluator is to be asked about the pair, else empty.
    """

    scored: bytes = b""
    why: str = ""
    floor: NoiseFloorJson = field(default_factory=dict)
    doubt: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BatchResult:
    """In the order of the batch. ``cache_hits`` and ``cache_misses`` count texts."""

    results: tuple[PairResult, ...]
    cache_hits: int = 0
    cache_misses: int = 0
