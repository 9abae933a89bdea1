"""The checks of ``glidepath doctor`` on the evaluator and the verifier: whether they judge the pairs that they get."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from glidepath_ops.doctor.facts import Finding, fail, ok, warn

_MOST_SILENT = 0.1  # a larger share of pairs without a result, for a fault, is a warning
# Reasons that come from a limit in the configuration, so they are not a fault.
_LIMITS = frozenset({"budget", "rate", "hour_cost", "total_cost", "stopping"})
_SAID = {"evaluator": "judged", "verifier": "verified"}  # the outcome with a result


def examine_instruments(subject: str, workload: str, counts: Mapping[str, int]) -> Iterator[Finding]:
    """Report each configured instrument (evaluator, verifier). ``counts``: as in ``WorkloadStatus.instruments``."""
    for instrument, said in _SAID.items():
        mine = {key.partition(" ")[2]: n for key, n in counts.items() if key.partition(" ")[0] == instrument}
        if mine:
            yield _finding(subject, f"{workload}: {instrument}", mine.pop(said, 0), mine)


def _finding(subject: str, check: str, said: int, silent: Mapping[str, int]) -> Finding:
    none, at_fault = sum(silent.values()), sum(n for reason, n in silent.items() if reason not in _LIMITS)
    total = said + none
    if not none:
        return ok(subject, check, f"a result for each of {total} pairs")
    reasons = ", ".join(f"{n} {reason}" for reason, n in sorted(silent.items(), key=lambda one: -one[1]))
    detail = f"no result for {none} of {total} pairs ({reasons})"
    remedy = "docs/reference/verifier.md and evaluator.md say what each reason means"
    if at_fault and not said:
        return fail(subject, check, detail, remedy)
    if not said or at_fault > (said + at_fault) * _MOST_SILENT:
        return warn(subject, check, detail, remedy)
    return ok(subject, check, detail)
