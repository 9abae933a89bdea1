"""A ramp for tests: its policy, inputs, states, and helpers that run one tick or one command."""

from __future__ import annotations

from dataclasses import replace

from glidepath.config.ramp import RampSection
from glidepath.status_and_decisions import Command, CommandKind, Decision, GateOutcome, Phase
from scorer.steering.ramp.decide import advance
from scorer.steering.ramp.ramp_policy import RampPolicy, policy_of
from scorer.steering.ramp.states import RampState
from scorer.steering.ramp.tick_inputs import TickInputs
from tests.support.scripted_evidence import verdict

RAMP = RampSection(steps=(1, 10, 50, 100), hold="1s", min_samples=10, cool_down="5s", validation="9s")
POLICY = policy_of(RAMP)
PASSING = (verdict("sameness", GateOutcome.PASS), verdict("errors_fast", GateOutcome.INCONCLUSIVE, fast=True))
UNDECIDED = (verdict("sameness", GateOutcome.INCONCLUSIVE),)
REGRESSION = (verdict("sameness", GateOutcome.FAIL),)
CATASTROPHE = (verdict("sameness", GateOutcome.PASS), verdict("errors_fast", GateOutcome.FAIL, fast=True))
GOOD = TickInputs(workload="chat", verdicts=PASSING, samples=100, confirmed=2, envoys=2, config_digest="d")
LATE = 1_000_000


def at(phase: Phase, percent: float, **changes: object) -> RampState:
    state = RampState(phase, percent, since_ms=0, entered_ms=0, held_from=Phase.BAKING, config_digest="d")
    return replace(state, **changes)  # type: ignore[arg-type]


def tick(
    state: RampState, inputs: TickInputs = GOOD, policy: RampPolicy = POLICY, now_ms: int = LATE
) -> tuple[RampState, list[str]]:
    after, decisions = advance(state, inputs, policy, now_ms)
    return after, [d.event for d in decisions]


def command(kind: CommandKind, percent: float | None = None, force: bool = False) -> Command:
    return Command(kind, "ann", "because", percent, force, id="1-0")


def advance_with(
    state: RampState, given: Command, inputs: TickInputs = GOOD, now_ms: int = 500
) -> tuple[RampState, Decision]:
    after, decisions = advance(state, replace(inputs, commands=(given,)), POLICY, now_ms)
    return after, decisions[0]
