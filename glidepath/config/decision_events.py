"""The names of decisions, as the log has them and as notifications choose among them."""

from __future__ import annotations

from typing import Literal

EventName = Literal[
    # the ramp by itself (scorer/steering/ramp/states.py)
    "promote",
    "await_approval",
    "adopt_weights",
    "rollback",
    "rollback_confirmed",
    "shadow_failed",
    "complete",
    "reconfigure",
    "replace_backend",
    "extend",
    # beside the table: guards without autopilot, curls, restarts, drills, probes
    "guard_overridden",
    "autopilot_off",
    "autopilot_on",
    "adopt_shadow",
    "restore_weights",
    "invalid_override",
    "unexpected_traffic",
    "tick_failed",  # a workload's ticks fail: a bug
    "log_gap",  # only in scorer.log_file
    "drill_finished",
    "probe_failed",
    "probe_recovered",
    # a person's commands; hold, promote, retry and abort also when nobody asked
    "hold",
    "resume",
    "approve",
    "rollback",
    "retry",
    "abort",
    "drill_started",
    "shadow",
    "annotate",
    "refused",
]
