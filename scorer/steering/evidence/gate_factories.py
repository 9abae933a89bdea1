"""Build the gates of a step from their definitions: the table from each kind of gate to its class."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from glidepath.config import Workload
from glidepath.config.latency_quantiles import QUANTILES
from scorer.steering.evidence.clients_leave_gate import ClientsLeaveGate
from scorer.steering.evidence.correctness_gate import CorrectnessGate
from scorer.steering.evidence.defects_gate import DefectsGate
from scorer.steering.evidence.envoy_failures_gate import EnvoyFailuresGate
from scorer.steering.evidence.error_gates import IncreaseGate, RateGate
from scorer.steering.evidence.fast_guards import FastGate, UnreachableGate
from scorer.steering.evidence.feedback_gate import FeedbackGate
from scorer.steering.evidence.gate_base import Gate, StepRequests
from scorer.steering.evidence.gate_specs import GateKind, GateSpec
from scorer.steering.evidence.latency_gates import LatencyGate
from scorer.steering.evidence.latency_samples import LatencySignal
from scorer.steering.evidence.pair_gates import pair_gate
from scorer.steering.evidence.paired_evidence import PairedErrors, PairedLatency
from scorer.steering.evidence.paired_gate import GROSS_INCREASE, GROSS_RATIO, PairedGate, gross_spec
from scorer.steering.evidence.preference_gate import PreferenceGate
from scorer.steering.evidence.rate_change import FailureCounts
from scorer.steering.evidence.recent_rates import CandidateShare
from scorer.steering.evidence.sameness_gates import SamenessGate, SamenessMarginGate
from scorer.steering.evidence.split_gate import SplitGate


@dataclass(frozen=True, slots=True)
class GateInputs:
    """The facts about a step from which its gates are built, and the counts and samples that the gates share.

    - ``signal``: returns the samples of a latency signal
    - ``floor``: an error rate of the candidate up to this value is not a catastrophe
    - ``prior``: the candidate's expected share of the requests
    - ``prior_of_clients``: its expected share of the clients' requests
    - ``before``: the requests before the step, and how many of them Envoy itself failed
    - ``sides_differ``: whether the two sides serve different users
    - ``other_users``: whether this also makes their error rates differ (baseline_rates.py)
    - ``compares_copies``: whether results of copies of one request at both sides are known
    """

    step: StepRequests
    signal: Callable[[str], LatencySignal]
    floor: float
    prior: CandidateShare
    prior_of_clients: CandidateShare
    before: FailureCounts
    sides_differ: bool
    other_users: bool
    compares_copies: bool


def build_gates(specs: Iterable[GateSpec], inputs: GateInputs) -> dict[str, Gate]:
    """Return a gate for each definition, by name and in the order of the definitions.

    The fast guard must come before the unreachable guard, which uses its state.
    """
    built: dict[str, Gate] = {}
    for spec in specs:
        if spec.kind is GateKind.CANDIDATE_DOWN:
            built[spec.name] = UnreachableGate(spec, inputs.step, fast_guard(built))
        else:
            built[spec.name] = _FACTORIES[spec.kind](spec, inputs)
    return built


def fast_guard(gates: Mapping[str, Gate]) -> FastGate:
    """Return the fast guard ``errors_fast``. Every step has it."""
    gate = gates["errors_fast"]
    assert isinstance(gate, FastGate)  # noqa: S101 - for the type checker
    return gate


def compares_copies(workload: Workload, percent: float | None) -> bool:
    """Return whether requests are copied to both sides at the step with the candidate's share ``percent``.

    Only a part of the requests that the baseline serves is copied to both sides (``shadow.same_side``).
    """
    shadow = workload.shadow
    return shadow.same_side > 0 and shadow.sample > 0 and (percent is None or percent < 100)


def _latency_gate(spec: GateSpec, inputs: GateInputs) -> Gate:
    if spec.quantile is None:
        raise ValueError(f"{spec.name}: a latency gate needs a quantile")
    q, signal = QUANTILES[spec.quantile], inputs.signal(spec.signal)
    share = 0.5 if spec.signal == "per_token" else inputs.prior.value  # pairs have an answer of each side
    live = LatencyGate(spec, q, signal, share)
    if not inputs.compares_copies:
        return live
    gross = None
    if inputs.sides_differ:
        gross = LatencyGate(gross_spec(spec, spec.limit * GROSS_RATIO), q, signal, share, shown=False)
    return PairedGate(spec, PairedLatency(spec, q, signal), live, gross)


def _increase_gate(spec: GateSpec, inputs: GateInputs) -> Gate:
    live = IncreaseGate(spec, inputs.step, other_users=inputs.other_users)
    if not inputs.compares_copies:
        return live
    gross, wide = None, gross_spec(spec, spec.limit + GROSS_INCREASE)
    if inputs.sides_differ:
        gross = IncreaseGate(wide, inputs.step, other_users=inputs.other_users)
    return PairedGate(spec, PairedErrors(spec), live, gross)


# How a gate of each kind is built, except the unreachable guard.
_FACTORIES: dict[GateKind, Callable[[GateSpec, GateInputs], Gate]] = {
    GateKind.SAMENESS: lambda spec, inputs: SamenessGate(spec),
    GateKind.SAMENESS_MARGIN: lambda spec, inputs: SamenessMarginGate(spec),
    GateKind.DEFECTS: lambda spec, inputs: DefectsGate(spec),
    GateKind.PREFERENCE: lambda spec, inputs: PreferenceGate(spec),
    GateKind.CORRECTNESS: lambda spec, inputs: CorrectnessGate(spec),
    GateKind.EXACTNESS: lambda spec, inputs: pair_gate(spec),
    GateKind.FEEDBACK: lambda spec, inputs: FeedbackGate(spec),
    GateKind.CLASS_RECALL: lambda spec, inputs: pair_gate(spec),
    GateKind.CLASS_PRECISION: lambda spec, inputs: pair_gate(spec),
    GateKind.FACT: lambda spec, inputs: pair_gate(spec),
    GateKind.ERROR_INCREASE: _increase_gate,
    GateKind.ERROR_RATE: lambda spec, inputs: RateGate(spec, inputs.step),
    GateKind.ERRORS_FAST: lambda spec, inputs: FastGate(
        spec, inputs.step, inputs.floor, inputs.prior, other_users=inputs.other_users
    ),
    GateKind.CLIENTS_LEAVE: lambda spec, inputs: ClientsLeaveGate(
        spec, inputs.floor, inputs.prior, sides_differ=inputs.sides_differ
    ),
    GateKind.ENVOY_FAILURES: lambda spec, inputs: EnvoyFailuresGate(spec, inputs.prior_of_clients, inputs.before),
    GateKind.LATENCY: _latency_gate,
    GateKind.SPLIT: lambda spec, inputs: SplitGate(spec),
}
