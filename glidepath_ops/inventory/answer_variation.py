"""Describes how much the present backend's answers vary: how often two answers to one request differ.

If they already differ, nobody depends on the exact words, and another model can take over more easily.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

FEWEST = 20  # the variation is shown from this number of pairs or repetitions on


class VariationBasis(StrEnum):
    """The basis of the variation: a second answer of the baseline, or requests that clients repeated."""

    NOISE_FLOOR = "noise floor"
    REPEATS = "repeats"


@dataclass(frozen=True, slots=True)
class AnswerVariation:
    """The variation of the answers, measured on ``pairs`` pairs of answers.

    ``sameness``: from 0 to 1. With NOISE_FLOOR, the mean agreement of two answers; with REPEATS, the share of pairs
    with identical answers.
    """

    basis: VariationBasis
    sameness: float
    pairs: int

    def __str__(self) -> str:
        if self.basis is VariationBasis.NOISE_FLOOR:
            return f"agrees with itself {self.sameness:.2f} ({self.pairs:,} pairs)"
        return f"{1 - self.sameness:.0%} of {self.pairs:,} repeats answered differently"


def by_noise_floor(pairs: int, agreement_sum: float) -> AnswerVariation | None:
    if pairs < FEWEST:
        return None
    return AnswerVariation(VariationBasis.NOISE_FLOOR, min(max(agreement_sum / pairs, 0.0), 1.0), pairs)


def by_repeats(repeats: int, same: int) -> AnswerVariation | None:
    return AnswerVariation(VariationBasis.REPEATS, same / repeats, repeats) if repeats >= FEWEST else None
