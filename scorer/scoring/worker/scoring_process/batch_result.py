"""The result of a scored batch. It imports no scoring code, so that the scorer's own process stays small."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NoiseFloorJson = Mapping[str, Any]
"""A scorer.scoring.compare.NoiseFloor as JSON, with the keys pairs, trips (by signal) and agreement_sum."""


@dataclass(frozen=True, slots=True)
class PairResult:
    """The result of one pair. ``scored`` is an encoded ScoredPair, or empty if the pair cannot be decoded.

    ``unreadable`` is the reason why the pair cannot be decoded. ``noise`` is what a NOISE pair adds to the noise floor
    of its workload. ``for_evaluator`` has the fields of a DoubtfulPair (compare/evaluator/questions.py) if the
    evaluator is to be asked about the pair; otherwise it is empty.
    """

    scored: bytes = b""
    unreadable: str = ""
    noise: NoiseFloorJson = field(default_factory=dict)
    for_evaluator: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The results of a batch, in the order of its pairs.

    ``cache_hits`` and ``cache_misses`` count the texts whose vectors were cached, and those whose vectors were not.
    """

    results: tuple[PairResult, ...]
    cache_hits: int = 0
    cache_misses: int = 0
