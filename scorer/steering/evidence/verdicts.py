"""Build the verdict of a gate, with an estimate of the samples and of the time that the gate still needs."""

from __future__ import annotations

import math

from glidepath.duration_text import duration_text
from glidepath.status_and_decisions import GateOutcome, Verdict
from scorer.steering.evidence.gate_base import FailureCause, Gate

# With fewer samples than _FEW, or less than the fraction _TOO_EARLY of the required evidence, the number of missing
# samples cannot be estimated.
_FEW, _TOO_EARLY = 200, 0.05
_TEXT = {outcome: outcome.value for outcome in GateOutcome}  # an enum's value is a slow property
_PRICE = 1.5  # ln of the factor by which the best alternative of a mixture exceeds the mixture


def verdict_of(gate: Gate, rate: float | None, before: Verdict | None = None) -> Verdict:
    """Return the gate's verdict.

    ``rate``: how many samples per second the gate gets; None or 0 if unknown. ``before``: the last verdict, which is
    returned again while the gate has no data.
    """
    if before is not None and before.n == gate.n == 0 and before.message == _no_data(gate) and decides_as(gate, before):
        return before
    outcome = outcome_of(gate)
    spec, cause = gate.spec, gate.cause
    to_pass, to_fail = gate.pass_peak / spec.pass_at, gate.fail_peak / spec.fail_at
    toward = {GateOutcome.FAIL: to_fail, GateOutcome.PASS: to_pass}
    if outcome is GateOutcome.FAIL and cause is not None and not gate.step_explains_failure:
        value, n, message = cause.value, cause.n, _past(cause, gate.n)
        missing = eta = interval = None
    else:
        value, n, interval = gate.value, gate.n, gate.interval
        missing = _missing(gate) if outcome is GateOutcome.INCONCLUSIVE else None
        eta = missing / rate if missing is not None and rate else None
        message = _message(gate, outcome, missing, eta)
    return Verdict(
        gate=spec.name,
        outcome=_TEXT[outcome],
        value=value,
        limit=spec.limit,
        unit=spec.unit,
        n=n,
        evidence=toward.get(outcome, max(to_pass, to_fail)),
        action=spec.action.value,
        guard=spec.guard or gate.has_nothing_to_measure,
        fast=spec.fast,
        missing=missing,
        eta_s=eta,
        message=message,
        blocks_step=gate.blocks_step,
        basis=gate.basis,
        pairs=gate.pairs if outcome is GateOutcome.FAIL else (),
        evidence_to_pass=to_pass,
        evidence_to_fail=to_fail,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
    )


def _past(cause: FailureCause, n: int) -> str:
    """Return why the gate failed.

    ``n``: the gate's samples now. If they were fewer at the failure, the text says how many.
    """
    return cause.message if n == cause.at else f"when it failed, at sample {cause.at} of this step: {cause.message}"


def outcome_of(gate: Gate) -> GateOutcome:
    """Return whether a gate passes, fails or is inconclusive.

    This takes little time, because the gate's value is computed only if the gate has enough evidence to pass.
    """
    if gate.failed:
        return GateOutcome.FAIL
    if not gate.proven or gate.n == 0 or gate.n < gate.spec.min_samples:
        return GateOutcome.INCONCLUSIVE
    return GateOutcome.PASS if gate.within else GateOutcome.INCONCLUSIVE


def decides_as(gate: Gate, verdict: Verdict) -> bool:
    """Return whether ``verdict`` and the gate's present verdict have the same effect on the ramp.

    The effect is the same if three facts are the same: the outcome, whether the gate blocks steps, and whether it must
    pass.
    """
    same = _TEXT[outcome_of(gate)] == verdict.outcome and gate.blocks_step == verdict.blocks_step
    return same and verdict.guard == (gate.spec.guard or gate.has_nothing_to_measure)


def _missing(gate: Gate) -> int | None:
    """Estimate how many more samples the gate needs to pass or fail; None if this cannot be estimated.

    The estimate uses the present evidence for a pass or for a fail, whichever is nearer to its threshold, and assumes
    that this evidence keeps growing at its rate so far. A mixture first loses about _PRICE, because it does not know
    the alternative, so the growth so far is the evidence plus _PRICE. With few samples or little evidence, such an
    estimate means nothing (ADR 0253). The gate also needs at least ``min_samples`` samples.
    """
    short = max(0, gate.spec.min_samples - gate.n)
    if gate.proven:
        return short or None
    if gate.n < _FEW:
        return None
    fail, passed, fail_at, pass_at = gate.fail_now, gate.pass_now, gate.spec.fail_at, gate.spec.pass_at
    evidence, at = (fail, fail_at) if fail * pass_at > passed * fail_at else (passed, pass_at)
    if evidence < _TOO_EARLY * at:
        return None
    return max(short, 1, math.ceil(gate.n * (at - evidence) / (evidence + _PRICE)))


def _no_data(gate: Gate) -> str:
    return gate.why_no_data or "no data yet"


def _message(gate: Gate, outcome: GateOutcome, missing: int | None, eta: float | None) -> str:
    if gate.n == 0:
        return _no_data(gate)
    text = gate.message()
    if outcome is not GateOutcome.INCONCLUSIVE:
        return text
    if gate.blocks_step:
        return text
    if missing is None:
        return f"{text}; undecided"
    time = f", {duration_text(eta)} at the present rate" if eta is not None else ""
    return f"{text}; undecided, about {missing} more samples{time}"
