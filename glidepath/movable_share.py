"""The share of a workload's requests that can move to the candidate at all, estimated from the copies of its requests.

Three kinds of requests cannot move. The candidate refuses them although the baseline answers (``capability``). The
candidate declares that it cannot serve them (``ineligible_…``). Or they need the state of the baseline
(``needs_state``).

If Envoy itself keeps such requests at the baseline (``pinned_…``), all of them are counted, and the copies are a sample
of the other requests. See ADR 0313.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from glidepath.outcome_summaries import CAPABILITY, PINNED, Coverage
from glidepath.sides import Side
from glidepath.status_and_decisions import WorkloadStatus

REFUSED = f"candidate shadow {CAPABILITY}"  # in WorkloadStatus.error_kinds
COPIES = "candidate copies"  # in WorkloadStatus.live_answers: the copies that reached the candidate
FEWEST = 20  # the share is shown from this number of judged requests on
_REASONS = {
    Coverage.INELIGIBLE_CONTEXT.value: "longer than its context",
    Coverage.INELIGIBLE_MODALITIES.value: "with other modalities",
    Coverage.INELIGIBLE_TOOLS.value: "with tools",
    Coverage.INELIGIBLE_MAX_BODY.value: "with too long a body",
    Coverage.NEEDS_STATE.value: "that need the baseline's state",
}


@dataclass(frozen=True, slots=True)
class MovableShare:
    """The requests for which it is known whether they can move, and the reasons why some cannot.

    - ``requests``: copies, and requests that were not copied for one of the ``reasons``
    - ``reasons``: the number of requests that cannot move, by reason
    - ``split``: all clients' requests that are split
    - ``pinned``: the requests that Envoy keeps at the baseline, by reason
    """

    requests: int
    reasons: Mapping[str, int]
    split: int = 0
    pinned: Mapping[str, int] = field(default_factory=dict)

    @property
    def share(self) -> float:
        by_copies = 1 - sum(self.reasons.values()) / self.requests
        kept = sum(self.pinned.values())
        return by_copies * self.split / (self.split + kept) if kept else by_copies

    def __str__(self) -> str:
        parts = [f"movable share: {self.share:.1%}", f"of {self.requests} copied requests: {_listed(self.reasons)}"]
        if self.pinned:
            total = self.split + sum(self.pinned.values())
            parts.append(f"of all {total}, Envoy keeps at the baseline: {_listed(self.pinned)}")
        return "; ".join(parts)


def _listed(reasons: Mapping[str, int]) -> str:
    ordered = sorted(reasons.items(), key=lambda one: -one[1])
    return ", ".join(f"{n} {why}" for why, n in ordered) if ordered else "all can move"


def movable_share(
    coverage: Mapping[str, int], error_kinds: Mapping[str, int], live_answers: Mapping[str, int]
) -> MovableShare | None:
    """Return the movable share, or None if too little is known. The arguments are fields of a WorkloadStatus."""
    reasons = dict(_found(coverage, error_kinds))
    kept_back = sum(coverage.get(name, 0) for name in _REASONS)
    requests = live_answers.get(COPIES, 0) + kept_back
    if requests < FEWEST:
        return None
    split = sum(live_answers.get(f"{side.value} requests", 0) for side in Side)
    pinned = {
        _REASONS.get(name.removeprefix(PINNED), f"by {name.removeprefix(PINNED)}"): number
        for name, number in coverage.items()
        if name.startswith(PINNED)
    }
    return MovableShare(requests, reasons, split, pinned)


def movable_share_of(status: WorkloadStatus) -> MovableShare | None:
    return movable_share(status.coverage, status.error_kinds, status.live_answers)


def _found(coverage: Mapping[str, int], error_kinds: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    if refused := error_kinds.get(REFUSED, 0):
        yield "that the candidate refused", refused
    for name, why in _REASONS.items():
        if number := coverage.get(name, 0):
            yield why, number
