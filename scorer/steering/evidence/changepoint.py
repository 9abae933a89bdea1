"""Since when has it been like this? For the words of a failure only; nothing is decided by it.

Evidence against the candidate may begin late in a step, so a failure must be told by the numbers since then: over the
whole step a candidate that broke a minute ago still looks well. Kept as in a cumulative sum (Page, "Continuous
inspection schemes", 1954): counting begins anew whenever all that was counted speaks for the limit rather than for the
nearest rate beyond it. What is left is therefore always beyond the limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Onset:
    """Counts of both sides since the present bad time began; all zero in a good one."""

    __slots__ = ("_score", "b_errors", "b_n", "c_errors", "c_n")

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._score = 0.0
        self.c_errors = self.c_n = self.b_errors = self.b_n = 0

    def see(self, gain: float, c_errors: int, c_n: int, b_errors: int, b_n: int) -> None:
        """``gain``: the logarithm of the likelihood ratio of these counts, of a rate just beyond the limit to it."""
        self._score += gain
        if self._score <= 0:
            self._clear()
            return
        self.c_errors += c_errors
        self.c_n += c_n
        self.b_errors += b_errors
        self.b_n += b_n

    def to_json(self) -> list[Any]:
        return [self._score, self.c_errors, self.c_n, self.b_errors, self.b_n]

    def load(self, raw: Sequence[Any]) -> None:
        self._score = float(raw[0])
        self.c_errors, self.c_n, self.b_errors, self.b_n = (int(v) for v in raw[1:5])
