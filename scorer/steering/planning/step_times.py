"""Estimate how long each step of a ramp takes and which gate takes the longest. Advise if a gate cannot decide."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from glidepath.config import Workload
from glidepath.config.latency_quantiles import QUANTILES, Quantile
from glidepath.config.ramp import EffectiveRules
from glidepath.duration_text import duration_text
from glidepath.status_and_decisions import GateAction
from scorer.steering.evidence.gates_of_workload import latency_name, specs_of
from scorer.steering.planning.samples_needed import (
    TRIED,
    TRIED_LATENCIES,
    Assumptions,
    Need,
    class_needs,
    needs_of,
    passes_with,
)
from scorer.steering.planning.unprovable_limits import (
    judging_note,
    no_limit,
    section_of,
    undecidable_gates,
    unprovable,
)

_MUCH_PER_HOUR = 10_000  # requests; at this rate or above, a p99 is proven within usual holds
_RAMPS = 1000  # simulated ramps, for the quantiles of the whole time
_FEW = 4  # a quantile needs about this many samples beyond it: p99 needs 400 samples in all, p95 needs 80
_MOST_STEP_S = 14 * 86400  # a step that takes longer than this counts as undecidable


@dataclass(frozen=True, slots=True)
class StepPlan:
    """The estimate for one step.

    - ``percent``, ``rules``: the candidate's share at the step, and the step's rules
    - ``candidate_rate``: how many of the candidate's requests count per second; None if unknown
    - ``pair_rate``: the number of cross pairs per second; None if unknown
    - ``seconds``: the duration of the step; None if it never ends, or if the workload's rate of requests is unknown
    - ``each_seconds``: the duration in each of many simulated ramps; infinite where it never ends; () if it is unknown
    - ``slow``: the deciding gate or the rule (``hold`` or ``min_samples``) that takes the most time
    - ``needs``: how many samples the gates need
    - ``times``: gate → the seconds until it passes; None if the gate cannot decide or gets no samples
    """

    percent: float
    rules: EffectiveRules
    candidate_rate: float | None
    pair_rate: float | None
    seconds: float | None
    slow: str
    needs: tuple[Need, ...]
    times: dict[str, float | None]
    each_seconds: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkloadPlan:
    """The estimate for a workload's ramp.

    - ``total_seconds``, ``p90_seconds``: the median and the 90th percentile of the time until the last step; None if
      too many ramps never reach it, or if the rate is unknown
    - ``sigma``: the standard deviation of ln(total time); ``sigma_from``: from how many answers it was measured, 0 if
      it is assumed
    """

    workload: str
    rate: float | None
    steps: tuple[StepPlan, ...]
    total_seconds: float | None
    p90_seconds: float | None
    sigma: float
    sigma_from: int
    warnings: tuple[str, ...]
    note: str = ""  # names the questions about the answers that no gate decides


def plan_workload(name: str, workload: Workload, rate: float | None, assumed: Assumptions) -> WorkloadPlan:
    """Return the estimates for all steps of the workload ``name``, and warnings.

    ``rate``: the requests per second of the whole workload. If it is None (unknown), no times are estimated.
    ``assumed``: the assumptions about a healthy candidate.
    """
    steps = tuple(_step(workload, percent, rate, assumed) for percent in (0.0, *workload.ramp.steps))
    steps_up = steps[: _steps_that_promote(workload)]
    totals = [math.fsum(ramp) for ramp in zip(*(step.each_seconds for step in steps_up), strict=True)]
    median, p90 = (_quantile(totals, q) for q in (0.5, 0.9))
    warnings, note = tuple(_warnings(workload, steps, rate, assumed)), judging_note(workload)
    return WorkloadPlan(name, rate, steps, median, p90, assumed.sigma, assumed.measured, warnings, note)


def _quantile(seconds: Sequence[float], q: float) -> float | None:
    """Return a quantile by nearest rank; None if it is infinite, or without data."""
    found = sorted(seconds)[math.ceil(q * len(seconds)) - 1] if seconds else math.inf
    return found if math.isfinite(found) else None


def _steps_that_promote(workload: Workload) -> int:
    """Return the number of steps after which the ramp goes up: the shadow step and all steps but the last."""
    return len(workload.ramp.steps)


def _step(workload: Workload, percent: float, rate: float | None, assumed: Assumptions) -> StepPlan:
    needs = needs_of(workload, percent, assumed)
    rules = workload.ramp.rules_at(percent)
    if rate is None:
        return StepPlan(percent, rules, None, None, None, "", needs, {})
    rates = _rates(workload, percent, rate)
    needs = tuple(_quicker(need, rates) for need in needs)
    times: dict[str, float | None] = {n.gate: _time(n, rates) for n in needs}
    gating = {n.gate: times[n.gate] for n in needs if n.gating}
    gating["hold"] = rules.hold
    gating["min_samples"] = rules.min_samples / rates["requests"] if rates["requests"] else None
    slow = max(gating, key=lambda gate: math.inf if gating[gate] is None else float(gating[gate] or 0))
    least = max(_or_endless(gating["hold"]), _or_endless(gating["min_samples"]))
    each = _draw([n for n in needs if n.gating], rates, least, percent)
    return StepPlan(percent, rules, rates["requests"], rates["pairs"], gating[slow], slow, needs, times, each)


def _or_endless(seconds: float | None) -> float:
    return math.inf if seconds is None else seconds


def _quicker(need: Need, rates: Mapping[str, float]) -> Need:
    """Return the need that is met sooner: for live requests, or for copies if the gate can pass by copies."""
    copies = need.copies
    if copies is None:
        return need
    live_s, copies_s = (_or_endless(_time(one, rates)) for one in (need, copies))
    return copies if copies_s < live_s else need


def _draw(needs: Sequence[Need], rates: Mapping[str, float], least: float, percent: float) -> tuple[float, ...]:
    """Return the duration of the step in each of _RAMPS ramps. Each gate's time is drawn from its simulations.

    ``least``: the minimum duration of the step, in seconds.
    """
    rng = np.random.default_rng(round(100 * percent))
    seconds = np.full(_RAMPS, least)
    for need in needs:
        rate = rates[need.of]
        each = np.array([math.inf if n is None or rate <= 0 else n / rate for n in need.each])
        seconds = np.maximum(seconds, rng.choice(each, _RAMPS))
    return tuple(seconds.tolist())


def _rates(workload: Workload, percent: float, rate: float) -> dict[str, float]:
    """Return how many samples of each kind there are per second at the step ``percent``.

    The kinds are ``requests`` (those of the candidate that count), ``pairs`` (cross pairs), ``judged pairs`` (judged by
    the evaluator), ``verified pairs`` (checked by the verifier), ``noise pairs`` and ``copies`` (pairs of copies of one
    request at both sides).
    """
    shadow, share = workload.shadow, percent / 100
    sampled = rate * shadow.sample / 100
    pairs = sampled * ((1 - share) + share * shadow.reverse / 100)
    noise = sampled * shadow.same_side / 100
    if shadow.budget.requests is not None:
        pairs = min(pairs, shadow.budget.requests / 86400)
    evaluator = workload.scoring.evaluator
    judged = min(pairs * evaluator.sample, evaluator.budget / 86400) if evaluator else 0.0
    verifier = workload.scoring.verifier
    verified = min(pairs * verifier.sample, verifier.per_second) if verifier else 0.0
    return {
        "requests": rate * share if percent else sampled,
        "pairs": pairs,
        "judged pairs": judged,
        "verified pairs": verified,
        "noise pairs": min(noise, pairs or noise),
        "copies": min(noise * (1 - share), pairs),
    }


def _time(need: Need, rates: Mapping[str, float]) -> float | None:
    rate = rates[need.of]
    return need.samples / rate if need.samples is not None and rate > 0 else None


def _warnings(workload: Workload, steps: tuple[StepPlan, ...], rate: float | None, assumed: Assumptions) -> list[str]:
    """Return warnings about everything that prevents or delays a decision of a gate.

    If the same obstacle occurs at several steps, one warning names all of them.
    """
    covered = _covered_by_limits(workload)
    places: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    for step in steps[: _steps_that_promote(workload)]:
        for need in step.needs:
            obstacle = _obstacle(workload, step, need, rate) if need.gating and need.gate not in covered else None
            if obstacle is not None:
                kind, detail = obstacle
                place = f"{step.percent:g} %" if step.percent else "shadow"
                remedy = (
                    _advice_if_undecided(workload, need, assumed)
                    if need.samples is None
                    else _advice_if_late(workload, step, need)
                )
                places.setdefault((need.gate, kind, remedy), []).append((place, detail))
    found = [*undecidable_gates(workload), *_about_setup(workload)]
    for (gate, kind, remedy), where in places.items():
        details = ", ".join(f"{place}{detail}" for place, detail in where)
        found.append(f"{gate} {kind} at: {details}. {remedy}")
    return [*found, *_rare_quantiles(workload, rate)]


def _rare_quantiles(workload: Workload, rate: float | None) -> list[str]:
    """Return a warning about each gate on a p99 for which the workload has too few requests per second."""
    if rate is None or rate * 3600 >= _MUCH_PER_HOUR:
        return []
    return [
        f"{latency_name(gate)}: at {rate * 3600:,.0f} requests an hour, it takes long to prove a p99; below"
        f" {_MUCH_PER_HOUR:,} an hour, gate on p95, or on signal: per_token"
        for gate in workload.gates.latency
        if gate.quantile == "p99" and gate.action is not GateAction.INFORM
    ]


def _covered_by_limits(workload: Workload) -> frozenset[str]:
    """Return the names of the gates about which ``undecidable_gates`` warns. They need no warning for each step."""
    found = {spec.name for spec in specs_of(workload, None) if unprovable(workload, spec) or no_limit(spec)}
    return frozenset(found | ({"sameness_margin"} if not workload.shadow.same_side else set()))


def _about_setup(workload: Workload) -> list[str]:
    """Return warnings about class gates and the last step, which do not depend on the traffic."""
    found, shadow = [], workload.shadow
    for name, pairs in class_needs(workload, (0.0, *workload.ramp.steps[:-1])).items():
        found.append(_about_class(name, pairs, shadow.same_side))
    if workload.ramp.steps[-1] >= 100 and not shadow.sample * shadow.reverse:
        found.append("at 100 % there is nothing to compare with: set shadow.reverse, or gates.errors.max_rate")
    return found


def _about_class(name: str, pairs: tuple[int, ...] | None, same_side: float) -> str:
    if pairs is None:
        more = ", or raise shadow.same_side" if same_side else ""
        return f"{name} does not decide within {TRIED['pairs']:,} pairs of its class: allow a larger max_loss{more}"
    low, high = min(pairs), max(pairs)
    count = f"{low}" if low == high else f"{low} to {high}"
    return f"{name} needs about {count} pairs of its class at each step, even if the class is rare"


def _obstacle(workload: Workload, step: StepPlan, need: Need, rate: float | None) -> tuple[str, str] | None:
    """Return the obstacle that prevents or delays the gate's decision at this step; None if there is none.

    An obstacle is a pair of texts: the first is the same for all steps, and the second has this step's numbers.
    ``rate``: the requests per second of the workload; None if unknown.
    """
    if need.samples is None:
        tried = TRIED_LATENCIES if section_of(workload, need.gate) else TRIED[need.of]
        return (f"does not decide within {tried:,} {need.of}", "")
    if rate is None:
        return None
    time = step.times.get(need.gate)
    if time is None:
        return None  # there are no samples at all, which is reported once for all steps
    few = _too_few(workload, step, need)
    if few is not None:
        return few
    if time > _MOST_STEP_S:
        return (
            f"takes more than {duration_text(_MOST_STEP_S)}",
            f" ({need.samples} {need.of}: {duration_text(time)})",
        )
    return None


def _too_few(workload: Workload, step: StepPlan, need: Need) -> tuple[str, str] | None:
    """Return an obstacle if a latency gate gets too few samples within the step's hold; None if it gets enough.

    A latency gate needs at least a few samples beyond its quantile. For the form of an obstacle, see ``_obstacle``.
    """
    section = section_of(workload, need.gate)
    if section is None or step.candidate_rate is None or need.of != "requests":
        return None
    least = round(_FEW / (1 - QUANTILES[section.quantile]))
    hold = step.rules.hold
    seen = step.candidate_rate * hold
    if not hold or seen >= least:
        return None
    kind = f"gets too few samples within the hold of {duration_text(hold)}, below about {least} samples,"
    return (kind, f" ({seen:.0f} samples)")


def _advice_if_undecided(workload: Workload, need: Need, assumed: Assumptions) -> str:
    """Return advice about a gate that does not decide with any number of samples that was tried."""
    section = section_of(workload, need.gate)
    if section is not None:
        lower = _lower_quantiles(section.quantile)
        better = next((q for q in lower if passes_with(section, q, workload.gates.alpha, assumed)), None)
        return f"gate on {better} instead, or allow a larger max_ratio" if better else "allow a larger max_ratio"
    if need.of in ("noise pairs", "copies"):
        return "allow a larger margin"
    if need.of in ("judged pairs", "verified pairs") or need.gate == "correctness":
        return "allow a larger margin"
    if need.of == "pairs":
        return "lower min_agreement"
    return f"allow a larger limit (assumed: {assumed.error_rate:.2%} errors on both sides, --error-rate)"


def _lower_quantiles(quantile: Quantile) -> tuple[Quantile, ...]:
    """Return the allowed quantiles below ``quantile``, the highest first."""
    lower = (name for name, q in QUANTILES.items() if q < QUANTILES[quantile])
    return tuple(sorted(lower, key=lambda name: QUANTILES[name], reverse=True))


def _advice_if_late(workload: Workload, step: StepPlan, need: Need) -> str:
    """Return advice about a gate that can decide, but too late."""
    section, shadow = section_of(workload, need.gate), workload.shadow
    if need.samples is not None and need.samples <= step.rules.min_samples:
        return "lower min_samples"
    if section is not None:
        lower = _lower_quantiles(section.quantile)
        more = "begin with a larger step" if need.of == "requests" else "raise shadow.sample"
        if len(lower) > 1:
            return f"gate on {lower[0]} instead ({section.quantile} with action: inform), or begin with a larger step"
        gate_lower = f", gate on {lower[0]}," if lower else ","
        return f"allow a larger max_ratio{gate_lower} or {more}"
    if need.of in ("noise pairs", "copies"):
        return "raise shadow.same_side, or allow a larger margin"
    if need.of == "judged pairs":
        return "raise scoring.evaluator.sample and scoring.evaluator.budget, or allow a larger margin"
    if need.of == "verified pairs":
        return "raise scoring.verifier.sample and scoring.verifier.per_second, or allow a larger margin"
    easier = "allow a larger margin" if need.gate == "correctness" else "lower min_agreement"
    if need.of == "pairs" and shadow.budget.requests is not None:
        return f"raise shadow.budget.requests or shadow.sample, or {easier}"
    if need.of == "pairs" and min(shadow.sample, shadow.reverse) < 100:
        return f"raise shadow.sample and shadow.reverse, or {easier}"
    if need.of == "pairs":
        return f"every request is already compared: add probes, or {easier}"
    return "allow a larger limit, or begin with a larger step"
