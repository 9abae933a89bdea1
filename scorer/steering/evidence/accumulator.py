"""The evidence about one workload's candidate at one step of the ramp. The steer loop adds outcomes and scores to it.

The evidence is mutable, because adding data is the hot path of a tick. The fold methods still return the evidence, so
that callers do not depend on its mutability.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from glidepath.config import Workload
from glidepath.feedback import Feedback
from glidepath.histogram import Histogram
from glidepath.outcome_summaries import AtFault, Outcomes, SideOutcomes
from glidepath.pair_scores import ScoredPair
from glidepath.sides import Origin, Side
from glidepath.status_and_decisions import SideStatus, Verdict
from scorer.steering.candidate_activity import NO_ACTIVITY, CandidateActivity
from scorer.steering.evidence.counted_requests import CountedRequests, expected_share
from scorer.steering.evidence.gate_observations import (
    ClientsWaited,
    EnvoyFailures,
    FeedbackGiven,
    LatencyHistograms,
    LatencyUnmeasured,
    SideWaits,
)
from scorer.steering.evidence.gate_set import GateSet
from scorer.steering.evidence.rate_change import NO_FAILURE_HISTORY, FailureHistory
from scorer.steering.evidence.scored_pairs import ScoredPairs
from scorer.steering.evidence.side_figures_for_status import side_statuses
from scorer.steering.evidence.state_codec import Stored, encode, load
from scorer.steering.evidence.user_discount import UserDiscount
from scorer.steering.staggering import period_began
from scorer.steering.steering_interfaces import StepEvidence

_EMPTY = Histogram()
_STALE = 1.1
_NOBODY = SideWaits(_EMPTY, _EMPTY, 0)
LOOK_MS = 2000  # the latency gates and the split are evaluated this often: none of them is a fast guard (ADR 0452)


class Evidence(Stored):
    """The evidence about one workload's candidate at one step. Create it with ``fresh`` or ``from_json``.

    - ``_last_ms``: the time of the latest flush or score that was added
    - ``_looked_ms``: the time of the last evaluation of the latency gates
    - ``_activity``: when the candidate had requests in this step
    - ``_failures``: the requests of the last minutes, including those before the step, and how many of them failed at
      Envoy itself
    """

    percent: float
    started_ms: int
    _last_ms: int
    _looked_ms: int
    _activity: CandidateActivity
    _failures: FailureHistory
    _requests: CountedRequests
    _pairs: ScoredPairs
    _feedback_discount: UserDiscount
    _gates: GateSet

    def __init__(
        self, workload: Workload, percent: float, now_ms: int, failures: FailureHistory = NO_FAILURE_HISTORY
    ) -> None:
        self.percent = percent
        self.started_ms = now_ms
        share, warm_up = expected_share(workload, percent), workload.ramp.warm_up_at(percent)
        self._gates = GateSet(workload, percent, share, before=failures.counts, warm_up=warm_up)
        self._activity, self._idle_ms = NO_ACTIVITY, workload.ramp.idle_ms
        self._failures = failures
        self._requests = CountedRequests(percent, self._gates)
        self._pairs = ScoredPairs(self._gates, match=workload.shadow.same_side > 0)
        self._feedback_discount = UserDiscount()
        self._last_ms = now_ms
        self._looked_ms = 0
        self._shown: tuple[Verdict, ...] | None = None
        self._shown_ms = now_ms

    @classmethod
    def fresh(cls, workload: Workload, percent: float, now_ms: int, before: StepEvidence | None = None) -> Evidence:
        """Return empty evidence for a step that begins at ``now_ms``, with the candidate's share ``percent``.

        ``before``: the evidence of the step before. Only its counts of Envoy's own failures are kept, for comparison.
        """
        failures = before._failures if isinstance(before, Evidence) else NO_FAILURE_HISTORY
        return cls(workload, percent, now_ms, failures)

    def fold_outcomes(self, outcomes: Outcomes) -> Evidence:
        """Add one flush (the outcomes that extproc wrote at one time), and return the evidence.

        A flush that began before the step is ignored. The caller must not add a flush twice.
        """
        if outcomes.from_ms < self.started_ms:
            return self
        at_ms = outcomes.to_ms
        self._last_ms = max(self._last_ms, at_ms)
        counted = self._requests.add(outcomes)
        self._observe_envoy_failures(outcomes)
        self._observe_clients(counted)
        self._note_activity(outcomes)
        self._observe_latencies("total", {side.side: _until_left(side, side.latency_ms) for side in counted}, at_ms)
        streamed = any(side.ttft_ms.total for side in counted)
        first = {side.side: _until_left(side, side.ttft_ms) if streamed else side.ttft_ms for side in counted}
        self._observe_latencies("ttft", first, at_ms)
        self._observe_unstreamed(counted)
        self._observe_latencies("headers", {side.side: side.headers_ms for side in counted}, at_ms)
        self._shown = None
        return self

    def _observe_envoy_failures(self, outcomes: Outcomes) -> None:
        failed: dict[Side | None, int] = {}
        for reply in outcomes.local_replies:
            if reply.at_fault is AtFault.ENVOY and reply.origin is Origin.LIVE:
                failed[reply.side] = failed.get(reply.side, 0) + reply.requests
        n = {side.side: side.requests for side in outcomes.sides if side.origin is Origin.LIVE}
        if not failed and not n:
            return
        c_failed, b_failed = failed.get(Side.CANDIDATE, 0), failed.get(Side.BASELINE, 0)
        c_n, b_n = n.get(Side.CANDIDATE, 0) + c_failed, n.get(Side.BASELINE, 0) + b_failed
        since_step_ms = outcomes.to_ms - self.started_ms
        seen = EnvoyFailures(c_n, c_failed, b_n, b_failed, failed.get(None, 0), since_step_ms)
        self._failures = self._failures.after(seen.failed, seen.n, outcomes.to_ms)
        self._gates.observe(seen)

    def _note_activity(self, outcomes: Outcomes) -> None:
        if any(side.side is Side.CANDIDATE and side.requests for side in outcomes.sides):
            before, self._activity = self._activity, self._activity.after(outcomes.to_ms, self._idle_ms)
            if self._activity.since_ms != before.since_ms:
                self._gates.candidate_resumes(outcomes.to_ms)

    def _observe_latencies(self, signal: str, values: Mapping[Side, Histogram], at_ms: int) -> None:
        candidate, baseline = values.get(Side.CANDIDATE, _EMPTY), values.get(Side.BASELINE, _EMPTY)
        if candidate.total or baseline.total:
            self._gates.observe(LatencyHistograms(signal, candidate, baseline, at_ms))

    def _observe_clients(self, counted: list[SideOutcomes]) -> None:
        sides = {side.side: side for side in counted}
        waits = [_waits(sides[s]) if s in sides else _NOBODY for s in (Side.CANDIDATE, Side.BASELINE)]
        self._gates.observe(ClientsWaited(*waits))

    def _observe_unstreamed(self, counted: list[SideOutcomes]) -> None:
        own = [side for side in counted if side.side is Side.CANDIDATE]
        without = sum(side.latency_ms.total - side.ttft_ms.total for side in own)
        if without > 0:
            self._gates.observe(LatencyUnmeasured("ttft", without=without))

    def fold_scored(self, scored: ScoredPair) -> Evidence:
        """Add the score and the other facts about one pair, and return the evidence.

        A pair is ignored if it was captured before the step began.
        """
        if scored.captured_at_ms >= self.started_ms and self._pairs.add(scored):
            self._shown = None
            self._last_ms = max(self._last_ms, scored.scored_at_ms)
        return self

    def fold_feedback(self, feedback: Feedback) -> Evidence:
        """Add feedback on one answer, and return the evidence.

        Feedback is ignored if the request ended before the step.
        """
        side = feedback.match.side
        if side is None or feedback.served_at_ms < self.started_ms:
            return self
        if self._feedback_discount.admits(feedback.user):
            self._gates.observe(FeedbackGiven(side is Side.CANDIDATE, feedback.score))
            self._shown = None
        return self

    def verdicts(self, now_ms: int) -> tuple[Verdict, ...]:
        """Return one verdict for each gate. ``now_ms``: the present time, to estimate how long each gate still needs.

        The verdicts are cached until new data is added, or until the step is older by the factor _STALE: without data,
        samples become rarer, so the estimated times grow.
        """
        now_ms = max(now_ms, self._last_ms)
        stale = now_ms - self.started_ms > _STALE * (self._shown_ms - self.started_ms)
        if self._shown is None:
            self._look()
        if self._shown is None or stale:
            self._shown, self._shown_ms = self._gates.verdicts(self._samples_per_second(now_ms)), now_ms
        return self._shown

    def still_decides(self, verdicts: tuple[Verdict, ...]) -> bool:
        """Return whether every gate would still decide as in ``verdicts``, the last result of the method ``verdicts``.

        Only the decisions are compared. The numbers in these verdicts may be out of date.
        """
        if self._shown is None:
            self._look()
            return self._gates.decide_as(verdicts)
        return True

    def _look(self) -> None:
        self._requests.settle()
        if period_began(self._requests.name, self._looked_ms, self._last_ms, LOOK_MS):
            self._gates.look()
            self._looked_ms = self._last_ms

    def _samples_per_second(self, now_ms: int) -> dict[str, float]:
        seconds = max((now_ms - self.started_ms) / 1000, 1e-3)
        return {name: gate.n / seconds for name, gate in self._gates.gates.items()}

    def requests(self) -> int:
        """Return the number of the candidate's requests that have counted in this step."""
        self._requests.settle()
        step = self._gates.step
        return step.total.c_n + step.in_bursts.c_n

    def sides(self) -> tuple[SideStatus, SideStatus]:
        """Return two statuses that cover this step: first the baseline's, then the candidate's."""
        self._requests.settle()
        return side_statuses(self._gates.step.everything, self._gates.signals)

    def agreement(self) -> float | None:
        """Return the mean agreement of all scored cross pairs of this step; None if there are none."""
        return self._pairs.scores.agreement

    def noise(self) -> float | None:
        """Return the mean agreement of all scored noise pairs of this step; None if there are none."""
        return self._pairs.scores.noise

    def tool_calls(self) -> tuple[int, int]:
        """Return the number of scored cross pairs of this step with tool calls, and of those with equal calls."""
        return self._pairs.scores.with_calls, self._pairs.scores.exact_calls

    def to_json(self) -> dict[str, Any]:
        """Return the state with its schema as JSON values. As text, they are shorter than 100 KB."""
        return encode(self)

    @classmethod
    def from_json(cls, workload: Workload, raw: Mapping[str, Any]) -> Evidence:
        """Restore the evidence from ``raw``, the result of ``to_json``.

        If a gate's limit or kind in ``workload`` has changed since then, this gate starts without data. Raises
        InputError if ``raw`` is not a valid state, for example because another version of Glidepath stored it. The
        caller then starts with empty evidence.
        """
        evidence = cls(workload, *_step_of(raw))
        load(evidence, raw)
        return evidence


def _step_of(raw: Mapping[str, Any]) -> tuple[float, int]:
    """Return the share and the beginning of a stored step; zeros for a state that ``load`` will refuse."""
    match raw.get("state"):
        case [int() | float() as percent, int() as started_ms, *_] if math.isfinite(percent):
            return percent, started_ms
    return 0.0, 0


def _waits(side: SideOutcomes) -> SideWaits:
    return SideWaits(side.ttft_ms if side.ttft_ms.total else side.latency_ms, side.aborted_ms, side.requests)


def _until_left(side: SideOutcomes, answered: Histogram) -> Histogram:
    """Return the histogram of the clients' waits, which end with the answer or when the client leaves. See ADR 0271."""
    return answered + side.aborted_ms if side.aborted_ms.counts else answered
