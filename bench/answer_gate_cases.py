"""Simulate the gates on answers: each simulation draws random verdicts, and evaluates the gate after every verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from bench.simulated_runs import AT, Runs
from glidepath.pair_scores import Correctness
from scorer.steering.evidence.correctness_gate import CorrectnessGate
from scorer.steering.evidence.defects_gate import DefectsGate
from scorer.steering.evidence.feedback_gate import FeedbackGate
from scorer.steering.evidence.gate_base import Gate
from scorer.steering.evidence.gate_observations import (
    AnswersJudged,
    CorrectnessGiven,
    FeedbackGiven,
    GateObservation,
    PairCompared,
    PreferenceGiven,
)
from scorer.steering.evidence.gate_specs import GateKind, GateSpec
from scorer.steering.evidence.pair_gates import pair_gate
from scorer.steering.evidence.preference_gate import PreferenceGate

MARGIN = 0.05
_BOTH, _ONLY_CANDIDATE, _ONLY_BASELINE = (
    CorrectnessGiven(Correctness(baseline, candidate)) for baseline, candidate in ((1, 1), (0, 1), (1, 0))
)


def preference(runs: int, seed: int, mean: float, tied: float, *, n: int = 2000) -> Runs:
    """Test a mean preference against 1/2 - MARGIN. ``tied``: the share of the pairs that are ties."""
    lost = 1 - mean - tied / 2
    scores = [PreferenceGiven(score) for score in (1.0, 0.5, 0.0)]
    shares = (1 - tied - lost, tied, lost)
    spec = _spec(GateKind.PREFERENCE, 0.5 - MARGIN)
    return _runs(runs, seed, lambda: PreferenceGate(spec), lambda rng: (scores[i] for i in rng.choice(3, n, p=shares)))


def correctness(runs: int, seed: int, only_candidate: float, only_baseline: float, *, n: int = 2000) -> Runs:
    """Test a difference of correctness against MARGIN.

    ``only_candidate``, ``only_baseline``: the shares of the pairs in which only this side's answer is right.
    """
    found = (_BOTH, _ONLY_CANDIDATE, _ONLY_BASELINE)
    shares = (1 - only_candidate - only_baseline, only_candidate, only_baseline)
    spec = _spec(GateKind.CORRECTNESS, MARGIN, increase=True)
    return _runs(runs, seed, lambda: CorrectnessGate(spec), lambda rng: (found[i] for i in rng.choice(3, n, p=shares)))


def defects(runs: int, seed: int, candidate: float, baseline: float, *, n: int = 2000) -> Runs:
    """Test a difference of the rates of defects against 2 %."""

    def draw(rng: np.random.Generator) -> Iterator[GateObservation]:
        for own, base in zip(rng.random(n) < candidate, rng.random(n) < baseline, strict=True):
            yield AnswersJudged(("refusal",) * bool(own), ("refusal",) * bool(base))

    return _runs(runs, seed, lambda: DefectsGate(_spec(GateKind.DEFECTS, 0.02, increase=True)), draw)


def exactness(runs: int, seed: int, unequal: float, floor: float, *, noise: float = 0.1, n: int = 1500) -> Runs:
    """Test the difference of two shares of unequal answers against MARGIN: in cross pairs and in noise pairs.

    ``unequal``, ``floor``: the true shares in cross pairs and in noise pairs. ``noise``: noise pairs per cross pair.
    """
    spec = _spec(GateKind.EXACTNESS, MARGIN, increase=True)

    def draw(rng: np.random.Generator) -> Iterator[GateObservation]:
        pairs, own, again = rng.random(n) < unequal, rng.random(n) < floor, rng.random(n) < noise
        for i in range(n):
            yield PairCompared({}, {"fields": float(pairs[i])})
            if again[i]:
                yield PairCompared({}, {"fields": float(own[i])}, noise=True)

    return _runs(runs, seed, lambda: pair_gate(spec), draw)


def feedback(
    runs: int, seed: int, candidate: float, baseline: float, *, share: float = 0.5, parts: int = 1, n: int = 800
) -> Runs:
    """Test a difference of two mean scores against MARGIN. ``share``: the candidate's part of the feedback.

    A score is a multiple of 1/``parts``. So with ``parts`` = 1, the feedback is a thumb up or down.
    """
    spec = _spec(GateKind.FEEDBACK, MARGIN, increase=True)

    def draw(rng: np.random.Generator) -> Iterator[GateObservation]:
        sides = rng.random(n) < share
        scores = rng.binomial(parts, np.where(sides, candidate, baseline)) / parts
        for own, score in zip(sides.tolist(), scores.tolist(), strict=True):
            yield FeedbackGiven(own, score)

    return _runs(runs, seed, lambda: FeedbackGate(spec), draw)


def _spec(kind: GateKind, limit: float, *, increase: bool = False) -> GateSpec:
    return GateSpec(kind.value, kind, limit, "share", AT, AT, increase=increase)


def _runs(
    runs: int,
    seed: int,
    make: Callable[[], Gate],
    draw: Callable[[np.random.Generator], Iterable[GateObservation]],
) -> Runs:
    rng = np.random.default_rng(seed)
    decided = [_first_decisions(make(), draw(rng)) for _ in range(runs)]
    return Runs(np.array([fail for fail, _ in decided]), np.array([passed for _, passed in decided]))


def _first_decisions(gate: Gate, observations: Iterable[GateObservation]) -> tuple[float, float]:
    """Return the gate's number of samples at its first failure and at its first pass; inf if there is none."""
    fail = passed = math.inf
    handlers = gate.handlers()
    for observation in observations:
        handlers[type(observation)](observation)
        if fail == math.inf and gate.failed:
            fail = gate.n
        if passed == math.inf and gate.proven:
            passed = gate.n
        if fail < math.inf and passed < math.inf:
            break
    return fail, passed
