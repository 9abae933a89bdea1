"""Detect that the candidate fails many of the copies of a warm-up."""

from __future__ import annotations

from dataclasses import dataclass

from glidepath.movable_share import COPIES, REFUSED
from glidepath.sides import Origin, Side
from scorer.steering.workload.lifetime_counts import Totals

FEWEST = 5  # failed copies before a warm-up is stopped
MOST = 0.05  # the share of the warm-up's copies that may fail
_FAILED = f"{Side.CANDIDATE.value} {Origin.SHADOW.value} "


@dataclass(frozen=True, slots=True)
class CopiesBefore:
    """How many copies had reached the candidate, and how many of them had failed, when the present warm-up began."""

    copies: int = 0
    failed: int = 0

    @classmethod
    def of(cls, totals: Totals) -> CopiesBefore:
        """Return the present counts. A copy that the candidate refuses because it lacks an ability has not failed."""
        kinds = totals.error_kinds.items()
        failed = sum(number for kind, number in kinds if kind.startswith(_FAILED) and kind != REFUSED)
        return cls(totals.live_answers.get(COPIES, 0), failed)

    def failing(self, totals: Totals) -> str:
        """Return how many copies have failed since the warm-up began, as text; "" if only a few have failed."""
        now = CopiesBefore.of(totals)
        copies, failed = now.copies - self.copies, now.failed - self.failed
        return f"{failed} of {copies} copies failed" if failed >= FEWEST and failed > MOST * copies else ""
