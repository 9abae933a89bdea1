"""Select the verdicts that cause a rollback, and the verdicts that prevent the next step."""

from __future__ import annotations

from glidepath.status_and_decisions import GateOutcome, Verdict
from scorer.steering.ramp.errors_of_step import errors_of_step
from scorer.steering.ramp.tick_inputs import TickInputs

_ON_ERRORS = frozenset({"errors", "errors_rate", "errors_fast", "candidate_down"})
_PASS, _FAIL = GateOutcome.PASS.value, GateOutcome.FAIL.value  # an enum's value is a slow property


def failed_guards(verdicts: tuple[Verdict, ...]) -> tuple[Verdict, ...]:
    """Return the failing verdicts that cause a rollback."""
    return tuple(v for v in verdicts if v.outcome == _FAIL and v.rolls_back)


def holding_gates(verdicts: tuple[Verdict, ...]) -> tuple[Verdict, ...]:
    """Return the failing verdicts that permit no further step and cause no rollback."""
    return tuple(v for v in verdicts if v.gating and not v.rolls_back and v.outcome == _FAIL)


def failed_gates(inputs: TickInputs) -> tuple[Verdict, ...]:
    """Return the failing verdicts of all deciding gates, whether they cause a rollback or prevent only the next
    step."""
    return tuple(v for v in inputs.all_verdicts if v.outcome == _FAIL and v.gating)


def pending_gates(verdicts: tuple[Verdict, ...]) -> str:
    """Return text that lists each deciding gate that does not permit the next step yet, with the outcome of the
    gate."""
    return ", ".join(_outcome(v) for v in verdicts if v.gating and not _permits_step(v))


def stopping_gates(verdicts: tuple[Verdict, ...]) -> str:
    """Return text that lists each deciding gate that fails, or that forbids a step because both sides fail."""
    stops = (v for v in verdicts if (v.outcome == _FAIL or v.blocks_step) and v.gating)
    return ", ".join(map(_outcome, stops))


def _outcome(verdict: Verdict) -> str:
    return f"{verdict.gate}: both sides fail" if verdict.blocks_step else f"{verdict.gate} {verdict.outcome}"


def _permits_step(verdict: Verdict) -> bool:
    """Return whether a gate with this verdict permits the next step.

    A guard permits the step unless it fails, or unless both sides fail at present. Every other gate must pass.
    """
    if verdict.guard:
        return verdict.outcome != _FAIL and not verdict.blocks_step
    return verdict.outcome == _PASS


def describe(verdict: Verdict) -> str:
    """Return a verdict as text for people: the gate and its message, or its value and limit if there is no message."""
    if verdict.message:
        return f"{verdict.gate}: {verdict.message}"
    value = "?" if verdict.value is None else f"{verdict.value:.4g}"
    limit = "?" if verdict.limit is None else f"{verdict.limit:.4g}"
    return f"{verdict.gate} {value} {verdict.unit} against {limit} (n={verdict.n})"


def describe_failure(verdict: Verdict, inputs: TickInputs) -> str:
    """Return a failing verdict as text for people. If the gate judges errors, name the kinds of the step's errors."""
    kinds = errors_of_step(inputs.errors_before, inputs.error_kinds) if verdict.gate in _ON_ERRORS else ""
    return f"{describe(verdict)}; errors in this step: {kinds}" if kinds else describe(verdict)
