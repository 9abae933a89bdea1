"""Measure a gate's estimate of the missing samples by simulation: the estimate divided by the true number.

Each run decides once. At fixed numbers of samples, the verdict's estimate is compared with the number of samples that
the run still takes until its decision.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from bench.simulated_runs import AT
from glidepath.histogram import Histogram
from scorer.steering.evidence.error_gates import RateGate
from scorer.steering.evidence.gate_base import Gate, StepRequests
from scorer.steering.evidence.gate_observations import (
    AgreementScored,
    LatencyHistograms,
    LookDue,
    PreferenceGiven,
    RequestCounts,
    RequestsEnded,
)
from scorer.steering.evidence.gate_specs import GateKind, GateSpec
from scorer.steering.evidence.latency_gates import LatencyGate
from scorer.steering.evidence.latency_samples import LatencySignal
from scorer.steering.evidence.preference_gate import PreferenceGate
from scorer.steering.evidence.sameness_gates import SamenessGate
from scorer.steering.evidence.verdicts import verdict_of

LOOKS = (200, 280, 400, 560, 800, 1100, 1600, 2200)
Step = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Estimates:
    """The estimates of all runs. ``shown``: the share of the looks at which there was an estimate."""

    shown: float
    ratios: np.ndarray  # estimated / true

    @property
    def median(self) -> float:
        return float(np.median(self.ratios))

    @property
    def within_2(self) -> float:
        return float((np.abs(np.log2(self.ratios)) <= 1).mean())


def estimates(runs: int, seed: int, build: Callable[[np.random.Generator], tuple[Gate, Iterable[Step]]]) -> Estimates:
    """Simulate ``runs`` runs. ``build`` returns a gate, and functions that each add one or a few samples to it."""
    rng, ratios, looks = np.random.default_rng(seed), [], 0
    for _ in range(runs):
        gate, steps = build(rng)
        seen: list[tuple[int, int | None]] = []
        for step in steps:
            step()
            if gate.proven or gate.failed:
                break
            if len(seen) < len(LOOKS) and gate.n >= LOOKS[len(seen)]:
                seen.append((gate.n, verdict_of(gate, None).missing))
        else:
            continue  # undecided at the end: how many were missing is unknown
        looks += len(seen)
        ratios += [missing / (gate.n - n) for n, missing in seen if missing is not None]
    return Estimates(len(ratios) / max(looks, 1), np.array(ratios))


def _spec(kind: GateKind, limit: float) -> GateSpec:
    return GateSpec("estimate", kind, limit, "ratio", AT, AT)


def sameness(rng: np.random.Generator) -> tuple[Gate, Iterable[Step]]:
    gate = SamenessGate(_spec(GateKind.SAMENESS, 0.485))
    scores = np.clip(rng.normal(0.5, 0.15, 6000), 0, 1).tolist()
    return gate, ((lambda x=x: gate.fold_scored(AgreementScored(x))) for x in scores)


def preference(rng: np.random.Generator) -> tuple[Gate, Iterable[Step]]:
    gate = PreferenceGate(_spec(GateKind.PREFERENCE, 0.45))
    scores = rng.choice([1.0, 0.5, 0.0], 6000, p=[0.3, 0.4, 0.3]).tolist()
    return gate, ((lambda x=x: gate.fold_preference(PreferenceGiven(x))) for x in scores)


def rate(rng: np.random.Generator) -> tuple[Gate, Iterable[Step]]:
    step = StepRequests()
    gate = RateGate(_spec(GateKind.ERROR_RATE, 0.01), step)

    def add(error: bool) -> None:
        counts = RequestCounts(c_n=1, c_errors=error)
        step.total += counts
        gate.fold_requests(RequestsEnded(counts))

    return gate, ((lambda x=x: add(x)) for x in (rng.random(8000) < 0.005).tolist())


def latency(rng: np.random.Generator) -> tuple[Gate, Iterable[Step]]:
    signal = LatencySignal()
    gate = LatencyGate(_spec(GateKind.LATENCY, 1.2), 0.99, signal, 0.1)

    def add() -> None:
        own, base = (Histogram.of(np.exp(rng.normal(math.log(300), 0.5, n))) for n in (20, 180))
        signal.add(LatencyHistograms("total", own, base))
        gate.look(LookDue())

    return gate, (add for _ in range(300))


CASES = {
    "sameness: 0.015 above the limit": sameness,
    "preference: 0.05 above the limit, 40 % ties": preference,
    "errors: 0.5 %, limit 1 %": rate,
    "latency p99: equal sides, σ 0.5, baseline 9 : 1": latency,
}
