"""The names of the events in the decision log. The ``events`` of a notification channel use the same names."""

from __future__ import annotations

from typing import Literal

EventName = Literal[
    # transitions of the ramp (scorer/steering/ramp/states.py); the decision's trigger is the cause
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
    # events without a transition: guards while the autopilot is off, manual overrides, restarts, drills, probes
    "guard_overridden",
    "gate_holds",  # a gate whose action is to hold fails: no further step until a person decides
    "warm_up",  # copies raise the candidate's load to that of the next step
    "warm_up_stopped",  # the warm-up ended without the step, because it did harm or a condition failed
    "autopilot_off",
    "autopilot_on",
    "adopt_shadow",
    "restore_weights",
    "invalid_override",
    "unexpected_traffic",
    "credential_refused",  # a side answers 401 or 403 to most requests
    "path_not_found",  # a side answers 404 to most requests
    "side_not_answering",  # most requests to a side end without a connection, in a timeout or in a reset
    "baseline_refuses",  # after a retreat, the baseline answers more requests with a 4xx than before
    "envoy_failing",  # Envoy itself, not a side, fails more than 5 % of the requests
    "other_configuration",  # an Envoy serves another configuration of the workload than the scorer's file
    "blind",  # an Envoy serves the candidate's share, but its outcomes do not arrive
    "sees_again",  # its outcomes arrive again
    "tick_failed",  # a tick of the workload raised an exception
    "state_discarded",  # the stored state has another schema, so the workload starts at the baseline
    "log_gap",  # only in the file scorer.log_file
    "drill_finished",
    "probe_failed",
    "probe_recovered",
    # a person's commands; promote and rollback, above, are commands too; hold and retry also happen automatically
    "hold",
    "resume",
    "approve",
    "retry",
    "abort",
    "drill_started",
    "shadow",
    "annotate",
    "refused",
    "decommission",  # glidepath decommission --archive writes it to the log; it is not announced
]
