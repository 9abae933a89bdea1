"""Simulate whole ramps, from 0 % to the last step, with the production gates and the production ramp.

``make bench-ramps`` runs README's configuration at 1,000 and 10,000 requests an hour, with latencies of σ 0.5 and 1,
sticky or not. ``ARGS="--only 'per token' --runs 5"`` runs some cases with few ramps. The traffic is in
``ramp_traffic.py``. A tick of the simulation lasts 30 minutes, but half a second in production. So a step ends up to 30
minutes late, and so does a rollback. Once every gate on pairs has passed at a step, the gates get only 20 pairs of each
tick, because pairs take most of the computing time.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from bench.ramp_traffic import Crowd, Traffic, outcomes, period, scored_pairs
from glidepath.config import Workload, parse_config
from glidepath.status_and_decisions import Verdict
from scorer.steering.evidence.accumulator import Evidence
from scorer.steering.evidence.gate_factories import compares_copies
from scorer.steering.evidence.gate_specs import GateKind
from scorer.steering.evidence.gates_of_workload import specs_of
from scorer.steering.ramp.decide import advance
from scorer.steering.ramp.ramp_policy import policy_of
from scorer.steering.ramp.states import RampState, initial
from scorer.steering.ramp.tick_inputs import TickInputs
from scorer.steering.ramp.verdict_effects import holding_gates

TICK_MS = 30 * 60_000
DAY_MS = 86_400_000
_FEW = 20  # pairs of a tick once all gates on pairs have passed
_STARTED_MS = 1_800_000_000_000
_ON_REQUESTS = (GateKind.ERROR_INCREASE, GateKind.ERROR_RATE)


@dataclass(frozen=True, slots=True)
class Ramp:
    """The end of one simulated ramp.

    - ``ended``: ``done`` at the last step, ``rolled back``, ``held`` by a gate, or ``stuck`` after the longest time
    - ``days``: the simulated time until then
    - ``gate``: the gate that rolled back or held the ramp, or that was the last to pass
    - ``waited``: step → the gates that were still missing when its hold was over
    """

    ended: str
    days: float
    gate: str = ""
    waited: Mapping[float, str] = field(default_factory=dict)


def readme_workload(gates: str = "", **changes: Any) -> Workload:
    """Return the workload of README's configuration. ``gates`` (YAML) and ``changes`` replace some of its settings."""
    text = (Path(__file__).parents[1] / "README.md").read_text()
    block = re.search(r"```yaml\n(# glidepath\.yaml.*?)```", text, re.DOTALL)
    if block is None:
        raise ValueError("README.md has no configuration")
    raw = yaml.safe_load(block[1])
    raw["backends"]["cloud"].pop("credential", None)
    workload = raw["workloads"]["chat"]
    workload["gates"] |= yaml.safe_load(gates) if gates else {}
    workload |= changes
    return parse_config(yaml.safe_dump(raw)).workload("chat")


def run_ramp(
    workload: Workload,
    traffic: Traffic,
    seed: int,
    *,
    longest_days: float = 100,
    tick_ms: int = TICK_MS,
    copies_only: bool = False,
) -> Ramp:
    """Simulate one ramp. It ends at the last step, with a rollback, or after ``longest_days``.

    ``copies_only``: whether the gates get only pairs of requests that the baseline served. Once ``errors`` passes, they
    get only pairs of requests of which each side got a copy. This requires that no gate on answers needs other pairs.
    """
    rng = np.random.default_rng(seed)
    crowd, policy = Crowd.of(traffic, rng), policy_of(workload.ramp)
    now = _STARTED_MS
    ramp = initial(0.0, policy.last, now, "")
    evidence: Any = Evidence.fresh(workload, 0.0, now)
    waited: dict[float, str] = {}
    missing = ""
    seq = 0
    while now - _STARTED_MS < longest_days * DAY_MS:
        verdicts = _tick(workload, traffic, crowd, evidence, (now, now + tick_ms), seq, rng, copies_only=copies_only)
        now, seq = now + tick_ms, seq + 1
        missing = _missing(verdicts)
        if now - ramp.since_ms >= policy.bake_ms(ramp.percent) and missing:
            waited[ramp.percent] = missing
        inputs = TickInputs("chat", verdicts, evidence.requests(), confirmed=1, envoys=1)
        after, decisions = advance(ramp, inputs, policy, now)
        days = (now - _STARTED_MS) / DAY_MS
        if back := next((d for d in decisions if d.event in ("rollback", "shadow_failed")), None):
            return Ramp("rolled back", days, f"{back.trigger} at {ramp.percent:g} %", waited)
        if held := holding_gates(verdicts):
            return Ramp("held", days, f"{held[0].gate} at {ramp.percent:g} %", waited)
        if after.percent >= policy.last:
            return Ramp("done", days, waited=waited)
        evidence, ramp = _next_evidence(workload, evidence, ramp, after, now), after
    return Ramp("stuck", longest_days, f"{missing} at {ramp.percent:g} %", waited)


def _tick(
    workload: Workload,
    traffic: Traffic,
    crowd: Crowd,
    evidence: Evidence,
    time_ms: tuple[int, int],
    seq: int,
    rng: np.random.Generator,
    *,
    copies_only: bool,
) -> tuple[Verdict, ...]:
    (now, until), shadow = time_ms, workload.shadow
    requests = period(traffic, crowd, evidence.percent, now, until, rng)
    n = len(requests.at_ms)
    chosen, copied = np.arange(n), rng.random(n) < shadow.same_side / 100
    evidence.fold_outcomes(outcomes(requests, seq, now, until, noise=copied, fallback=workload.fallback))
    if copies_only:
        proven = any(v.gate == "errors" and v.outcome == "pass" for v in evidence.verdicts(now))
        chosen = np.flatnonzero((copied | (not proven and shadow.same_side > 0)) & ~requests.live)
    elif n > _FEW and _pairs_passed(workload, evidence, now):
        chosen = np.sort(rng.choice(n, _FEW, replace=False))
    for pair in scored_pairs(requests, chosen, copied):
        evidence.fold_scored(pair)
    return evidence.verdicts(until)


def _pairs_passed(workload: Workload, evidence: Evidence, now: int) -> bool:
    """Return whether every gate that may need pairs has passed in the current step.

    If both sides get copies of requests, the gates on requests need pairs too.
    """
    both_copied = compares_copies(workload, evidence.percent)
    needs = {
        spec.name
        for spec in specs_of(workload, evidence.percent)
        if spec.gating
        and not spec.guard
        and (both_copied or not (spec.kind in _ON_REQUESTS or spec.signal in ("total",)))
    }
    return all(v.outcome == "pass" for v in evidence.verdicts(now) if v.gate in needs)


def _missing(verdicts: Sequence[Verdict]) -> str:
    return ", ".join(v.gate for v in verdicts if v.gating and not v.guard and v.outcome != "pass")


def _next_evidence(workload: Workload, evidence: Evidence, before: RampState, after: RampState, now: int) -> Evidence:
    if after.epoch == before.epoch:
        return evidence
    return Evidence.fresh(workload, after.percent, now, evidence)


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table: a configuration, traffic, and the expected results of its ramps.

    - ``gates``: YAML of the gates that replace those in README's file
    - ``most``: the limits of the median and of the 90th percentile, in days; None: no limit
    - ``done``: the least share of the ramps that must reach the last step; None: none may (harmful candidate)
    """

    name: str
    traffic: Traffic
    gates: str = ""
    most: tuple[float, float] | None = None
    done: float | None = 0.95

    def workload(self) -> Workload:
        return readme_workload(self.gates, **({} if self.traffic.sticky else {"sticky": {"random": True}}))


P99 = "latency: {quantile: p99, max_ratio: 1.2}"


def cases() -> list[Case]:
    found = []
    for per_hour, sigma in ((1000, 0.5), (1000, 1.0), (10_000, 0.5), (10_000, 1.0)):
        most = (15.0, 18.0) if per_hour == 1000 else (14.2, 14.5)
        plain = Traffic(per_hour, sigma, user_sd=0.0)
        at = f"{per_hour:,}/h, σ {sigma:g}"
        found.append(Case(f"{at}, p99 of totals", plain, P99, done=None))
        found.append(Case(f"{at}, README", plain, most=most))
        found.append(Case(f"{at}, README, 1,000 sticky users", replace(plain, user_sd=0.3, users=1000), most=most))
    heavy = Traffic(1000, 0.5, heavy=0.3, users=1000)
    found.append(Case("1,000/h, σ 0.5, README, one sticky user sends 30 %, 3 × as long", heavy))
    found.append(Case("1,000/h, σ 0.5, README, candidate 1.5 × slower", Traffic(1000, 0.5, slower=1.5), done=0.0))
    sticky_slow = Traffic(1000, 0.5, slower=1.5, users=1000)
    found.append(Case("1,000/h, σ 0.5, README, sticky users, candidate 1.5 × slower", sticky_slow, done=0.0))
    return found


def report(case: Case, ramps: Sequence[Ramp]) -> dict[str, Any]:
    """Return the row of a case: the share of each end, the days of completed ramps, and whether limits are met."""
    ends, done = Counter(r.ended for r in ramps), [r.days for r in ramps if r.ended == "done"]
    reached = np.array([r.days if r.ended == "done" else np.inf for r in ramps])
    median, p90 = (float(np.quantile(reached, q, method="inverted_cdf")) for q in (0.5, 0.9))
    ok: bool | None = None
    if case.done == 0:
        ok = not done
    elif case.done is not None:
        ok = len(done) >= case.done * len(ramps)
        ok = ok and (case.most is None or (median <= case.most[0] and p90 <= case.most[1]))
    slow = Counter(gate for r in ramps for gates in r.waited.values() for gate in gates.split(", "))
    causes = Counter(r.gate for r in ramps if r.ended != "done")
    return {
        "case": case.name,
        "runs": len(ramps),
        "done": ends["done"] / len(ramps),
        "rolled back": ends["rolled back"] / len(ramps),
        "held": ends["held"] / len(ramps),
        "stuck": ends["stuck"] / len(ramps),
        "median days": median,
        "p90 days": p90,
        "waited for": ", ".join(gate for gate, _ in slow.most_common(2)) or "hold",
        "why not": ", ".join(cause for cause, _ in causes.most_common(2)),
        "ok": ok,
    }


def _run(number: int, seed: int) -> Ramp:
    case = cases()[number]
    return run_ramp(case.workload(), case.traffic, seed)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100, help="ramps of each case")
    parser.add_argument("--only", default="", help="run only the cases whose name contains this text")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="number of worker processes")
    options = parser.parse_args()
    began = time.monotonic()
    rows = []
    with ProcessPoolExecutor(options.jobs) as pool:
        chosen = [(i, case) for i, case in enumerate(cases()) if options.only in case.name]
        waiting = [(case, [pool.submit(_run, i, seed) for seed in range(options.runs)]) for i, case in chosen]
        for case, futures in waiting:
            row = report(case, [future.result() for future in futures])
            print(json.dumps(_finite(row), ensure_ascii=False), file=sys.stderr, flush=True)
            rows.append(row)
    _print(rows)
    ok = all(row["ok"] is not False for row in rows)
    print(f"\n{'every case is within its limit' if ok else 'A CASE IS BEYOND ITS LIMIT'}; {_seconds(began)}\n")
    print(json.dumps({"bench": "ramps", "ok": ok, "cases": [_finite(row) for row in rows]}, ensure_ascii=False))
    return 0 if ok else 1


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row for JSON, with null in place of infinity.

    A quantile is infinite if too few ramps end.
    """
    return {key: None if value == math.inf else value for key, value in row.items()}


def _seconds(began: float) -> str:
    return f"{time.monotonic() - began:.0f} s"


def _print(rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        print("no case has such a name")
        return
    cell: Callable[[object], str] = lambda v: f"{v:.3g}" if isinstance(v, float) else "–" if v is None else str(v)  # noqa: E731
    print("| " + " | ".join(rows[0]) + " |\n|" + "---|" * len(rows[0]))
    for row in rows:
        print("| " + " | ".join(cell(value) for value in row.values()) + " |")


if __name__ == "__main__":
    sys.exit(main())
