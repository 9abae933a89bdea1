"""The common parts of all simulations of the gates: the level, the first decisions of many runs, and the workload.

Every simulation takes the number of runs and a seed. It feeds random events to the production classes, and looks at the
evidence after every event (for latency: at times of its own). Each run records its first decision.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from glidepath.config import Workload, parse_config
from glidepath.status_and_decisions import GateOutcome, Verdict
from scorer.steering.evidence.accumulator import Evidence

Row: TypeAlias = dict[str, Any]
Case: TypeAlias = Callable[[], list[Row]]

ALPHA = 0.05
AT = math.log(1 / ALPHA)
DEFAULT_FAST_ALPHA = 0.05 / 14  # the part of alpha 0.05 that errors_fast gets by default


@dataclass(frozen=True, slots=True)
class Runs:
    """For each run, the number of the candidate's samples at the first failure and the first pass; inf if none."""

    fail: np.ndarray
    passed: np.ndarray

    @property
    def fail_rate(self) -> float:
        return float(np.isfinite(self.fail).mean())

    @property
    def pass_rate(self) -> float:
        return float(np.isfinite(self.passed).mean())


def upper_limit(runs: int, alpha: float = ALPHA) -> float:
    """Return the largest share of false decisions that is compatible with alpha, at a confidence of 99 %.

    It is alpha plus 2.33 standard deviations of the share in ``runs`` runs.
    """
    return alpha + 2.33 * math.sqrt(alpha * (1 - alpha) / runs)


_WORKLOAD = """
backends: {{cloud: {{url: "http://127.0.0.1:9001"}}, onprem: {{url: "http://127.0.0.1:9002"}}}}
workloads:
  chat: {{match: {{path: /v1/chat/completions}}, baseline: cloud, candidate: onprem, {more}}}
"""


def chat_workload(more: str = "") -> Workload:
    """Return the workload ``chat`` with the settings ``more``, which are items of a flow mapping in YAML."""
    return parse_config(_WORKLOAD.format(more=more)).workload("chat")


def decided(evidence: Evidence, gate: str) -> Verdict | None:
    """Return the gate's verdict; None while it is inconclusive."""
    verdict = next(v for v in evidence.verdicts(0) if v.gate == gate)
    return None if verdict.outcome == GateOutcome.INCONCLUSIVE.value else verdict
