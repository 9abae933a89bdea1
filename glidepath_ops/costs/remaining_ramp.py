"""The time that the rest of a workload's ramp takes, as ``glidepath plan`` estimates it. Pure."""

from __future__ import annotations

import math

from glidepath.config import Workload
from glidepath.status_and_decisions import Phase
from scorer.steering.planning.samples_needed import Assumptions
from scorer.steering.planning.step_times import plan_workload

OVER = (Phase.COMPLETED.value, Phase.VALIDATING.value)


def remaining_ramp(
    name: str, workload: Workload, percent: float, phase: str, rate: float | None
) -> tuple[float | None, str]:
    """Return the median time until the last step is reached, in seconds, or None and the reason why it is unknown.

    ``rate``: the workload's requests per second; None if unknown. The current step is counted in full.
    """
    if phase in OVER:
        return 0.0, ""
    if not rate:
        return None, "no traffic was seen, and without a rate no time can be estimated"
    plan = plan_workload(name, workload, rate, Assumptions())
    up = [step for step in plan.steps[: len(workload.ramp.steps)] if step.percent >= percent]
    stuck = next((step for step in up if step.seconds is None), None)
    if stuck is not None:
        return None, f"at {stuck.percent:g} % the gate {stuck.slow or 'that is slowest'} never decides at this rate"
    return math.fsum(step.seconds or 0.0 for step in up), ""
