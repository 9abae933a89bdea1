"""Decide which requests count as evidence, and collect those that end within a short time into one observation."""

from __future__ import annotations

from collections.abc import Sequence

from glidepath.config import Workload
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.sides import Origin, Side
from scorer.steering.evidence.burst_discount import BurstState
from scorer.steering.evidence.fast_guards import UNREACHABLE_KINDS
from scorer.steering.evidence.gate_observations import (
    NO_COPIES,
    NO_REQUESTS,
    BaselineCopies,
    RequestCounts,
    RequestsEnded,
)
from scorer.steering.evidence.gate_set import GateSet
from scorer.steering.evidence.state_codec import Stored
from scorer.steering.staggering import period_began

BIN_MS = 50  # flushes of all Envoys that end within this time form one observation
BLOCK_MS = 1000  # a block of the increase test lasts about this long, because common drift of both sides is slower


class CountedRequests(Stored):
    """Passes the requests that count as evidence to the gates: an observation for each bin and for each block of bins.

    - ``name``: the workload's name, which determines when its periodic work is due; "" before the first flush
    - ``_bin_number``: the index of the latest bin, which is a period of BIN_MS milliseconds
    - ``_block_from_ms``: the time at which the present block of the increase test began
    - ``_pending``: the counts of the requests that ended in the latest bin; the gates have not observed them yet
    - ``_copies``: the baseline's copies that were reported with them
    - ``_bursts``: the state of the burst discount
    """

    name: str
    _bin_number: int
    _block_from_ms: int
    _pending: RequestCounts
    _copies: BaselineCopies
    _bursts: BurstState

    def __init__(self, percent: float, gates: GateSet) -> None:
        """Start without requests. ``percent``: the candidate's share in the step."""
        self._origins, self._gates = _counted_origins(percent), gates
        self.name = ""
        self._bin_number = self._block_from_ms = 0
        self._pending, self._copies = NO_REQUESTS, NO_COPIES
        self._bursts = BurstState()

    def add(self, outcomes: Outcomes) -> list[SideOutcomes]:
        """Add a flush. Return the sides in it that count as evidence."""
        self.name = outcomes.workload
        number = outcomes.to_ms // BIN_MS
        if number != self._bin_number:
            self.settle()
            self._bin_number = number
        counted = [side for side in outcomes.sides if side.origin is self._origins[side.side]]
        self._pending = _added(self._pending, counted)
        if any(side.baseline_copies for side in counted):
            self._copies = sum(map(_copies_of, counted), self._copies)
        return counted

    def settle(self) -> None:
        """Pass the pending requests to the gates as one observation. Then close the block if it is due."""
        if self._pending is NO_REQUESTS:
            return
        at_ms = self._bin_number * BIN_MS
        pending, copies = self._pending, self._copies
        self._pending, self._copies = NO_REQUESTS, NO_COPIES
        self._bursts, counted = self._bursts.after(at_ms // 1000, pending)
        self._gates.observe(RequestsEnded(counted, NO_REQUESTS if counted is pending else pending - counted, copies))
        if period_began(self.name, self._block_from_ms, at_ms, BLOCK_MS) and self._gates.close_block():
            self._block_from_ms = at_ms

    def _restored(self) -> None:
        self._pending = NO_REQUESTS if self._pending == NO_REQUESTS else self._pending
        self._copies = NO_COPIES if self._copies == NO_COPIES else self._copies


def _added(pending: RequestCounts, sides: Sequence[SideOutcomes]) -> RequestCounts:
    """Return ``pending`` plus the request counts of one flush. ``sides``: the outcomes of each side in the flush."""
    c_n = c_errors = unreachable = b_n = b_errors = rescued = rescues_failed = at_both = 0
    for side in sides:
        if side.side is Side.BASELINE:
            b_n += side.requests
            b_errors += side.errors
            continue
        c_n += side.requests
        if side.errors:
            c_errors += side.errors
            unreachable += sum(n for kind, n in side.error_kinds.items() if kind in UNREACHABLE_KINDS)
            rescued += side.rescued
            rescues_failed += side.rescues_failed
            at_both += side.failed_at_both
    if not (c_n or b_n or c_errors or b_errors):
        return pending
    added = RequestCounts(c_n, c_errors, unreachable, b_n, b_errors, rescued, rescues_failed, at_both)
    return added if pending is NO_REQUESTS else pending + added


def _copies_of(side: SideOutcomes) -> BaselineCopies:
    n, failed = side.baseline_copies, side.baseline_copies_failed
    return BaselineCopies(n, failed) if side.side is Side.CANDIDATE else BaselineCopies(own_n=n, own_failed=failed)


def _counted_origins(percent: float) -> dict[Side, Origin]:
    """Return a mapping from each side to the origin of its requests that count as evidence.

    A side without clients' requests (the candidate at 0 %, the baseline at 100 %) is judged by its copies of requests.
    """
    return {
        Side.CANDIDATE: Origin.SHADOW if percent <= 0 else Origin.LIVE,
        Side.BASELINE: Origin.SHADOW if percent >= 100 else Origin.LIVE,
    }


def expected_share(workload: Workload, percent: float) -> float:
    """Return the candidate's expected share (0 to 1) of the requests that count as evidence.

    The result follows from the candidate's share ``percent`` and, at 0 % and at 100 %, from the configured share of the
    requests that are copied.
    """
    shadow = workload.shadow
    if percent <= 0:
        return max(shadow.sample, 0.1) / (100 + shadow.sample)
    if percent >= 100:
        return 100 / (100 + max(shadow.sample * shadow.reverse / 100, 0.1))
    return percent / 100
