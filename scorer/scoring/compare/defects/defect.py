"""A defect of one text, with its severity and its place."""

from __future__ import annotations

from dataclasses import dataclass

from scorer.scoring.compare.result import Signal


@dataclass(frozen=True, slots=True)
class Defect:
    """A defect of a text. ``where`` quotes the defective passage or gives the reason.

    ``severity`` is in [0, 1], where 0 means that the text has no defect.
    """

    severity: float = 0.0
    where: str = ""


NO_DEFECT = Defect()


def one_sided(name: str, left: Defect, right: Defect) -> Signal:
    """Return the signal ``name``, whose divergence is the difference in severity between two texts' defects.

    If a text has no defect, its severity is 0.
    """
    worse = right if right.severity >= left.severity else left
    degree = abs(right.severity - left.severity)
    return Signal(name, degree, reason=worse.where if degree else "", baseline_at_fault=left.severity > right.severity)
