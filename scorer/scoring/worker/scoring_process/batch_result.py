"""The result of a scored batch.

This module imports no scoring code, so that the main process of the scorer stays small.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

NoiseFloorJson = Mapping[str, Any]
"""A scorer.scoring.compare.NoiseFloor as JSON, with the keys pairs, diverged (by signal) and agreement_sum."""


@dataclass(frozen=True, slots=True)
class PairResult:
    """The result of one stored pair.

    ``scored``: the encoded ScoredPair, or empty if the stored pair cannot be decoded.
    ``unreadable``: the reason why the stored pair cannot be decoded, or "".
    ``noise``: the pair's contribution to its workload's noise floor; empty if it is not a scored noise pair.
    ``for_evaluator``: the fields of an AnswersToJudge (compare/evaluator/questions.py) if the evaluator is to be asked
        about the pair, otherwise empty.
    ``equal``: whether the pair has a preference without a question, because its answers have the same text.
    ``for_verifier``: the same for the verifier: the fields of a VerifierInput (verify/verifier_client.py).
    """

    scored: bytes = b""
    unreadable: str = ""
    noise: NoiseFloorJson = field(default_factory=dict)
    for_evaluator: Mapping[str, str] = field(default_factory=dict)
    equal: bool = False
    for_verifier: Mapping[str, str] = field(default_factory=dict)


COLUMNS = tuple(one.name for one in fields(PairResult) if one.name != "scored")
"""The fields that a reply of the scoring process has as lists, with one item for each pair."""


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The results of a batch, in the order of its pairs.

    ``cache_hits``: the number of texts whose vectors were in the cache.
    ``cache_misses``: the number of texts whose vectors were not in the cache.
    """

    results: tuple[PairResult, ...]
    cache_hits: int = 0
    cache_misses: int = 0
