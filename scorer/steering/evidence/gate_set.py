"""The set of one workload's gates at one step: it passes observations to the gates and returns their verdicts.

The module uses no clock and no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from glidepath.config import Workload
from glidepath.status_and_decisions import Verdict
from scorer.steering.evidence.fast_guards import FastGate
from scorer.steering.evidence.gate_base import Gate, Handler, StepRequests
from scorer.steering.evidence.gate_factories import GateInputs, build_gates, compares_copies, fast_guard
from scorer.steering.evidence.gate_observations import (
    NO_COPIES,
    NO_REQUESTS,
    BaselineCopies,
    BlockClosed,
    ByCopies,
    GateObservation,
    LatencyHistograms,
    LatencyUnmeasured,
    LookDue,
    RequestCounts,
    RequestsEnded,
)
from scorer.steering.evidence.gates_of_workload import specs_of
from scorer.steering.evidence.latency_samples import LatencySignal
from scorer.steering.evidence.pair_gates import PairGate
from scorer.steering.evidence.rate_change import NO_FAILURE_COUNTS, FailureCounts
from scorer.steering.evidence.recent_rates import CandidateShare
from scorer.steering.evidence.state_codec import Stored
from scorer.steering.evidence.verdicts import decides_as, verdict_of

BLOCK_REQUESTS = 32  # the least number of requests in a block of the increase test
CATASTROPHE_FLOOR = 0.05
# The weight of the configured share before the first request, as a number of requests.
_WORTH_UNKNOWN = 4.0  # no share is configured
_WORTH = 200.0
_WORTH_STICKY = 20.0  # the configured share is a share of users, and the number of requests per user varies


class GateSet(Stored):
    """One workload's gates at one step, with the latency signals and the request counts that the gates share.

    The configuration may change while a step's evidence is stored. A gate that is new, or whose limit or kind has
    changed, then starts without data. All other gates continue.

    ``_block_began``, ``_bursts_began``, ``_copies_began``, ``_by_copies_began``: the counts of ``step`` when the
    present block of the increase test began, and with what the candidate was compared.
    """

    step: StepRequests
    _block_began: RequestCounts
    _bursts_began: RequestCounts
    _copies_began: BaselineCopies
    _by_copies_began: ByCopies | None
    signals: dict[str, LatencySignal]
    gates: dict[str, Gate]

    def __init__(
        self,
        workload: Workload,
        percent: float | None,
        prior_share: float,
        *,
        error_kinds: bool = True,
        copies: bool = True,
        before: FailureCounts = NO_FAILURE_COUNTS,
        warm_up: int = 0,
    ) -> None:
        """Build the gates of ``workload`` for one step.

        - ``percent``: the candidate's configured share; None if it is unknown, as for a file given to ``judge``
        - ``prior_share``: the candidate's expected share of the requests, from 0 to 1
        - ``error_kinds``: whether the reason for each failed request is known; if not, ``candidate_down`` is left out
        - ``warm_up``: how many of the candidate's first values of each latency signal the gates leave out
        - ``copies``: whether the results of copies of one request at both sides can be known
        - ``before``: the requests before the step, and how many of them Envoy itself failed
        """
        self.step = StepRequests()
        self._warm_up = warm_up
        self.signals = {}
        for name in ("total", "ttft", "headers"):
            self.signal(name)
        self._last: dict[str, Verdict] = {}
        self._block_began = self._bursts_began = NO_REQUESTS
        self._copies_began, self._by_copies_began = NO_COPIES, None
        worth = _WORTH_UNKNOWN if percent is None else _WORTH if workload.assigned_at_random else _WORTH_STICKY
        limit = workload.gates.errors.max_rate if workload.gates.errors else None
        sides_differ = not workload.assigned_at_random or percent == 0  # systematically, not only by chance
        # At 100 %, the baseline's errors are already those of its copies of the candidate's requests.
        self._other_users = sides_differ and 0 < (percent or 0.0) < 100
        inputs = GateInputs(
            step=self.step,
            signal=self.signal,
            floor=max(CATASTROPHE_FLOOR, limit or 0.0),
            prior=CandidateShare.from_prior(prior_share, worth),
            prior_of_clients=CandidateShare.from_prior((percent or 0.0) / 100, worth),  # without copies
            before=before,
            sides_differ=sides_differ,
            other_users=self._other_users,
            compares_copies=copies and compares_copies(workload, percent),
        )
        self.gates = build_gates(specs_of(workload, percent, error_kinds=error_kinds), inputs)
        self._pair_gates = [gate for gate in self.gates.values() if isinstance(gate, PairGate)]
        self._handlers = self._subscriptions()

    @property
    def fast(self) -> FastGate:
        """The fast guard ``errors_fast``. Every gate set has it."""
        return fast_guard(self.gates)

    def candidate_resumes(self, at_ms: int) -> None:
        """Leave out the candidate's next answers, because it has been idle until ``at_ms``."""
        for signal in self.signals.values():
            signal.cool(at_ms)

    def signal(self, name: str) -> LatencySignal:
        return self.signals.setdefault(name, LatencySignal(warm_up=self._warm_up))

    def _subscriptions(self) -> dict[type, list[Handler]]:
        found: dict[type, list[Handler]] = {
            RequestsEnded: [self._count],
            LatencyHistograms: [lambda seen: self.signals[seen.signal].add(seen)],
            LatencyUnmeasured: [lambda seen: self.signals[seen.signal].add_unmeasured(seen)],
        }
        for gate in self.gates.values():
            for kind, handler in gate.handlers().items():
                found.setdefault(kind, []).append(handler)
        return found

    def observe(self, observation: GateObservation) -> None:
        """Pass an observation to every gate that subscribes to its type, in the order of the gates."""
        for handler in self._handlers.get(type(observation), ()):
            handler(observation)

    def _count(self, ended: RequestsEnded) -> None:
        self.step.total += ended.counts
        if ended.in_bursts is not NO_REQUESTS:
            self.step.in_bursts += ended.in_bursts
        if self._other_users:
            self.step.learn_rates(ended)

    def close_block(self) -> bool:
        """Close the present block of the increase test if it is large enough and has requests of both sides.

        Return whether the block was closed.
        """
        began, total = self._block_began, self.step.total
        c_n, b_n = total.c_n - began.c_n, total.b_n - began.b_n
        if not c_n or not b_n or c_n + b_n < BLOCK_REQUESTS:
            return False
        bursts, before, copies = self.step.in_bursts, self._bursts_began, self.step.copies
        left_out = NO_REQUESTS if bursts == before else bursts - before
        self.observe(BlockClosed(total - began, left_out, copies - self._copies_began, self._by_copies_began))
        self._block_began, self._bursts_began = total, bursts
        self._copies_began, self._by_copies_began = copies, self.step.by_copies
        return True

    def events(self, labels: Mapping[str, str], signals: Mapping[str, float]) -> dict[str, bool]:
        """Return a mapping from a gate's name to whether the event that the gate counts occurred in a noise pair.

        ``labels`` and ``signals`` belong to the noise pair, see ``PairCompared``. Gates that do not count this pair are
        left out.
        """
        found = {gate.spec.name: gate.event(labels, signals) for gate in self._pair_gates if gate.spec.increase}
        return {name: occurred for name, occurred in found.items() if occurred is not None}

    def look(self, *, everything: bool = False) -> None:
        """Evaluate every latency gate that has enough new samples; if ``everything``, one new sample is enough."""
        self.observe(LookDue(everything))

    def verdicts(self, rates: dict[str, float]) -> tuple[Verdict, ...]:
        """Return one verdict for each gate.

        ``rates``: a gate's name → the samples per second that the gate gets. The remaining time of a gate is estimated
        from this rate, and is unknown for a gate that is not in ``rates``.
        """
        last = self._last
        self._last = {name: verdict_of(gate, rates.get(name), last.get(name)) for name, gate in self.gates.items()}
        return tuple(self._last.values())

    def decide_as(self, verdicts: Sequence[Verdict]) -> bool:
        """Return whether every gate would still decide as in ``verdicts``, which must belong to the same gates."""
        return all(map(decides_as, self.gates.values(), verdicts))
