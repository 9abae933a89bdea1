"""A defect of one text, with its severity and its place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Defect:
    """A defect with its ``severity`` in [0, 1]; 0 means no defect. ``where`` is the passage or the reason, as text."""

    severity: float = 0.0
    where: str = ""


NO_DEFECT = Defect()
