"""Counts how often the two sides differ in parts of an answer that a client's program reads, apart from the content.

Such a difference is not a fault of an answer and does not lower the agreement. But a program may depend on the part: it
may compare the model's name with the name that it asked for, show the reasoning, add up the tokens, or read the error's
message.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from glidepath.outcome_summaries import add_counts
from glidepath.pair_scores import ScoredPair
from glidepath.pairs import PairKind


class ContractPart(StrEnum):
    """A part of an answer that programs read. The values are names of signals (docs/reference/scoring.md)."""

    MODEL = "contract_model"
    REASONING = "contract_reasoning"
    USAGE = "contract_usage"
    ERROR = "contract_error"

    @property
    def meaning(self) -> str:
        return _MEANINGS[self]


_MEANINGS = {
    ContractPart.MODEL: "the model's name",
    ContractPart.REASONING: "the field of the reasoning",
    ContractPart.USAGE: "the number of tokens",
    ContractPart.ERROR: "the form of errors",
}
_DIFFERENT, _COMPARED = "different", "compared"


@dataclass(frozen=True, slots=True)
class ContractCount:
    """How often the two sides differ in one part of an answer.

    ``compared``: the number of cross pairs in which ``part`` was compared. ``different``: the number of those in which
    it differs.
    """

    part: ContractPart
    compared: int
    different: int


def with_contract(before: Mapping[str, int], pair: ScoredPair) -> Mapping[str, int]:
    """Return the counts with a pair added.

    The keys are "PART compared" and "PART different"; the values count cross pairs.
    """
    if pair.kind is not PairKind.CROSS:
        return before
    found = {part: pair.signals[part.value] for part in ContractPart if part.value in pair.signals}
    compared = {f"{part.value} {_COMPARED}": 1 for part in found}
    different = {f"{part.value} {_DIFFERENT}": 1 for part, divergence in found.items() if divergence > 0}
    return add_counts(before, compared | different) if found else before


def contract_counts(counts: Mapping[str, int]) -> Iterator[ContractCount]:
    """Yield the counts of each part that was compared in at least one pair.

    ``counts``: the result of ``with_contract``.
    """
    for part in ContractPart:
        if compared := counts.get(f"{part.value} {_COMPARED}", 0):
            yield ContractCount(part, compared, counts.get(f"{part.value} {_DIFFERENT}", 0))
