"""The definition of a gate: its kind, its limit, and the evidence that it needs to decide."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from glidepath.config.latency_quantiles import Quantile
from glidepath.status_and_decisions import GateAction


class GateKind(StrEnum):
    """The kind of a gate. There may be several gates of one kind: one for each class, fact or latency quantile."""

    SAMENESS = "sameness"
    SAMENESS_MARGIN = "sameness_margin"
    DEFECTS = "defects"
    PREFERENCE = "preference"
    CORRECTNESS = "correctness"
    EXACTNESS = "exactness"
    FEEDBACK = "feedback"
    CLASS_RECALL = "class_recall"
    CLASS_PRECISION = "class_precision"
    ERROR_INCREASE = "error_increase"
    ERROR_RATE = "error_rate"
    ERRORS_FAST = "errors_fast"
    CANDIDATE_DOWN = "candidate_down"
    CLIENTS_LEAVE = "clients_leave"
    ENVOY_FAILURES = "envoy_failures"
    LATENCY = "latency"
    FACT = "fact"
    SPLIT = "split"


ANSWER_KINDS = frozenset(
    {
        GateKind.SAMENESS,
        GateKind.SAMENESS_MARGIN,
        GateKind.PREFERENCE,
        GateKind.CORRECTNESS,
        GateKind.EXACTNESS,
        GateKind.CLASS_RECALL,
        GateKind.CLASS_PRECISION,
        GateKind.FACT,
    }
)


@dataclass(frozen=True, slots=True)
class GateSpec:
    """The definition of one gate.

    - ``limit``, ``unit``: the limit of the gate's value, and the unit of both
    - ``fail_at``, ``pass_at``: the evidence, ln(1/α), that the gate needs to fail or to pass
    - ``action``: what the gate does when it fails
    - ``fast``: whether a failure causes a rollback to 0 % at once
    - ``guard``: whether the gate need not pass before the next step, but must not fail
    - ``increase``: whether the limit applies to the increase over the baseline's rate or over the noise floor
    - ``min_samples``: the number of samples that the gate needs before it may pass
    - ``of``: for a gate that counts events in pairs, the class or the fact that the event is about
    - ``signal``, ``quantile``: for a latency gate, what is measured and which quantile is compared
    - ``optional``: for a latency gate, whether it need not pass if the traffic has nothing that it can measure
    """

    name: str
    kind: GateKind
    limit: float
    unit: str
    fail_at: float = math.inf
    pass_at: float = math.inf
    action: GateAction = GateAction.ROLLBACK
    fast: bool = False
    guard: bool = False
    increase: bool = False
    min_samples: int = 0
    of: str = ""
    signal: str = ""
    quantile: Quantile | None = None
    optional: bool = False

    @property
    def alpha(self) -> float:
        """The probability of a false promotion, which is the workload's whole alpha."""
        return math.exp(-self.pass_at)

    @property
    def gating(self) -> bool:
        """Whether the gate takes part in decisions."""
        return self.action is not GateAction.INFORM

    @property
    def on_pairs(self) -> bool:
        """Whether the gate judges scored pairs, and not the clients' requests."""
        return self.kind in ANSWER_KINDS or self.kind is GateKind.DEFECTS
