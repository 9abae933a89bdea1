"""The evidence about one workload's candidate at one step of the ramp. The steer loop adds outcomes and scores to it.

The evidence is mutable, because adding data is the hot path of a tick. The fold methods still return the evidence, so
that callers do not depend on its mutability. Its stored form is ``EvidenceState``, a small frozen dataclass that
survives JSON unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from glidepath.config import Workload
from glidepath.errors import InputError
from glidepath.histogram import Histogram, bucket_of
from glidepath.pairs_and_outcomes import (
    EXACT_CALL,
    AtFault,
    Origin,
    Outcomes,
    PairKind,
    ScoredPair,
    Side,
    SideOutcomes,
)
from glidepath.status_and_decisions import SideStatus, Verdict
from scorer.steering.evidence.defects_gate import answers_judged
from scorer.steering.evidence.dense_histogram import DenseHistogram
from scorer.steering.evidence.fast_guards import UNREACHABLE_KINDS
from scorer.steering.evidence.gate_observations import (
    NO_REQUESTS,
    AgreementScored,
    EnvoyFailures,
    LatencyHistograms,
    NoiseEventsMatched,
    NoiseScored,
    PairCompared,
    PairsMatched,
    PreferenceGiven,
    RequestCounts,
    RequestsEnded,
)
from scorer.steering.evidence.gate_set import GateSet, GateSetState
from scorer.steering.evidence.noise_pair_matching import MatchedPair, NoisePair, PairMatcher, PairMatcherState
from scorer.steering.evidence.rate_change import NO_FAILURE_HISTORY, FailureHistory
from scorer.steering.evidence.state_codec import decode, encode
from scorer.steering.evidence.user_discount import UserDiscount, UserDiscountState
from scorer.steering.staggering import period_index
from scorer.steering.steering_interfaces import StepEvidence

_EMPTY = Histogram()
BIN_MS = 50  # flushes of the fleet that end within this time form one observation
LOOK_MS = 1000  # the latency gates are evaluated this often: they cost the most time, and none of them is a fast guard
BLOCK_MS = 1000  # a block of the increase test lasts about this long, because common drift of both sides is slower


@dataclass(frozen=True, slots=True)
class ScoreSums:
    """The numbers of scored cross pairs and noise pairs, and the sums of their agreements.

    ``with_calls``: the number of cross pairs with tool calls. ``exact_calls``: of those, the pairs with equal calls.
    The sums also include the pairs that the user discount (user_discount.py) leaves out of the gates.
    """

    crosses: int = 0
    cross_sum: float = 0.0
    noises: int = 0
    noise_sum: float = 0.0
    with_calls: int = 0
    exact_calls: int = 0

    def with_cross(self, agreement: float, exact_call: float | None = None) -> ScoreSums:
        """Add a cross pair. ``exact_call``: 1 if its tool calls are equal, 0 if not, None if it has none."""
        return replace(
            self,
            crosses=self.crosses + 1,
            cross_sum=self.cross_sum + agreement,
            with_calls=self.with_calls + (exact_call is not None),
            exact_calls=self.exact_calls + (exact_call == 1),
        )

    def with_noise(self, agreement: float) -> ScoreSums:
        return replace(self, noises=self.noises + 1, noise_sum=self.noise_sum + agreement)


@dataclass(frozen=True, slots=True)
class EvidenceState:
    """All evidence of a step, as it is stored.

    - ``last_ms``: the time of the latest flush or score that was added
    - ``looked_ms``: the time of the last evaluation of the latency gates
    - ``bin_number``: the index of the latest bin, which is a period of BIN_MS milliseconds
    - ``pending``: the counts of the requests that ended in the latest bin; the gates have not observed them yet
    - ``failures``: the requests of the last minutes, also before the step, and how many of them Envoy itself failed
    - ``block_from_ms``: the time at which the present block of the increase test began
    """

    percent: float
    started_ms: int
    last_ms: int
    looked_ms: int
    bin_number: int
    block_from_ms: int
    pending: RequestCounts
    failures: FailureHistory
    scores: ScoreSums
    discount: UserDiscountState
    matcher: PairMatcherState
    gates: GateSetState


class Evidence:
    """The evidence about one workload's candidate at one step. Create it with ``fresh`` or ``from_json``."""

    def __init__(
        self, workload: Workload, percent: float, now_ms: int, failures: FailureHistory = NO_FAILURE_HISTORY
    ) -> None:
        self._workload = workload
        self.percent = percent
        self.started_ms = now_ms
        self._gates = GateSet(workload, percent, _prior_share(workload, percent), before=failures.counts)
        self._failures = failures
        self._origins = _origins(percent)
        self._discount, self._matcher = UserDiscount(), PairMatcher()
        self._pending = NO_REQUESTS
        self._bin_number = 0
        self._block_from_ms = 0
        self._last_ms = now_ms
        self._looked_ms = 0
        self._name = ""  # the workload's name, set by the first flush
        self._scores = ScoreSums()
        self._shown: tuple[Verdict, ...] | None = None

    @classmethod
    def fresh(cls, workload: Workload, percent: float, now_ms: int, before: StepEvidence | None = None) -> Evidence:
        """Return empty evidence for a step that begins at ``now_ms``, with the candidate's share ``percent``.

        ``before``: the evidence of the step before. Of that, only Envoy's own failures are kept, for comparison.
        """
        failures = before._failures if isinstance(before, Evidence) else NO_FAILURE_HISTORY
        return cls(workload, percent, now_ms, failures)

    def fold_outcomes(self, outcomes: Outcomes) -> Evidence:
        """Add one flush (the outcomes that extproc wrote at one time), and return the evidence.

        A flush that began before the step is ignored. The caller must not add a flush twice.
        """
        if outcomes.from_ms < self.started_ms:
            return self
        self._name = outcomes.workload
        number = outcomes.to_ms // BIN_MS
        if number != self._bin_number:
            self._settle()
            self._bin_number = number
        self._last_ms = max(self._last_ms, outcomes.to_ms)
        counted = [side for side in outcomes.sides if side.origin is self._origins[side.side]]
        self._pending = _added(self._pending, counted)
        self._observe_envoy_failures(outcomes)
        self._observe_latencies("total", {side.side: side.latency_ms for side in counted})
        self._observe_latencies("ttft", {side.side: side.ttft_ms for side in counted})
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
        seen = EnvoyFailures(
            c_n=n.get(Side.CANDIDATE, 0) + c_failed,
            c_failed=c_failed,
            b_n=n.get(Side.BASELINE, 0) + b_failed,
            b_failed=b_failed,
            unknown=failed.get(None, 0),
            since_step_ms=outcomes.to_ms - self.started_ms,
        )
        self._failures = self._failures.after(seen.failed, seen.n, outcomes.to_ms)
        self._gates.observe(seen)

    def _observe_latencies(self, signal: str, values: Mapping[Side, Histogram]) -> None:
        candidate, baseline = values.get(Side.CANDIDATE, _EMPTY), values.get(Side.BASELINE, _EMPTY)
        self._gates.observe(LatencyHistograms(signal, candidate, baseline))

    def _settle(self) -> None:
        """Pass the pending requests to the gates as one observation. Then close the block if it is due."""
        if self._pending == NO_REQUESTS:
            return
        self._gates.observe(RequestsEnded(self._pending))
        self._pending = NO_REQUESTS
        at_ms = self._bin_number * BIN_MS
        if self._new_period(self._block_from_ms, at_ms, BLOCK_MS) and self._gates.close_block():
            self._block_from_ms = at_ms

    def _new_period(self, last_ms: int, at_ms: int, every_ms: int) -> bool:
        """Return whether a new period of ``every_ms`` milliseconds began between ``last_ms`` and ``at_ms``.

        The periods of different workloads begin at different times, see staggering.py and ADR 0111.
        """
        return period_index(self._name, at_ms, every_ms) > period_index(self._name, last_ms, every_ms)

    def fold_scored(self, scored: ScoredPair) -> Evidence:
        """Add what is known about one pair, and return the evidence.

        A pair is ignored if it was captured before the step began. Of a pair that could not be scored, only the defects
        of its answers count.
        """
        if scored.captured_at_ms < self.started_ms:
            return self
        cross = scored.kind is PairKind.CROSS
        counts = cross and self._discount.admits(scored.sticky)
        judged = answers_judged(scored) if counts else None
        if judged is not None:
            self._gates.observe(judged)
        if scored.scored and cross:
            self._fold_cross(scored, counts)
        elif scored.scored:
            self._fold_noise(scored)
        if scored.scored or judged is not None:
            self._shown = None
            self._last_ms = max(self._last_ms, scored.scored_at_ms)
        return self

    def _fold_noise(self, scored: ScoredPair) -> None:
        self._scores = self._scores.with_noise(scored.agreement)
        if scored.sticky:
            noise = NoisePair(scored.agreement, self._gates.events(scored.labels, scored.signals))
            self._fold_match(self._matcher.add_noise(scored.sticky, scored.captured_at_ms, noise))
        else:
            self._gates.observe(NoiseScored(scored.agreement))
            self._gates.observe(PairCompared(scored.labels, scored.signals, noise=True))

    def _fold_cross(self, scored: ScoredPair, counts: bool) -> None:
        self._scores = self._scores.with_cross(scored.agreement, scored.signals.get(EXACT_CALL))
        comparable = _is_comparable(scored)
        if counts:
            self._gates.observe(AgreementScored(scored.agreement, comparable=comparable and not scored.sticky))
            self._gates.observe(PairCompared(scored.labels, scored.signals, comparable=comparable))
            self._observe_time_per_token(scored)
            if scored.preference is not None:
                self._gates.observe(PreferenceGiven(scored.preference.score, scored.preference))
        if comparable and scored.sticky and self._workload.shadow.same_side:
            at_ms = scored.captured_at_ms
            self._fold_match(self._matcher.add_cross(scored.sticky, at_ms, scored.agreement, counts=counts))

    def _fold_match(self, match: MatchedPair | None) -> None:
        if match is not None:
            self._gates.observe(PairsMatched(match.agreement, match.noise.agreement))
            self._gates.observe(NoiseEventsMatched(match.noise.events))

    def _observe_time_per_token(self, scored: ScoredPair) -> None:
        both = (scored.candidate, scored.baseline)
        if "per_token" in self._gates.signals and all(f.output_tokens > 0 and f.total_ms > 0 for f in both):
            candidate, baseline = (Histogram({bucket_of(f.total_ms / f.output_tokens): 1}) for f in both)
            self._gates.observe(LatencyHistograms("per_token", candidate, baseline))

    def verdicts(self, now_ms: int) -> tuple[Verdict, ...]:
        """Return one verdict for each gate. ``now_ms``: the present time, to estimate how long each gate still needs.

        The verdicts are cached until new data is added.
        """
        if self._shown is None:
            self._settle()
            if self._new_period(self._looked_ms, self._last_ms, LOOK_MS):
                self._gates.look()
                self._looked_ms = self._last_ms
            self._shown = self._gates.verdicts(self._samples_per_second(now_ms))
        return self._shown

    def _samples_per_second(self, now_ms: int) -> dict[str, float]:
        seconds = max((max(now_ms, self._last_ms) - self.started_ms) / 1000, 1e-3)
        return {name: gate.n / seconds for name, gate in self._gates.gates.items()}

    def requests(self) -> int:
        """Return the number of the candidate's requests that have counted in this step."""
        self._settle()
        return self._gates.step.total.c_n

    def sides(self) -> tuple[SideStatus, SideStatus]:
        """Return two statuses that cover this step: first the baseline's, then the candidate's."""
        self._settle()
        counts, signals = self._gates.step.total, self._gates.signals
        total, ttft = signals["total"], signals["ttft"]
        return (
            _status(counts.b_n, counts.b_errors, total.baseline, ttft.baseline),
            replace(
                _status(counts.c_n, counts.c_errors, total.candidate, ttft.candidate),
                rescued=counts.rescued,
                rescues_failed=counts.rescues_failed,
            ),
        )

    def agreement(self) -> float | None:
        """Return the mean agreement of all scored cross pairs of this step; None if there are none."""
        return self._scores.cross_sum / self._scores.crosses if self._scores.crosses else None

    def noise(self) -> float | None:
        """Return the mean agreement of all scored noise pairs of this step; None if there are none."""
        return self._scores.noise_sum / self._scores.noises if self._scores.noises else None

    def tool_calls(self) -> tuple[int, int]:
        """Return the number of scored cross pairs of this step with tool calls, and of those with equal calls."""
        return self._scores.with_calls, self._scores.exact_calls

    @property
    def state(self) -> EvidenceState:
        return EvidenceState(
            percent=self.percent,
            started_ms=self.started_ms,
            last_ms=self._last_ms,
            looked_ms=self._looked_ms,
            bin_number=self._bin_number,
            block_from_ms=self._block_from_ms,
            pending=self._pending,
            failures=self._failures,
            scores=self._scores,
            discount=self._discount.state,
            matcher=self._matcher.state,
            gates=self._gates.state,
        )

    def to_json(self) -> dict[str, Any]:
        """Return ``state`` as JSON values. Their text is far shorter than 64 KB."""
        return encode(self.state)

    @classmethod
    def from_json(cls, workload: Workload, raw: Mapping[str, Any]) -> Evidence:
        """Restore the evidence from ``raw``, the result of ``to_json``.

        If a gate's limit or kind in ``workload`` has changed since then, this gate starts without data. Raises
        InputError if ``raw`` is no valid state, for example because another version stored it. The caller then starts
        with empty evidence.
        """
        state = decode(EvidenceState, raw)
        evidence = cls(workload, state.percent, state.started_ms)
        evidence._last_ms, evidence._looked_ms = state.last_ms, state.looked_ms
        evidence._bin_number, evidence._block_from_ms = state.bin_number, state.block_from_ms
        evidence._pending, evidence._scores, evidence._failures = state.pending, state.scores, state.failures
        evidence._discount.restore(state.discount)
        evidence._matcher.restore(state.matcher)
        try:
            evidence._gates.restore(state.gates)
        except ValueError as error:
            raise InputError(f"stored evidence: {error}") from error
        return evidence


def _added(pending: RequestCounts, sides: Iterable[SideOutcomes]) -> RequestCounts:
    """Return ``pending`` plus the request counts of one flush. ``sides``: the outcomes of each side in the flush."""
    c_n = c_errors = unreachable = b_n = b_errors = rescued = rescues_failed = 0
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
    if not (c_n or b_n or c_errors or b_errors):
        return pending
    added = RequestCounts(c_n, c_errors, unreachable, b_n, b_errors, rescued, rescues_failed)
    return added if pending is NO_REQUESTS else pending + added


def _origins(percent: float) -> dict[Side, Origin]:
    """Return a mapping from each side to the origin of its requests that count as evidence.

    A side that gets no requests of clients (the candidate at 0 %, the baseline at 100 %) is judged by the copies of
    requests that it gets.
    """
    return {
        Side.CANDIDATE: Origin.SHADOW if percent <= 0 else Origin.LIVE,
        Side.BASELINE: Origin.SHADOW if percent >= 100 else Origin.LIVE,
    }


def _is_comparable(scored: ScoredPair) -> bool:
    """Return whether this cross pair may be compared with noise pairs.

    Noise pairs are made from client requests that the baseline served. So a cross pair is not comparable if a sticky
    split assigned its user to the candidate, or if the pair comes from a probe.
    """
    origin = scored.baseline.origin
    return origin is Origin.LIVE or (origin is Origin.SHADOW and not scored.sticky)


def _prior_share(workload: Workload, percent: float) -> float:
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


def _status(n: int, errors: int, total: DenseHistogram, ttft: DenseHistogram) -> SideStatus:
    return SideStatus(
        requests=n,
        errors=errors,
        p50_ms=_quantile(total, 0.50),
        p95_ms=_quantile(total, 0.95),
        p99_ms=_quantile(total, 0.99),
        ttft_p50_ms=_quantile(ttft, 0.50),
    )


def _quantile(values: DenseHistogram, q: float) -> float | None:
    """Return a quantile for people; None if there are too few values for one of them to be above it."""
    return values.quantile(q) if values.total >= round(1 / (1 - q)) else None
