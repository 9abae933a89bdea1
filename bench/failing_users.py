"""Simulate one step in which one sticky user, whom the candidate serves, sends requests that fail at both sides.

The candidate is equal to the baseline, or it breaks. The step has 1,500 requests an hour and a share of 25 %. A flush
covers a minute.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from bench.ramp_traffic import Crowd, Traffic, outcomes, period, scored_pairs
from bench.ramps import readme_workload
from bench.simulated_runs import Case, Row
from glidepath.config import Workload
from glidepath.status_and_decisions import GateAction
from scorer.steering.evidence.accumulator import Evidence

PERCENT, FLUSH_MS, HOUR_MS, START_MS = 25.0, 60_000, 3_600_000, 1_800_000_000_000
_SCORED = 0.2  # of the requests; all of those that both sides got a copy of
USUAL = Traffic(1500, 0.7, users=1000)
HEAVY = replace(USUAL, heavy=0.3, heavy_factor=1.0, heavy_errors=0.15)
BUSY = replace(HEAVY, heavy=0.13, heavy_errors=0.10)


@dataclass(frozen=True, slots=True)
class Step:
    """The traffic of a step, and when and how the candidate breaks.

    - ``broken``: the share of all requests that fail at the broken candidate; 0: it does not break
    - ``after_h``: the hours until it breaks
    - ``outages``: whether the baseline has outages of two minutes, which its copies share, every two hours
    - ``fallback``: see ``Workload``
    """

    traffic: Traffic
    broken: float = 0.0
    after_h: float = 0.0
    outages: bool = False
    fallback: bool = True
    hours: int = 6

    def at(self, ms: int) -> Traffic:
        """Return the traffic of the time ``ms`` after the beginning."""
        own, base = self.traffic.errors
        own = self.broken if self.broken and ms >= self.after_h * HOUR_MS else own
        return replace(self.traffic, errors=(own, 0.5 if self.outages and ms % (2 * HOUR_MS) < 120_000 else base))

    def workload(self) -> Workload:
        return readme_workload(fallback=self.fallback)


@dataclass(frozen=True, slots=True)
class End:
    """The end of a step: the gate that rolled the candidate back, or "".

    ``failed``: the number of requests that the candidate failed between its break and the end.
    """

    gate: str
    failed: int


def run(step: Step, seed: int) -> End:
    rng, workload = np.random.default_rng(seed), step.workload()
    crowd, evidence = Crowd.of(step.traffic, rng), Evidence.fresh(workload, PERCENT, START_MS)
    failed, verdicts = 0, evidence.verdicts(START_MS)
    for seq in range(step.hours * HOUR_MS // FLUSH_MS):
        ms = seq * FLUSH_MS
        now = START_MS + ms
        requests = period(step.at(ms), crowd, PERCENT, now, now + FLUSH_MS, rng)
        noise = rng.random(len(requests.at_ms)) < workload.shadow.same_side / 100
        flushed = outcomes(requests, seq, now, now + FLUSH_MS, noise=noise, fallback=step.fallback)
        evidence.fold_outcomes(flushed)
        if ms >= step.after_h * HOUR_MS:
            failed += flushed.sides[0].errors
        chosen = np.flatnonzero(noise | (rng.random(len(noise)) < _SCORED))
        for pair in scored_pairs(requests, chosen, noise):
            evidence.fold_scored(pair)
        if evidence.still_decides(verdicts):
            continue
        verdicts = evidence.verdicts(now + FLUSH_MS)
        for verdict in verdicts:
            if verdict.outcome == "fail" and (verdict.fast or verdict.action == GateAction.ROLLBACK):
                return End(verdict.gate, failed)
    return End("", failed)


def _equal(name: str, step: Step, runs: int) -> list[Row]:
    return [_row(name, [run(step, seed) for seed in range(runs)], harmful=False)]


def _harmful(name: str, step: Step, runs: int) -> list[Row]:
    row = _row(name, [run(step, seed) for seed in range(runs)], harmful=True)
    # A small fault, or one beside as many failures of both sides, may take longer than the rest of the step.
    return [row if step.broken >= (0.5 if step.traffic.heavy_errors else 0.1) else {**row, "ok": None}]


def _row(name: str, ends: list[End], *, harmful: bool) -> Row:
    gates = Counter(end.gate for end in ends if end.gate)
    share = gates.total() / len(ends)
    failed = [end.failed if end.gate else math.inf for end in ends]
    return {
        "case": name,
        "runs": len(ends),
        "rolled back": share,
        "failed answers until then (median)": float(np.median(failed)) if harmful else None,
        "by": ", ".join(f"{gate} {n}" for gate, n in gates.most_common()),
        "ok": share == 1 if harmful else share <= 0.05 + 2.33 * math.sqrt(0.05 * 0.95 / len(ends)),
    }


def steps(runs: int) -> list[Case]:
    """Return the cases: equal sides, of which few may be rolled back, and candidates that break."""
    few = max(12, runs // 10)
    alike = replace(HEAVY, alike=True)
    equal = [
        ("equal sides, 15 % of the requests of a user with 30 % fail", Step(HEAVY)),
        ("the same, without fallback", Step(HEAVY, fallback=False)),
        ("the same, the same requests at both sides", Step(alike)),
        ("equal sides, 10 % of the requests of a user with 13 % fail", Step(BUSY)),
        ("equal sides, the baseline has outages", Step(USUAL, outages=True)),
    ]
    flaky = replace(USUAL, copies_fail=0.02)
    harmful = [
        *((f"{broken:.0%} fail at once", Step(USUAL, broken)) for broken in (0.1, 0.5, 1.0)),
        *((f"{broken:.0%} fail after 3 h", Step(USUAL, broken, 3.0)) for broken in (0.03, 0.1, 0.5, 1.0)),
        *((f"{broken:.0%} fail after 3 h, and the user's too", Step(HEAVY, broken, 3.0)) for broken in (0.1, 0.5, 1.0)),
        ("10 % fail after 3 h, 2 % of the baseline's copies fail", Step(flaky, 0.1, 3.0)),
        ("10 % fail after 3 h, the baseline has outages", Step(USUAL, 0.1, 3.0, outages=True)),
    ]
    found: list[Callable[[], list[Row]]] = [partial(_equal, name, step, few) for name, step in equal]
    return [*found, *(partial(_harmful, name, step, few) for name, step in harmful)]
