"""List the gates of a workload at a step, and divide alpha, the accepted probability of a false decision, among them.

A false rollback occurs if *any* deciding gate fails without cause. So for failing, each gate gets a part of
``gates.alpha``, and the parts add up to ``gates.alpha``. A guard's part is half of another gate's part, because a guard
detects gross harm, for which it needs less evidence.

A false promotion occurs only if *every* gate passes, including the gate that should detect the harm. So for passing,
each gate may use the whole of ``gates.alpha`` (intersection-union test: Berger 1982).

See ADR 0040.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from glidepath.config import Workload
from glidepath.config.comparison import FREE_TEXT
from glidepath.config.gates import DEFAULT_FAST_RATIO, EXACT_TASKS, AnyGateConfig, LatencyGateConfig
from glidepath.status_and_decisions import GateAction
from scorer.steering.evidence.gate_specs import ANSWER_KINDS, GateKind, GateSpec

# The relative shares of alpha, by kind of gate. They are scaled so that they add up to alpha.
_PROOF, _GUARD = 1.0, 0.5
_AS_THE_STEP = -1  # stands for the step's least number of samples, if the gate's section sets none
_ENVOY_RATIO = 2.0  # Envoy may fail the candidate's requests this many times as often as the baseline's


_DIRECTED_KINDS = frozenset(
    {
        GateKind.PREFERENCE,
        GateKind.CORRECTNESS,
        GateKind.EXACTNESS,
        GateKind.FEEDBACK,
        GateKind.CLASS_RECALL,
        GateKind.CLASS_PRECISION,
    }
)


def _draft(
    name: str, kind: GateKind, limit: float, unit: str, section: AnyGateConfig | None = None, **changes: Any
) -> GateSpec:
    """Return the definition of a gate before its part of alpha is known. ``section``: the gate's configuration."""
    own = section.min_samples if section else None
    action = getattr(section, "action", None) or GateAction.ROLLBACK
    settings = {"action": action, "min_samples": _AS_THE_STEP if own is None else own, **changes}
    return GateSpec(name, kind, limit, unit, **settings)


def latency_name(gate: LatencyGateConfig) -> str:
    """Return the name of a latency gate, such as ``latency_p99``, ``ttft_p95`` or ``per_token_p50``."""
    return f"{'latency' if gate.signal == 'total' else gate.signal}_{gate.quantile}"


def specs_of(workload: Workload, percent: float | None, *, error_kinds: bool = True) -> tuple[GateSpec, ...]:
    """Return the definitions of the workload's gates for a step, in the order in which the gates are shown.

    - ``percent``: the candidate's configured share; None if it is unknown, in which case there is no split guard
    - ``error_kinds``: whether the reason for each failed request is known; if not, ``candidate_down`` is left out
    """
    drafts = [d for d in _drafts(workload, percent) if error_kinds or d.kind is not GateKind.CANDIDATE_DOWN]
    weights = {d.name: _GUARD if d.guard else _PROOF for d in drafts}
    total = sum(weights[d.name] for d in drafts if d.action is not GateAction.INFORM) or 1.0
    alpha = workload.gates.alpha
    rules = workload.ramp if percent is None else workload.ramp.rules_at(percent)
    return tuple(
        replace(
            d,
            fail_at=math.log(total / (weights[d.name] * alpha)),
            pass_at=math.log(1 / alpha),
            min_samples=0 if d.guard else rules.min_samples if d.min_samples == _AS_THE_STEP else d.min_samples,
        )
        for d in drafts
    )


def judges_answers(workload: Workload) -> bool:
    """Return whether a gate that takes part in decisions judges the workload's answers, not only errors and latency."""
    return any(spec.gating and spec.kind in ANSWER_KINDS for spec in specs_of(workload, None))


def compares_quality(workload: Workload) -> bool:
    """Return whether a deciding gate measures which answer is better, and not only whether the answers differ.

    If the task determines the right answer, a different answer counts as worse.
    """
    determined = workload.task not in FREE_TEXT
    return any(
        spec.gating and (spec.kind in _DIRECTED_KINDS or (determined and spec.kind is GateKind.SAMENESS))
        for spec in specs_of(workload, None)
    )


def _drafts(workload: Workload, percent: float | None) -> list[GateSpec]:
    return [
        *_sameness_drafts(workload),
        *_defect_drafts(workload),
        *_preference_drafts(workload),
        *_correctness_drafts(workload),
        *_feedback_drafts(workload, percent),
        *_class_drafts(workload),
        *_error_drafts(workload, percent),
        *_envoy_drafts(percent),
        *_latency_drafts(workload),
        *_fact_drafts(workload),
        *_split_drafts(workload, percent),
    ]


def _sameness_drafts(workload: Workload) -> list[GateSpec]:
    section = workload.sameness
    if section is None or section.action is None:
        return []
    limits = (
        ("sameness", GateKind.SAMENESS, section.min_agreement),
        ("sameness_margin", GateKind.SAMENESS_MARGIN, section.margin),
    )
    return [_draft(name, kind, limit, "agreement", section) for name, kind, limit in limits if limit is not None]


def _defect_drafts(workload: Workload) -> list[GateSpec]:
    """Return the defects gate, which exists for every task whose answers have a text or tool calls.

    It is a guard: if defects are rare, proving that the candidate has no more of them takes longer than all other
    gates.
    """
    section = workload.gates.defects
    if section is None or workload.task in ("embeddings", "rerank"):
        return []
    limit = section.max_increase
    return [_draft("defects", GateKind.DEFECTS, limit, "share", section, guard=True, increase=True)]


def _preference_drafts(workload: Workload) -> list[GateSpec]:
    """Return the preference gate, which exists if an evaluator judges the workload's answers."""
    section = workload.gates.preference
    if section is None or workload.scoring.evaluator is None or workload.task not in FREE_TEXT:
        return []
    limit = 0.5 - section.margin
    return [_draft("preference", GateKind.PREFERENCE, limit, "preference", section)]


def _correctness_drafts(workload: Workload) -> list[GateSpec]:
    """Return the correctness gate, which exists if a verifier or an exact answer decides correctness. See ADR 0225."""
    section, verifier = workload.gates.correctness, workload.scoring.verifier is not None
    asked = "correctness" in workload.gates.model_fields_set and workload.task in FREE_TEXT  # final answers
    if section is None or not (verifier or asked or workload.task in EXACT_TASKS):
        return []
    noise_pairs = workload.shadow.same_side > 0
    limit = section.limit(verifier=verifier, noise_pairs=noise_pairs)
    kind, increase = (GateKind.CORRECTNESS, True) if verifier else (GateKind.EXACTNESS, noise_pairs)
    return [_draft("correctness", kind, limit, "share", section, increase=increase)]


def _feedback_drafts(workload: Workload, percent: float | None) -> list[GateSpec]:
    """Return the feedback gate, which exists while both sides serve clients.

    It is a guard: users give little feedback, so a proof would take longer than all other gates.
    """
    section = workload.gates.feedback
    if section is None or workload.feedback is None or (percent is not None and not 0 < percent < 100):
        return []
    return [_draft("feedback", GateKind.FEEDBACK, section.margin, "share", section, guard=True, increase=True)]


def _class_drafts(workload: Workload) -> list[GateSpec]:
    """Return two gates for each class in ``scoring.classification.matter``: recall and precision (ADR 0101).

    If the workload has noise pairs, the limit applies to the loss beyond the noise floor. If it has a verifier, there
    is instead one gate for each class, for the loss of correctness (ADR 0225).
    """
    section, classes = workload.gates.classes, dict.fromkeys(workload.scoring.classification.matter)
    if section is None or workload.task not in ("classification", "auto"):
        return []
    increase, limit = workload.shadow.same_side > 0, section.max_loss
    if workload.scoring.verifier is not None:
        kind = GateKind.CORRECTNESS
        return [
            _draft(f"correctness_{name}", kind, limit, "share", section, increase=True, of=name) for name in classes
        ]
    return [
        _draft(f"{measure}_{name}", kind, limit, "share", section, increase=increase, of=name)
        for name in classes
        for measure, kind in (("recall", GateKind.CLASS_RECALL), ("precision", GateKind.CLASS_PRECISION))
    ]


def _error_drafts(workload: Workload, percent: float | None) -> list[GateSpec]:
    """Return the gates on errors, and the guards on failing requests, an unreachable candidate, and leaving clients."""
    drafts, section = [], workload.gates.errors
    if section is not None and section.max_increase is not None:
        limit = section.max_increase
        draft = _draft("errors", GateKind.ERROR_INCREASE, limit, "share", section, increase=True)
        drafts.append(draft)
    if section is not None and section.max_rate is not None:
        name = "errors" if section.max_increase is None else "errors_rate"
        drafts.append(_draft(name, GateKind.ERROR_RATE, section.max_rate, "share", section))
    # The fast guards are a safety net: they stay on if there is no errors gate, or if it is only informational.
    ratio = section.max_ratio if section else DEFAULT_FAST_RATIO
    informs = section is not None and section.fast == "inform"
    action = GateAction.INFORM if informs else GateAction.ROLLBACK
    fast = _draft("errors_fast", GateKind.ERRORS_FAST, ratio, "ratio", section, action=action, fast=True, guard=True)
    left = _draft(
        "clients_leave", GateKind.CLIENTS_LEAVE, ratio, "ratio", section, action=action, fast=True, guard=True
    )
    down = _draft("candidate_down", GateKind.CANDIDATE_DOWN, 0.02, "share", fast=True, guard=True)
    return [*drafts, fast, down, *([] if percent is None or percent <= 0 else [left])]


def _envoy_drafts(percent: float | None) -> list[GateSpec]:
    """Return the guard on requests that Envoy itself failed. It exists while clients' requests go to the candidate."""
    if percent is None or percent <= 0:
        return []
    return [_draft("envoy_failures", GateKind.ENVOY_FAILURES, _ENVOY_RATIO, "ratio", fast=True, guard=True)]


def _latency_drafts(workload: Workload) -> list[GateSpec]:
    """Return the latency gates.

    A gate on the time to the first token is optional if another deciding latency gate judges answers that are not
    streamed, because only streamed answers have this time.
    """
    others = any(s.signal != "ttft" and s.action is not GateAction.INFORM for s in workload.gates.latency)
    return [
        _draft(
            latency_name(section),
            GateKind.LATENCY,
            section.max_ratio,
            "ratio",
            section,
            signal=section.signal,
            quantile=section.quantile,
            optional=others and section.signal == "ttft",
        )
        for section in workload.gates.latency
    ]


def _fact_drafts(workload: Workload) -> list[GateSpec]:
    """Return one gate for each fact in ``gates.signals.of``. See ADR 0102.

    If the workload has no noise pairs, these gates can never decide. Informational gates are then left out. Deciding
    gates remain and are always inconclusive.
    """
    section = workload.gates.signals
    if section is None or workload.task not in FREE_TEXT:
        return []
    if not workload.shadow.same_side and section.action is GateAction.INFORM:
        return []
    return [
        _draft(f"signal_{name}", GateKind.FACT, section.max_increase, "share", section, increase=True, of=name)
        for name in dict.fromkeys(section.of)
    ]


def _split_drafts(workload: Workload, percent: float | None) -> list[GateSpec]:
    if not workload.gates.split or percent is None or not 0 < percent < 100:
        return []
    # With sticky users or conversations, all requests of one user or conversation go to the same side. So the share of
    # requests is weak evidence about the router, and the guard is only informational. A wrong split is caused by the
    # router or by a few busy users. A rollback would correct neither, so the guard only holds (ADR 0053).
    by_users = workload.assignment is not None or (workload.sticky is not None and workload.sticky.route)
    action = GateAction.INFORM if by_users else GateAction.HOLD
    return [_draft("split", GateKind.SPLIT, percent / 100, "share", action=action, guard=True)]
