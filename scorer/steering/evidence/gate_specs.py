"""Which gates a workload has at a step, and how its budget for false decisions is shared among them.

A false rollback is *any* gating gate failing without cause, so the gates' α_k add up to ``gates.alpha``. A false
promotion needs *every* gate to pass, the one that guards the harm included, so each may use the whole of alpha
(intersection-union: Berger 1982). Guards get half of a gate's share: what they look for is gross, and soon seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from glidepath.config import Workload
from glidepath.config.gates import Gate, LatencyGate

QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
DEFAULT_MAX_RATIO = 2.0  # of the fast guard, where no errors gate says otherwise

# Shares of alpha by kind of gate, before they are scaled to add up to it.
_PROOF, _GUARD = 1.0, 0.5


@dataclass(frozen=True, slots=True)
class GateSpec:
    """``fail_at``, ``pass_at``: ln(1/α). A ``guard`` only has to stay quiet; ``increase``: over the baseline.

    ``of``: the class or the signal whose rate among pairs is looked at.
    """

    name: str
    limit: float
    unit: str
    fail_at: float
    pass_at: float
    gating: bool = True
    fast: bool = False
    guard: bool = False
    increase: bool = False
    min_samples: int = 0
    of: str = ""


@dataclass(frozen=True, slots=True)
class _Draft:
    name: str
    limit: float
    unit: str
    section: Gate | None = None
    gating: bool = True
    fast: bool = False
    guard: bool = False
    increase: bool = False
    of: str = ""


def latency_name(gate: LatencyGate) -> str:
    """``latency_p99``, ``ttft_p95``, ``per_token_p50``."""
    return f"{'latency' if gate.signal == 'total' else gate.signal}_{gate.quantile}"


def specs_of(workload: Workload, percent: float | None, *, kinds: bool = True) -> tuple[GateSpec, ...]:
    """The gates at ``percent`` (None: not known, so no guard of the split), in the order in which they are shown.

    ``kinds``: whether it is known why a request failed; else nobody can say whether the candidate is unreachable.
    """
    drafts = [d for d in _drafts(workload, percent) if kinds or d.name != "candidate_down"]
    weights = {d.name: _GUARD if d.guard else _PROOF for d in drafts}
    total = sum(weights[d.name] for d in drafts if d.gating) or 1.0
    alpha = workload.gates.alpha
    return tuple(
        GateSpec(
            name=d.name,
            limit=d.limit,
            unit=d.unit,
            fail_at=math.log(total / (weights[d.name] * alpha)),
            pass_at=math.log(1 / alpha),
            gating=d.gating,
            fast=d.fast,
            guard=d.guard,
            increase=d.increase,
            min_samples=0 if d.guard else _min_samples(workload, d.section, percent),
            of=d.of,
        )
        for d in drafts
    )


def _drafts(workload: Workload, percent: float | None) -> list[_Draft]:
    gates, drafts = workload.gates, []
    quality, errors = gates.quality, gates.errors
    if quality is not None and quality.min_agreement is not None:
        drafts.append(_Draft("quality", quality.min_agreement, "agreement", quality, quality.gating))
    if quality is not None and quality.margin is not None:
        drafts.append(_Draft("quality_margin", quality.margin, "agreement", quality, quality.gating))
    drafts += _class_drafts(workload)
    if errors is not None and errors.max_increase is not None:
        drafts.append(_Draft("errors", errors.max_increase, "share", errors, errors.gating, increase=True))
    if errors is not None and errors.max_rate is not None:
        name = "errors" if errors.max_increase is None else "errors_rate"
        drafts.append(_Draft(name, errors.max_rate, "share", errors, errors.gating))
    # The safety net: not switched off by an informational gate of error rates, nor by none.
    ratio, gating = (errors.max_ratio, errors.fast == "guard") if errors else (DEFAULT_MAX_RATIO, True)
    drafts.append(_Draft("errors_fast", ratio, "ratio", errors, gating, fast=True, guard=True))
    drafts.append(_Draft("candidate_down", 0.02, "share", None, fast=True, guard=True))
    seen = {d.name for d in drafts}
    for latency in gates.latency:
        name = latency_name(latency)
        if name not in seen:  # the same signal and quantile twice: the first, stricter or not, is the one declared
            drafts.append(_Draft(name, latency.max_ratio, "ratio", latency, latency.gating))
            seen.add(name)
    drafts += _signal_drafts(workload)
    if gates.split and percent is not None and 0 < percent < 100:
        # With sticky users the requests of one of them all go the same way: the share of requests says little about
        # the router, so the guard is shown and decides nothing.
        drafts.append(_Draft("split", percent / 100, "share", None, gating=workload.sticky is None, guard=True))
    return drafts


def _class_drafts(workload: Workload) -> list[_Draft]:
    """Two gates for each class that matters. With noise pairs: beyond what the baseline loses to itself."""
    section, classes = workload.gates.classes, dict.fromkeys(workload.scoring.classification.matter)
    if section is None or workload.task not in ("classification", "auto"):
        return []
    increase = workload.shadow.same_side > 0
    return [
        _Draft(f"{kind}_{name}", section.max_loss, "share", section, section.gating, increase=increase, of=name)
        for name in classes
        for kind in ("recall", "precision")
    ]


def _signal_drafts(workload: Workload) -> list[_Draft]:
    """Nothing to show without noise pairs; a gate that decides is there all the same, and stays inconclusive."""
    section = workload.gates.signals
    if section is None or workload.task not in ("chat", "generation", "auto"):
        return []
    if not workload.shadow.same_side and not section.gating:
        return []
    return [
        _Draft(f"signal_{name}", section.max_increase, "share", section, section.gating, increase=True, of=name)
        for name in dict.fromkeys(section.of)
    ]


def _min_samples(workload: Workload, section: Gate | None, percent: float | None) -> int:
    """The gate's own, else the step's; where no step is known, the ramp's."""
    own = section.min_samples if section else None
    if own is not None:
        return own
    return workload.ramp.min_samples if percent is None else workload.ramp.rules_at(percent).min_samples
