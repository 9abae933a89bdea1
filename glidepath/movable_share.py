"""The share of a workload's requests that can ever move to the candidate, as the copies of its requests showed.

Not movable is what the candidate refuses although the baseline answers (``capability``), what it declares that it
cannot serve (``ineligible_…``), and what needs the state of the baseline (``needs_state``). See ADR 0313.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from glidepath.pairs_and_outcomes import CAPABILITY, Coverage
from glidepath.status_and_decisions import WorkloadStatus

REFUSED = f"candidate shadow {CAPABILITY}"  # in WorkloadStatus.error_kinds
COPIES = "candidate copies"  # in WorkloadStatus.live_answers: the copies that reached the candidate
FEWEST = 20  # judged requests from which on the share is shown
_REASONS = {
    Coverage.INELIGIBLE_CONTEXT.value: "longer than its context",
    Coverage.INELIGIBLE_MODALITIES.value: "with other modalities",
    Coverage.INELIGIBLE_TOOLS.value: "with tools",
    Coverage.INELIGIBLE_MAX_BODY.value: "with too long a body",
    Coverage.NEEDS_STATE.value: "that need the baseline's state",
}


@dataclass(frozen=True, slots=True)
class MovableShare:
    """``requests``: those of which it is known whether they can move. ``reasons``: why others cannot, and how many."""

    requests: int
    reasons: Mapping[str, int]

    @property
    def share(self) -> float:
        return 1 - sum(self.reasons.values()) / self.requests

    def __str__(self) -> str:
        text = f"movable share: {self.share:.1%} of {self.requests} requests"
        if not self.reasons:
            return text
        ordered = sorted(self.reasons.items(), key=lambda one: -one[1])
        return f"{text}; the others stay at the baseline: {', '.join(f'{n} {why}' for why, n in ordered)}"


def movable_share(
    coverage: Mapping[str, int], error_kinds: Mapping[str, int], live_answers: Mapping[str, int]
) -> MovableShare | None:
    """Return the movable share, from the counts of a WorkloadStatus of these names; None if too little is known."""
    reasons = dict(_found(coverage, error_kinds))
    kept_back = sum(coverage.get(name, 0) for name in _REASONS)
    requests = live_answers.get(COPIES, 0) + kept_back
    return MovableShare(requests, reasons) if requests >= FEWEST else None


def movable_share_of(status: WorkloadStatus) -> MovableShare | None:
    return movable_share(status.coverage, status.error_kinds, status.live_answers)


def _found(coverage: Mapping[str, int], error_kinds: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    if refused := error_kinds.get(REFUSED, 0):
        yield "that the candidate refused", refused
    for name, why in _REASONS.items():
        if number := coverage.get(name, 0):
            yield why, number
