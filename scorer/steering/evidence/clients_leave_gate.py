"""The fast guard against a candidate that hangs: its clients leave without an answer, and the baseline's do not.

A client that leaves does not prove an error: a person may have closed the window. So a client that leaves counts only
if it waited longer than clients usually wait for the baseline's answer. The candidate's rate of such clients is
compared with the baseline's, as ``FastGate`` compares error rates.

Users differ in patience. So if the sides serve different users, the ratio of both rates shows nothing about the
candidate. The guard then fails only if about half of the candidate's clients or more leave. See ADR 0271.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from glidepath.duration_text import duration_text
from glidepath.histogram import Histogram, bucket_of
from glidepath.latency import LEAST_WAIT_MS
from scorer.steering.evidence.fast_guards import FastGate
from scorer.steering.evidence.gate_base import FailureCause, Handler, StepRequests
from scorer.steering.evidence.gate_observations import ClientsWaited, RequestCounts, RequestsEnded, SideWaits
from scorer.steering.evidence.gate_specs import GateSpec
from scorer.steering.evidence.recent_rates import CandidateShare

_KNOWN_BY = 5  # answers of the baseline after which its usual wait is known
_UNKNOWN_MS = 5000.0  # the wait that counts before that
FLOOR_OF_USERS = 0.2  # if the sides serve different users, up to this share of them may leave an equally good candidate
_MEMORY = 200.0  # answers of the baseline after which the weight of an earlier one has fallen to 1/e


@dataclass(frozen=True, slots=True)
class UsualWait:
    """The geometric mean of the baseline's recent waits for an answer. It is near the median of these waits.

    ``weight``: the number of answers, where an older answer counts less; ``log_sum``: the sum of ln(milliseconds).
    """

    weight: float = 0.0
    log_sum: float = 0.0

    def after(self, waits: Histogram) -> UsualWait:
        n = waits.total
        if not n:
            return self
        kept = math.exp(-n / _MEMORY)
        return UsualWait(self.weight * kept + n, self.log_sum * kept + waits.log_sum())

    @property
    def counts_from_ms(self) -> float:
        """The shortest wait, in milliseconds, after which a client that leaves without an answer counts."""
        if self.weight < _KNOWN_BY:
            return _UNKNOWN_MS
        return max(LEAST_WAIT_MS, math.exp(self.log_sum / self.weight))


class ClientsLeaveGate(FastGate):
    """The fast guard that fails if far too many of the candidate's clients leave after a wait without an answer."""

    _step: StepRequests  # the requests that count; a client that left counts as an error
    _usual: UsualWait

    def __init__(self, spec: GateSpec, floor: float, prior: CandidateShare, *, sides_differ: bool = False) -> None:
        """Start without requests. ``sides_differ``: whether the two sides serve different users."""
        super().__init__(spec, StepRequests(), max(floor, FLOOR_OF_USERS) if sides_differ else floor, prior)
        self._sides_differ = sides_differ
        self._usual = UsualWait()

    def handlers(self) -> Mapping[type, Handler]:
        return {ClientsWaited: self.fold_waits}

    def fold_waits(self, waited: ClientsWaited) -> None:
        least = bucket_of(self._usual.counts_from_ms)
        own, base = (_counts(side, least) for side in (waited.candidate, waited.baseline))
        self._usual = self._usual.after(waited.baseline.answered)
        counts = RequestCounts(c_n=own[0], c_errors=own[1], b_n=base[0], b_errors=base[1])
        if counts.c_n or counts.b_n:
            self._step.total += counts
            self.fold_requests(RequestsEnded(counts))

    @property
    def _log_e(self) -> float:
        return self._catastrophe.log_e if self._sides_differ else super()._log_e

    def recent_cause(self) -> FailureCause | None:
        since = self._since
        if not since.c_n:
            return None
        base = f", {since.b_errors} of the baseline's {since.b_n} meanwhile" if since.b_n else ""
        text = f"{since.c_errors} of the candidate's last {since.c_n} clients left without an answer{base}{self._after}"
        return FailureCause(None, since.c_n, text)

    def message(self) -> str:
        c = self.counts
        text = f"{c.c_errors} of the candidate's {c.c_n} clients left without an answer"
        return f"{text}, {c.b_errors} of the baseline's {c.b_n}{self._after}"

    @property
    def _after(self) -> str:
        return f"; only a wait of {duration_text(self._usual.counts_from_ms / 1000)} or more counts"


def _counts(side: SideWaits, least: int) -> tuple[int, int]:
    """Return how many requests of a side count, and how many of them ended when a client left.

    A client that left counts if its wait is in the bucket ``least`` or in a later one.
    """
    left = side.unanswered.above(least - 1)
    return side.requests + left, left
