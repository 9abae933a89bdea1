"""How many samples each gate needs, found by letting the gate itself look at typical data of a healthy candidate."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from glidepath.config import Workload
from glidepath.config.gates import LatencyGate
from scorer.evidence.betting import MeanTest
from scorer.evidence.errors import IncreaseTest, RateTest
from scorer.evidence.latency import LatencyTest
from scorer.evidence.pairs import pair_gate
from scorer.evidence.specs import QUANTILES, GateSpec, latency_name, specs_of
from scorer.evidence.tally import SIZE, Tally, slot_of

_SEEDS = (1, 2, 3, 4, 5, 6, 7)
_MOST_SCORES, _MOST_REQUESTS = 20_000, 200_000
_BLOCK = 100  # requests of the candidate added between two looks


@dataclass(frozen=True, slots=True)
class Assumptions:
    """A healthy candidate. ``error_rate`` of both sides; ``sd`` of one agreement; ``above``: how far the mean agreement
    is above the limit, as a share of what is left to 1; ``sigma`` of the logarithm of latency."""

    error_rate: float = 0.002
    sd: float = 0.15
    above: float = 0.4
    sigma: float = 0.5


@dataclass(frozen=True, slots=True)
class Need:
    """``samples`` of ``of`` until the gate passes, in the median; None: not within any count that was tried."""

    gate: str
    of: str  # "pairs", "noise pairs", "requests"
    samples: int | None
    gating: bool


def needs_of(workload: Workload, percent: float, assumed: Assumptions) -> tuple[Need, ...]:
    """Every gate that has to pass at ``percent``; guards only have to stay quiet. For classes see ``class_needs``."""
    sections = {latency_name(s): s for s in workload.gates.latency}
    ratio = baseline_ratio(workload, percent)
    return tuple(
        _with_least(_need(spec, sections, ratio, assumed), spec)
        for spec in specs_of(workload, percent)
        if not spec.guard and not spec.of
    )


def class_needs(workload: Workload) -> dict[str, int | None]:
    """Gate of a class → pairs of that class until it passes when none is lost; None: not within any count tried."""
    specs = [s for s in specs_of(workload, None) if s.gating and s.name.startswith(("recall_", "precision_"))]
    return {spec.name: _pairs(spec, workload.shadow.same_side) for spec in specs if spec.of}


def _pairs(spec: GateSpec, same_side: float) -> int | None:
    gate = pair_gate(spec)
    every = round(100 / same_side) if spec.increase else 0
    for n in range(1, _MOST_SCORES):
        gate.add(False, False)
        if every and n % every == 0:
            gate.add(False, True)
        if gate.proven:
            return max(n, spec.min_samples)
    return None


def _with_least(need: Need, spec: GateSpec) -> Need:
    samples = None if need.samples is None else max(need.samples, spec.min_samples)
    return Need(need.gate, need.of, samples, spec.gating)


def baseline_ratio(workload: Workload, percent: float) -> float:
    """Requests of the baseline that count, for one of the candidate's."""
    shadow = workload.shadow
    if percent <= 0:
        return 100 / max(shadow.sample, 0.1)
    if percent >= 100:
        return shadow.sample * shadow.reverse / 1e4
    return (100 - percent) / percent


def _need(spec: GateSpec, sections: dict[str, LatencyGate], ratio: float, assumed: Assumptions) -> Need:
    match spec.name:
        case "quality":
            mean = spec.limit + assumed.above * (1 - spec.limit)
            return Need(spec.name, "pairs", _scores(spec.limit, mean, assumed.sd, spec), spec.gating)
        case "quality_margin":
            limit = (1 - spec.limit) / 2
            return Need(spec.name, "noise pairs", _scores(limit, 0.5, assumed.sd / 2, spec), spec.gating)
        case "errors" | "errors_rate":
            return Need(spec.name, "requests", _errors(spec, ratio, assumed.error_rate), spec.gating)
        case _:
            section = sections[spec.name]
            of = "pairs" if section.signal == "per_token" else "requests"
            sides = 1.0 if section.signal == "per_token" else ratio
            return Need(spec.name, of, _latency(section, spec, sides, assumed.sigma), spec.gating)


def _median(counts: list[int | None]) -> int | None:
    middle = sorted(math.inf if c is None else c for c in counts)[len(counts) // 2]
    return None if middle == math.inf else int(middle)


def _scores(limit: float, mean: float, sd: float, spec: GateSpec) -> int | None:
    return _median([_one_scores(limit, mean, sd, spec, seed) for seed in _SEEDS])


def _one_scores(limit: float, mean: float, sd: float, spec: GateSpec, seed: int) -> int | None:
    test = MeanTest(min(max(limit, 1e-6), 1 - 1e-6), spec.fail_at, spec.pass_at)
    for score in np.clip(np.random.default_rng(seed).normal(mean, sd, _MOST_SCORES), 0, 1).tolist():
        test.update(score)
        if test.log_pass >= spec.pass_at:
            return test.n
    return None


def _errors(spec: GateSpec, ratio: float, rate: float) -> int | None:
    if spec.increase and not ratio:
        return None
    return _median([_one_errors(spec, ratio, rate, seed) for seed in _SEEDS])


def _one_errors(spec: GateSpec, ratio: float, rate: float, seed: int) -> int | None:
    rng = np.random.default_rng(seed)
    step, other = _BLOCK, max(1, round(_BLOCK * min(ratio, 100)))
    test: IncreaseTest | RateTest = IncreaseTest(spec.limit) if spec.increase else RateTest(spec.limit)
    for n in range(step, _MOST_REQUESTS + 1, step):
        own = int(rng.binomial(step, rate))
        if isinstance(test, IncreaseTest):
            test.update(own, step, int(rng.binomial(other, rate)), other)
        else:
            test.update(own, step)
        if test.log_pass >= spec.pass_at:
            return n
        if test.log_pass < -3 * spec.pass_at:
            return None
    return None


def _latency(section: LatencyGate, spec: GateSpec, ratio: float, sigma: float) -> int | None:
    if not ratio:
        return None
    return _median([_one_latency(section, spec, min(ratio, 50), sigma, seed) for seed in _SEEDS])


def _one_latency(section: LatencyGate, spec: GateSpec, ratio: float, sigma: float, seed: int) -> int | None:
    rng = np.random.default_rng(seed)
    own, base = Tally(), Tally()
    test = LatencyTest(QUANTILES[section.quantile], section.max_ratio)
    n = 0
    while n < _MOST_REQUESTS // 4:
        step = max(5, n // 10)
        n += step
        _fill(own, rng, step, sigma)
        _fill(base, rng, max(1, round(step * ratio)), sigma)
        test.look(own, base)
        if test.log_pass >= spec.pass_at:
            return n
    return None


def _fill(tally: Tally, rng: np.random.Generator, n: int, sigma: float) -> None:
    slots = np.rint(rng.normal(0, sigma, n) / math.log(2) * 64).astype(np.int64) + slot_of(300.0)
    tally.add_slots(np.clip(slots, 1, SIZE - 1))
