"""The checks of ``glidepath doctor`` on the evaluator and the verifier: whether they judge the pairs that they get."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from glidepath_ops.doctor.facts import Finding, Severity, fail, ok, warn

_MOST_SILENT = 0.1  # a larger share of pairs without a result, for a fault, is a warning
# Reasons that come from a limit in the configuration, so they are not a fault.
_LIMITS = frozenset({"budget", "rate", "hour_cost", "total_cost", "stopping"})
_RESULTS = {"evaluator": ("judged", "inconsistent", "equal"), "verifier": ("verified",)}  # the outcomes with a result
_LEAST_ASKED = 20  # pairs that the evaluator was asked about, before its inconsistency is judged
_MOST_INCONSISTENT = 0.5


def examine_instruments(subject: str, workload: str, counts: Mapping[str, int]) -> Iterator[Finding]:
    """Report each instrument (evaluator, verifier) in ``counts``, which are those of ``WorkloadStatus.instruments``."""
    for instrument, with_result in _RESULTS.items():
        counted = {key.partition(" ")[2]: n for key, n in counts.items() if key.partition(" ")[0] == instrument}
        if counted:
            results = {outcome: counted.pop(outcome, 0) for outcome in with_result}
            check = f"{workload}: {instrument}"
            found = _finding(subject, check, sum(results.values()), counted)
            by_position = _by_position(subject, check, results)
            if by_position is None or found.level is not Severity.OK:
                yield found
            if by_position is not None:
                yield by_position


def _by_position(subject: str, check: str, results: Mapping[str, int]) -> Finding | None:
    """Return a warning if the evaluator mostly chooses by the order of the answers, else None.

    Pairs with such a choice count as ties.
    """
    inconsistent = results.get("inconsistent", 0)
    asked = inconsistent + results.get("judged", 0)
    if asked < _LEAST_ASKED or inconsistent <= asked * _MOST_INCONSISTENT:
        return None
    detail = f"in {inconsistent} of {asked} pairs it chose by the order of the answers, so they count as ties"
    return warn(
        subject, check, detail, "choose another model for scoring.evaluator, whose choices depend less on the order"
    )


def _finding(subject: str, check: str, with_result: int, silent: Mapping[str, int]) -> Finding:
    none, at_fault = sum(silent.values()), sum(n for reason, n in silent.items() if reason not in _LIMITS)
    total = with_result + none
    if not none:
        return ok(subject, check, f"a result for each of {total} pairs")
    reasons = ", ".join(f"{n} {reason}" for reason, n in sorted(silent.items(), key=lambda one: -one[1]))
    detail = f"no result for {none} of {total} pairs ({reasons})"
    remedy = "docs/reference/verifier.md and evaluator.md say what each reason means"
    if at_fault and not with_result:
        return fail(subject, check, detail, remedy)
    if not with_result or at_fault > (with_result + at_fault) * _MOST_SILENT:
        return warn(subject, check, detail, remedy)
    return ok(subject, check, detail)
