"""The expected time of every step, the gate that takes it, and what to change where a gate cannot decide."""

from __future__ import annotations

import math
from dataclasses import dataclass

from glidepath.config import Workload
from glidepath.config.gates import Quantile
from glidepath.config.ramp import Rules
from scorer.steering.evidence.formatting import duration_words
from scorer.steering.evidence.gate_specs import QUANTILES, specs_of
from scorer.steering.planning.samples_needed import (
    TRIED,
    TRIED_LATENCIES,
    Assumptions,
    Need,
    class_needs,
    needs_of,
    passes_with,
)
from scorer.steering.planning.unprovable_limits import hopeless, no_limit, section_of, unprovable

_FEW = 4  # a quantile q needs about this many samples beyond it: p99 400, p95 80
LOWER: dict[Quantile, tuple[Quantile, ...]] = {"p99": ("p95", "p50"), "p95": ("p50",), "p50": ()}
_PATIENCE = 14 * 86400  # a step that takes longer than this is as good as undecidable


@dataclass(frozen=True, slots=True)
class StepPlan:
    """``slow`` is the gate that takes the most time, or ``hold``; ``seconds`` None: never, or no rate is known."""

    percent: float
    rules: Rules
    candidate_rate: float | None
    pair_rate: float | None
    seconds: float | None
    slow: str
    needs: tuple[Need, ...]
    times: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class WorkloadPlan:
    workload: str
    rate: float | None
    steps: tuple[StepPlan, ...]
    total_seconds: float | None
    warnings: tuple[str, ...]


def plan_workload(name: str, workload: Workload, rate: float | None, assumed: Assumptions) -> WorkloadPlan:
    """``rate``: requests a second of the whole workload, None: not known (then samples, but no times)."""
    steps = tuple(_step(workload, percent, rate, assumed) for percent in (0.0, *workload.ramp.steps))
    times = [step.seconds for step in steps[: _steps_that_promote(workload)]]
    total = math.fsum(t for t in times if t is not None) if all(t is not None for t in times) else None
    return WorkloadPlan(name, rate, steps, total, tuple(_warnings(workload, steps, rate, assumed)))


def _steps_that_promote(workload: Workload) -> int:
    """The shadow step and all but the last, where the workload stays."""
    return len(workload.ramp.steps)


def _step(workload: Workload, percent: float, rate: float | None, assumed: Assumptions) -> StepPlan:
    needs = needs_of(workload, percent, assumed)
    rules = workload.ramp.rules_at(percent)
    if rate is None:
        return StepPlan(percent, rules, None, None, None, "", needs, {})
    rates = _rates(workload, percent, rate)
    times: dict[str, float | None] = {n.gate: _time(n, rates) for n in needs}
    gating = {n.gate: times[n.gate] for n in needs if n.gating}
    gating["hold"] = rules.hold
    gating["min_samples"] = rules.min_samples / rates["requests"] if rates["requests"] else None
    slow = max(gating, key=lambda gate: math.inf if gating[gate] is None else float(gating[gate] or 0))
    return StepPlan(percent, rules, rates["requests"], rates["pairs"], gating[slow], slow, needs, times)


def _rates(workload: Workload, percent: float, rate: float) -> dict[str, float]:
    """A second: the candidate's requests that count, pairs, and noise pairs."""
    shadow, share = workload.shadow, percent / 100
    sampled = rate * shadow.sample / 100
    pairs = sampled * ((1 - share) + share * shadow.reverse / 100)
    noise = sampled * shadow.same_side / 100
    if shadow.budget.requests is not None:
        pairs = min(pairs, shadow.budget.requests / 86400)
    return {"requests": rate * share if percent else sampled, "pairs": pairs, "noise pairs": min(noise, pairs or noise)}


def _time(need: Need, rates: dict[str, float]) -> float | None:
    rate = rates[need.of]
    return need.samples / rate if need.samples is not None and rate > 0 else None


def _warnings(workload: Workload, steps: tuple[StepPlan, ...], rate: float | None, assumed: Assumptions) -> list[str]:
    """What stands in the way, each gate's trouble once with all the steps that have it."""
    said = _said_of_limits(workload)
    places: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    for step in steps[: _steps_that_promote(workload)]:
        for need in step.needs:
            trouble = _trouble(workload, step, need, rate) if need.gating and need.gate not in said else None
            if trouble is not None:
                kind, detail = trouble
                place = f"{step.percent:g} %" if step.percent else "shadow"
                remedy = _enough(workload, need, assumed) if need.samples is None else _sooner(workload, step, need)
                places.setdefault((need.gate, kind, remedy), []).append((place, detail))
    found = [*hopeless(workload), *_about_setup(workload)]
    for (gate, kind, remedy), where in places.items():
        details = ", ".join(f"{place}{detail}" for place, detail in where)
        found.append(f"{gate} {kind} at: {details}. {remedy}")
    return found


def _said_of_limits(workload: Workload) -> frozenset[str]:
    """Gates of whose trouble ``hopeless`` has spoken already, for all steps."""
    found = {spec.name for spec in specs_of(workload, None) if unprovable(workload, spec) or no_limit(spec)}
    return frozenset(found | ({"quality_margin"} if not workload.shadow.same_side else set()))


def _about_setup(workload: Workload) -> list[str]:
    """What takes long, or is missing, whatever the traffic; what can never be is said by ``hopeless``."""
    found, shadow = [], workload.shadow
    for name, pairs in class_needs(workload, (0.0, *workload.ramp.steps[:-1])).items():
        found.append(_about_class(name, pairs, shadow.same_side))
    if workload.ramp.steps[-1] >= 100 and not shadow.sample * shadow.reverse:
        found.append("at 100 % nothing is left to compare with: set shadow.reverse, or gates.errors.max_rate")
    return found


def _about_class(name: str, pairs: tuple[int, ...] | None, same_side: float) -> str:
    if pairs is None:
        more = ", or raise shadow.same_side" if same_side else ""
        return f"{name} does not decide within {TRIED['pairs']:,} pairs of its class: allow a larger max_loss{more}"
    low, high = min(pairs), max(pairs)
    count = f"{low}" if low == high else f"{low} to {high}"
    return f"{name} needs about {count} pairs of its class at each step, however rare that is"


def _trouble(workload: Workload, step: StepPlan, need: Need, rate: float | None) -> tuple[str, str] | None:
    """(what kind, the step's numbers)"""
    if need.samples is None:
        tried = TRIED_LATENCIES if section_of(workload, need.gate) else TRIED[need.of]
        return (f"does not decide within {tried:,} {need.of}", "")
    if rate is None:
        return None
    time = step.times.get(need.gate)
    if time is None:
        return None  # nothing comes at all: said once, for all steps
    few = _too_few(workload, step, need)
    if few is not None:
        return few
    if time > _PATIENCE:
        return (f"takes more than {duration_words(_PATIENCE)}", f" ({need.samples} {need.of}: {duration_words(time)})")
    return None


def _too_few(workload: Workload, step: StepPlan, need: Need) -> tuple[str, str] | None:
    """A quantile's bound is infinite until a few samples lie beyond it."""
    section = section_of(workload, need.gate)
    if section is None or step.candidate_rate is None or need.of != "requests":
        return None
    least = round(_FEW / (1 - QUANTILES[section.quantile]))
    hold = step.rules.hold
    seen = step.candidate_rate * hold
    if not hold or seen >= least:
        return None
    kind = f"sees nothing within the hold of {duration_words(hold)}, below about {least} samples,"
    return (kind, f" ({seen:.0f} samples)")


def _enough(workload: Workload, need: Need, assumed: Assumptions) -> str:
    """What would let a gate decide that no number of samples within reach does; more traffic is no help."""
    section = section_of(workload, need.gate)
    if section is not None:
        lower = LOWER[section.quantile]
        better = next((q for q in lower if passes_with(section, q, workload.gates.alpha, assumed)), None)
        return f"gate on {better} instead, or allow a larger max_ratio" if better else "allow a larger max_ratio"
    if need.of == "noise pairs":
        return "allow a larger margin"
    if need.of == "pairs":
        return "lower min_agreement"
    return f"allow a larger limit (assumed: {assumed.error_rate:.2%} errors on both sides, --error-rate)"


def _sooner(workload: Workload, step: StepPlan, need: Need) -> str:
    """What would let a gate decide sooner."""
    section, shadow = section_of(workload, need.gate), workload.shadow
    if need.samples is not None and need.samples <= step.rules.min_samples:
        return "lower min_samples"
    if section is not None and section.quantile == "p99":
        return "gate on p95 instead (p99 with gating: false), or begin with a larger step"
    if section is not None:
        more = "begin with a larger step" if need.of == "requests" else "raise shadow.sample"
        return (
            f"allow a larger max_ratio, gate on p50, or {more}"
            if section.quantile == "p95"
            else f"allow a larger max_ratio, or {more}"
        )
    if need.of == "noise pairs":
        return "raise shadow.same_side, or allow a larger margin"
    if need.of == "pairs" and shadow.budget.requests is not None:
        return "raise shadow.budget.requests or shadow.sample, or lower min_agreement"
    if need.of == "pairs" and min(shadow.sample, shadow.reverse) < 100:
        return "raise shadow.sample and shadow.reverse, or lower min_agreement"
    if need.of == "pairs":
        return "every request is compared already: add probes, or lower min_agreement"
    return "allow a larger limit, or begin with a larger step"
