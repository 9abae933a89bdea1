"""Find gates that can never decide: no number of samples can prove that their limit is met, or they get no samples.

Pure: no I/O.
"""

from __future__ import annotations

from glidepath.config import Config, Workload
from glidepath.config.comparison import EvaluatorSection
from glidepath.config.gates import LatencyGateConfig
from glidepath.status_and_decisions import GateAction
from scorer.steering.evidence.gate_specs import GateKind, GateSpec
from scorer.steering.evidence.gates_of_workload import compares_quality, judges_answers, latency_name, specs_of
from scorer.steering.planning.mixed_embedding_vectors import mixed_vectors

# The range of the gates' own tests (scorer/steering/evidence/error_gates.py).
LEAST_RATE, MOST_RATE, MOST_INCREASE = 1e-6, 1 - 1e-6, 0.98
# Buckets are 1.09 % apart, and a proof loses up to two buckets, so equal sides never prove a smaller ratio.
LEAST_RATIO = 2 ** (2 / 64)
_ERROR_KINDS = (GateKind.ERROR_INCREASE, GateKind.ERROR_RATE)


def undecidable_gates(workload: Workload) -> tuple[str, ...]:
    """Return one text for each reason why a deciding gate can never pass, or can never fail, with any traffic.

    Each text also says what to change.
    """
    found = [*_about_setup(workload)]
    for spec in specs_of(workload, None):
        reason = unprovable(workload, spec) if spec.gating and not spec.guard else ""
        if reason and reason not in found:
            found.append(reason)
    return tuple(found)


def undecidable_in_config(config: Config, name: str) -> tuple[str, ...]:
    """Return the texts of ``undecidable_gates`` for the workload ``name``, with the results of two more checks.

    These are the texts of ``mixed_vectors``, and a text if the workload has a capacity gate that takes part in
    decisions but the candidate's backend has no capacity section.
    """
    workload = config.workload(name)
    found = (*undecidable_gates(workload), *mixed_vectors(workload))
    capacity, candidate = workload.gates.capacity, workload.candidate
    if capacity is None or capacity.action is GateAction.INFORM or config.backends[candidate].capacity is not None:
        return found
    lack = f"capacity: backends.{candidate} has no capacity section to read, so no step is ever taken; add one"
    return (*found, lack)


def unprovable(workload: Workload, spec: GateSpec) -> str:
    """Return a text that says why a healthy candidate can never pass this gate, and what to change; "" if it can."""
    section = section_of(workload, spec.name)
    if section is not None:
        return _ratio(spec.name, section)
    if spec.kind is GateKind.SAMENESS and spec.limit > MOST_RATE:
        return (
            "sameness: no number of pairs proves a mean agreement of 1; set min_agreement below what the baseline"
            " reaches with itself (glidepath calibrate proposes a value)"
        )
    if spec.kind in _ERROR_KINDS and spec.limit < LEAST_RATE:
        key, of, like = ("max_increase", "an increase", "0.5%") if spec.increase else ("max_rate", "a rate", "1%")
        return f"{spec.name}: no number of requests proves {of} of 0; set errors.{key} to what may be lost, e.g. {like}"
    return ""


def section_of(workload: Workload, gate: str) -> LatencyGateConfig | None:
    """Return the configuration section of the latency gate named ``gate``; None for any other gate."""
    return next((s for s in workload.gates.latency if latency_name(s) == gate), None)


def _ratio(name: str, section: LatencyGateConfig) -> str:
    if section.max_ratio >= LEAST_RATIO:
        return ""
    advice = f"set max_ratio above {LEAST_RATIO:.3f}, e.g. 1.2, unless this is intended"
    if section.max_ratio > 1:
        return f"{name}: max_ratio {section.max_ratio:g} is finer than the resolution of measured latencies; {advice}"
    return (
        f"{name}: max_ratio {section.max_ratio:g} requires a candidate that is faster than the baseline; no number"
        f" of samples passes a candidate that is equally fast; {advice}"
    )


def judging_note(workload: Workload) -> str:
    """Return one line about a missing gate on the answers, and what to add; "" if no such gate is missing.

    Without a gate on answers, some steps need an approval. Without a gate that distinguishes better from worse answers,
    only the difference between the answers decides about the candidate, and not their quality.
    """
    limit = workload.ramp.unjudged_limit
    if not judges_answers(workload) and workload.ramp.steps[-1] > limit:
        return (
            f"no gate judges the answers, so a person must approve each step above {limit:g} %; set shadow.same_side,"
            " e.g. 5, to compare the answers with the noise floor, or scoring.evaluator or scoring.verifier, to learn"
            " which answer is better"
        )
    if compares_quality(workload):
        return ""
    return (
        "no gate says which answer is better, only whether answers differ or have a defect; add scoring.evaluator,"
        " scoring.verifier or feedback"
    )


def _about_setup(workload: Workload) -> list[str]:
    found, shadow, gates = [], workload.shadow, workload.gates
    sameness = workload.sameness
    if sameness and sameness.action is not GateAction.INFORM and sameness.margin is not None and not shadow.same_side:
        found.append("sameness_margin cannot decide without noise pairs: set shadow.same_side, e.g. 10")
    if not shadow.sample or shadow.budget.requests == 0:
        key = "shadow.budget.requests" if shadow.sample else "shadow.sample"
        found.append(
            f"nothing is copied ({key} is 0): at 0 % no gate can pass, so use glidepath promote there; the gates of"
            " sameness can pass at no step"
        )
    evaluator = workload.scoring.evaluator
    zero = _zero_budget(evaluator) if evaluator is not None else ""
    if zero and any(spec.name == "preference" and spec.gating for spec in specs_of(workload, None)):
        found.append(f"preference cannot decide: scoring.evaluator.{zero}")
    if gates.signals and gates.signals.action is not GateAction.INFORM and not shadow.same_side:
        found.append("the gates of gates.signals cannot decide without noise pairs: set shadow.same_side, e.g. 10")
    matter = workload.scoring.classification.matter
    if matter and workload.task not in ("classification", "auto"):
        found.append(
            f"classes: matter names {matter[0]}, but answers of task {workload.task} have no class, so it gets no gate"
        )
    for spec in specs_of(workload, None):
        if spec.gating and no_limit(spec):
            like = "0.5%" if spec.increase else "1%"
            found.append(
                f"{spec.name}: {spec.limit:.0%} limits nothing, because every candidate meets it; set e.g. {like}"
            )
    return found


def _zero_budget(evaluator: EvaluatorSection) -> str:
    """Return a text that names an evaluator's budget that is 0, and what to set; "" if no budget is 0."""
    if not evaluator.budget:
        return "budget is 0, so no pair is judged; set it, e.g. to 1000"
    limits = evaluator.max_cost
    if limits is not None and 0 in (limits.per_hour, limits.total):
        return "max_cost is 0, so no pair is judged; set it, e.g. to {per_hour: 1, total: 100}"
    return ""


def no_limit(spec: GateSpec) -> bool:
    """Return whether the limit of an error gate is so high that every candidate meets it."""
    return spec.kind in _ERROR_KINDS and spec.limit > (MOST_INCREASE if spec.increase else MOST_RATE)
