"""A defect of one text: how severe it is, and where it is visible."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Defect:
    """``severity`` in [0, 1]; 0 means no defect. ``where``: the passage that shows it, or the reason, for people."""

    severity: float = 0.0
    where: str = ""


NO_DEFECT = Defect()
