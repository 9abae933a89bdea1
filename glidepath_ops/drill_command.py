"""The command that rehearses a rollback, with the option that the present share needs."""

from __future__ import annotations

from glidepath.status_and_decisions import WorkloadStatus
from scorer.steering.ramp.drill import MAX_PERCENT


def drill_command(workload: str, status: WorkloadStatus | None) -> str:
    """Return the command. Above MAX_PERCENT, a drill is refused without ``--force``."""
    force = " --force" if status is not None and status.percent > MAX_PERCENT else ""
    return f"glidepath drill {workload}{force}"
