"""A defect of one text, with its severity and its place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Defect:
    """A defect of a text. ``where`` quotes the defective passage or gives the reason.

    ``severity`` is in [0, 1], where 0 means that the text has no defect.
    """

    severity: float = 0.0
    where: str = ""


NO_DEFECT = Defect()
