"""Find how many samples each gate needs to pass: run the gate's test on simulated data of a healthy candidate."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from glidepath.config import Workload
from glidepath.config.gates import LatencyGateConfig
from glidepath.config.latency_quantiles import QUANTILES, Quantile
from scorer.steering.evidence.betting import MeanTest, score_of_difference
from scorer.steering.evidence.dense_histogram import SIZE, DenseHistogram, slot_of
from scorer.steering.evidence.error_rate_tests import IncreaseTest, RateTest
from scorer.steering.evidence.gate_factories import compares_copies
from scorer.steering.evidence.gate_specs import GateKind, GateSpec
from scorer.steering.evidence.gates_of_workload import specs_of
from scorer.steering.evidence.latency_ratio_test import LatencyTest
from scorer.steering.evidence.pair_gates import pair_gate
from scorer.steering.planning.copies_needed import error_copies, latency_copies
from scorer.steering.planning.unprovable_limits import LEAST_RATE, MOST_INCREASE, MOST_RATE, section_of, unprovable

Counts = list[int | None]  # for each simulation, how many samples it needs; None if all tried numbers are too few
_SEEDS = range(1, 12)
_NEVER: Counts = [None] * len(_SEEDS)
_MOST_SCORES, _MOST_REQUESTS = 20_000, 200_000
TRIED = dict.fromkeys(("pairs", "judged pairs", "verified pairs", "noise pairs", "copies"), _MOST_SCORES)
TRIED |= {"requests": _MOST_REQUESTS}
TRIED_LATENCIES = _MOST_REQUESTS // 4
_PART_OF_SIGMA = {"per_token": 0.5, "ttft": 0.5}  # of the σ of total times; used if the signal's own σ is unknown
_BLOCK = 100  # the number of candidate requests that are added between two evaluations
_CLASS_KINDS = (GateKind.CLASS_RECALL, GateKind.CLASS_PRECISION, GateKind.CORRECTNESS)


@dataclass(frozen=True, slots=True)
class Assumptions:
    """The assumptions about a healthy candidate.

    - ``error_rate``: the error rate of both sides
    - ``sd``: the standard deviation of a pair's agreement
    - ``above``: the distance of the mean agreement from the limit, as a fraction of the distance from the limit to 1
    - ``tied``: the share of the judged pairs that the evaluator calls a tie; the others are won and lost equally often
    - ``discordant``: the share of the verified pairs in which only one answer is right, equally often for each side
    - ``unequal``: the share of the pairs in which two answers of one side are not exactly equal
    - ``sigma``: the standard deviation of the natural logarithm of the total time
    - ``sigmas``: the same for other signals, where it has been measured
    - ``measured``: the number of stored answers from which ``sigma`` and ``sigmas`` were measured; 0 if they are
      assumed
    """

    error_rate: float = 0.002
    sd: float = 0.15
    above: float = 0.4
    sigma: float = 0.5
    tied: float = 0.4
    discordant: float = 0.1
    unequal: float = 0.05
    sigmas: Mapping[str, float] = field(default_factory=dict)
    measured: int = 0

    def sigma_of(self, signal: str) -> float:
        """Return the standard deviation of the natural logarithm of a latency signal.

        Total times vary mainly because answers differ in length. The time per token does not vary for this reason.
        """
        return self.sigmas.get(signal, self.sigma * _PART_OF_SIGMA.get(signal, 1.0))


@dataclass(frozen=True, slots=True)
class Need:
    """The number of samples that one gate needs in order to pass.

    ``samples``: the median over several simulations; None if all numbers that were tried are too small. ``of``: the
    kind of sample. ``gating``: whether the gate takes part in decisions. ``each``: the number in each simulation.
    ``copies``: the need for pairs of copies, by which the gate can pass too; None if there is no such need.
    """

    gate: str
    of: str  # a key of TRIED
    samples: int | None
    gating: bool
    each: tuple[int | None, ...] = ()
    copies: Need | None = None

    @classmethod
    def of_counts(cls, spec: GateSpec, of: str, counts: Counts) -> Need:
        """Return the need from the numbers of the simulations (``counts``). Each number is at least ``min_samples``."""
        each = tuple(None if n is None else max(n, spec.min_samples) for n in counts)
        return cls(spec.name, of, _median(list(each)), spec.gating, each)


def needs_of(workload: Workload, percent: float, assumed: Assumptions) -> tuple[Need, ...]:
    """Return how many samples each gate needs in order to pass at the step ``percent``.

    Guards are left out, because they need not pass. Gates of classes and of facts are left out too; for classes, see
    ``class_needs``.
    """
    ratio = baseline_ratio(workload, percent)
    return tuple(
        _need(workload, spec, percent, ratio, assumed)
        for spec in specs_of(workload, percent)
        if not spec.guard and not spec.of
    )


def class_needs(workload: Workload, steps: Iterable[float]) -> dict[str, tuple[int, ...] | None]:
    """Return, for each deciding gate of a class, how many pairs of the class it needs in order to pass.

    A gate's value is a tuple with one number for each of ``steps``, or None if all numbers that were tried are too
    small. The candidate is assumed to lose no answer of the class.
    """
    least: dict[str, list[int]] = {}
    for percent in steps:
        for spec in specs_of(workload, percent):
            least.setdefault(spec.name, []).append(spec.min_samples)
    specs = [s for s in specs_of(workload, None) if s.gating and s.of and s.kind in _CLASS_KINDS]
    found = {spec.name: _pairs(spec, workload.shadow.same_side) for spec in specs}
    return {gate: None if n is None else tuple(max(n, m) for m in least[gate]) for gate, n in found.items()}


def _pairs(spec: GateSpec, same_side: float) -> int | None:
    if spec.kind is GateKind.CORRECTNESS:
        return _median(_differences(spec, 0.0))
    gate = pair_gate(spec)
    every = round(min(100 / max(same_side, 1e-3), _MOST_SCORES)) if spec.increase else 0
    for n in range(1, _MOST_SCORES):
        gate.add(False, False)
        if every and n % every == 0:
            gate.add(False, True)
        if gate.proven:
            return n
    return None


def baseline_ratio(workload: Workload, percent: float) -> float:
    """Return the number of baseline requests that count for each candidate request at the step ``percent``."""
    shadow = workload.shadow
    if percent <= 0:
        return 100 / max(shadow.sample, 0.1)
    if percent >= 100:
        return shadow.sample * shadow.reverse / 1e4
    return (100 - percent) / percent


def passes_with(section: LatencyGateConfig, quantile: Quantile, alpha: float, assumed: Assumptions) -> bool:
    """Return whether a healthy candidate could pass the latency gate ``section`` if the gate compared ``quantile``.

    The gate's limit stays the same. Both sides are assumed to have the same number of requests.
    """
    other = section.model_copy(update={"quantile": quantile})
    return _median(_latency(other, math.log(1 / alpha), 1.0, assumed.sigma_of(section.signal))) is not None


def _need(workload: Workload, spec: GateSpec, percent: float, ratio: float, assumed: Assumptions) -> Need:
    live = _live_need(workload, spec, ratio, assumed)
    copies = _copies_need(workload, spec, percent, assumed)
    if copies is None:
        return live
    return replace(live, copies=copies) if workload.assigned_at_random else copies


def _copies_need(workload: Workload, spec: GateSpec, percent: float, assumed: Assumptions) -> Need | None:
    """Return how many pairs of copies a gate needs to pass; None if it does not compare copies. See ADR 0260.

    Such a gate passes by the evidence of copies. It can pass by live requests too, but only if requests are assigned to
    the sides at random. Each kind of evidence then gets half of alpha.
    """
    section = section_of(workload, spec.name)
    if not compares_copies(workload, percent) or (section is None and spec.kind is not GateKind.ERROR_INCREASE):
        return None
    pass_at = spec.pass_at + math.log(2) if workload.assigned_at_random else spec.pass_at
    if unprovable(workload, spec):
        counts = _NEVER
    elif section is None:
        limit = min(max(spec.limit, LEAST_RATE), MOST_INCREASE)
        counts = [error_copies(limit, pass_at, assumed.error_rate, seed) for seed in _SEEDS]
    else:
        q, sigma = QUANTILES[section.quantile], assumed.sigma_of(section.signal)
        counts = [latency_copies(q, section.max_ratio, pass_at, sigma, seed) for seed in _SEEDS]
    return Need.of_counts(spec, "copies", counts)


def _live_need(workload: Workload, spec: GateSpec, ratio: float, assumed: Assumptions) -> Need:
    section = section_of(workload, spec.name)
    never = bool(unprovable(workload, spec))
    if section is not None:
        of = "pairs" if section.signal == "per_token" else "requests"
        sides = 1.0 if section.signal == "per_token" else ratio
        found = _NEVER if never else _latency(section, spec.pass_at, sides, assumed.sigma_of(section.signal))
        return Need.of_counts(spec, of, found)
    if spec.kind is GateKind.SAMENESS:
        mean = spec.limit + assumed.above * (1 - spec.limit)
        return Need.of_counts(spec, "pairs", _NEVER if never else _scores(spec.limit, mean, assumed.sd, spec))
    if spec.kind is GateKind.SAMENESS_MARGIN:
        limit = score_of_difference(spec.limit)
        return Need.of_counts(spec, "noise pairs", _scores(limit, 0.5, assumed.sd / 2, spec))
    if spec.kind is GateKind.PREFERENCE:
        return Need.of_counts(spec, "judged pairs", _preferences(spec, assumed.tied))
    if spec.kind is GateKind.CORRECTNESS:
        return Need.of_counts(spec, "verified pairs", _differences(spec, assumed.discordant))
    if spec.kind is GateKind.EXACTNESS:
        return Need.of_counts(spec, "pairs", _unequal(spec, workload.shadow.same_side / 100, assumed))
    return Need.of_counts(spec, "requests", _NEVER if never else _errors(spec, ratio, assumed.error_rate))


def _median(counts: list[int | None]) -> int | None:
    middle = sorted(math.inf if c is None else c for c in counts)[len(counts) // 2]
    return None if middle == math.inf else int(middle)


def _scores(limit: float, mean: float, sd: float, spec: GateSpec) -> Counts:
    return [_one_scores(limit, mean, sd, spec, seed) for seed in _SEEDS]


@lru_cache(maxsize=1024)  # the steps of a ramp need the same numbers
def _one_scores(limit: float, mean: float, sd: float, spec: GateSpec, seed: int) -> int | None:
    test = MeanTest(min(max(limit, 1e-6), 1 - 1e-6))
    # Scores have a beta distribution: the mean of a clipped normal distribution would be too low, and near 1 it would
    # be below the limit.
    variance = min(sd * sd, 0.5 * mean * (1 - mean))
    size = mean * (1 - mean) / variance - 1
    for score in np.random.default_rng(seed).beta(mean * size, (1 - mean) * size, _MOST_SCORES).tolist():
        test.update(score)
        if test.log_pass >= spec.pass_at:
            return test.n
    return None


def _preferences(spec: GateSpec, tied: float) -> Counts:
    return [_one_preferences(spec, tied, seed) for seed in _SEEDS]


def _one_preferences(spec: GateSpec, tied: float, seed: int) -> int | None:
    test, rng = MeanTest(spec.limit), np.random.default_rng(seed)
    lost = (1 - tied) / 2
    for score in rng.choice((0.0, 0.5, 1.0), _MOST_SCORES, p=(lost, tied, lost)).tolist():
        test.update(score)
        if test.log_pass >= spec.pass_at:
            return test.n
    return None


def _differences(spec: GateSpec, discordant: float) -> Counts:
    return [_one_differences(spec, discordant, seed) for seed in _SEEDS]


def _one_differences(spec: GateSpec, discordant: float, seed: int) -> int | None:
    test = MeanTest(score_of_difference(spec.limit))
    chances = (discordant / 2, 1 - discordant, discordant / 2)
    for worse in np.random.default_rng(seed).choice((-1.0, 0.0, 1.0), _MOST_SCORES, p=chances).tolist():
        test.update(score_of_difference(worse))
        if test.log_pass >= spec.pass_at:
            return test.n
    return None


def _unequal(spec: GateSpec, noise_ratio: float, assumed: Assumptions) -> Counts:
    """Return how many pairs the gate of exact answers needs. ``noise_ratio``: noise pairs per cross pair."""
    rate = assumed.unequal if spec.increase else spec.limit * (1 - assumed.above)
    return _errors(spec, noise_ratio, rate)


def _errors(spec: GateSpec, ratio: float, rate: float) -> Counts:
    if spec.increase and not ratio:
        return _NEVER
    return [_one_errors(spec, ratio, rate, seed) for seed in _SEEDS]


def _one_errors(spec: GateSpec, ratio: float, rate: float, seed: int) -> int | None:
    rng = np.random.default_rng(seed)
    step, other = _BLOCK, max(1, round(_BLOCK * min(ratio, 100)))
    limit = min(spec.limit, MOST_INCREASE if spec.increase else MOST_RATE)
    test: IncreaseTest | RateTest = IncreaseTest(limit) if spec.increase else RateTest(max(limit, LEAST_RATE))
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


def _latency(section: LatencyGateConfig, pass_at: float, ratio: float, sigma: float) -> Counts:
    if not ratio:
        return _NEVER
    return [_one_latency(section, pass_at, min(ratio, 50), sigma, seed) for seed in _SEEDS]


@lru_cache(maxsize=1024)
def _one_latency(section: LatencyGateConfig, pass_at: float, ratio: float, sigma: float, seed: int) -> int | None:
    rng = np.random.default_rng(seed)
    candidate, baseline = DenseHistogram(), DenseHistogram()
    test = LatencyTest(QUANTILES[section.quantile], section.max_ratio, 1 / (1 + ratio))
    n = 0
    while n < TRIED_LATENCIES:
        step = max(5, n // 10)
        n += step
        _fill(candidate, rng, step, sigma)
        _fill(baseline, rng, max(1, round(step * ratio)), sigma)
        test.look(candidate, baseline)
        if test.log_pass >= pass_at:
            return n
    return None


def _fill(histogram: DenseHistogram, rng: np.random.Generator, n: int, sigma: float) -> None:
    slots = np.rint(rng.normal(0, sigma, n) / math.log(2) * 64).astype(np.int64) + slot_of(300.0)
    histogram.add_slots(np.clip(slots, 1, SIZE - 1))
