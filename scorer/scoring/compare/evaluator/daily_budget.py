"""The daily budget of questions to the evaluator for a single process, such as ``glidepath score``. Pure.

Scorers share a counter in Redis instead (scorer/scoring/worker/evaluator_instrument.py).
"""

from __future__ import annotations

from dataclasses import dataclass

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Budget:
    """The number of pairs that the evaluator was asked about on one UTC day.

    ``day`` is the number of days since 1970-01-01.
    """

    day: int = 0
    spent: int = 0

    def take(self, now_ms: int, limit: int) -> tuple[Budget, bool]:
        """Count one pair if ``limit`` allows it. Return the new budget, and whether the pair may be asked about."""
        today = now_ms // DAY_MS
        spent = self.spent if today == self.day else 0
        return (Budget(today, spent + 1), True) if spent < limit else (Budget(today, spent), False)
