"""The panels about the ramp: share, phase, gates and decisions."""

from __future__ import annotations

from glidepath_ops.monitoring.panel_types import Panel, Query, Row
from glidepath_ops.monitoring.promql import (
    LIVE,
    LIVE_CANDIDATE,
    RATE,
    WORKLOAD,
    requests,
)

RAMP = Row(
    "The ramp",
    (
        Panel(
            "Share of the candidate",
            "Asked: the share that the Envoys should give. Seen: the candidate's measured share of clients' requests.",
            (
                Query(f"max by (workload) (glidepath_share_asked_ratio{{{WORKLOAD}}})", "{{workload}} asked"),
                Query(
                    f"sum by (workload) ({requests(LIVE_CANDIDATE)}) / sum by (workload) ({requests(LIVE)})",
                    "{{workload}} seen",
                ),
            ),
            "percentunit",
            width=12,
            most=1,
        ),
        Panel(
            "Phase",
            "The phase of each workload.",
            (Query(f"max by (workload, phase) (glidepath_phase{{{WORKLOAD}}}) == 1", "{{workload}} {{phase}}"),),
            "none",
            "state-timeline",
            12,
        ),
        Panel(
            "Gates: evidence to pass",
            "1 proves the candidate good enough in this step.",
            (
                Query(
                    f"max by (workload, gate) (glidepath_gate_evidence_to_pass_ratio{{{WORKLOAD}}})",
                    "{{workload}} {{gate}}",
                ),
            ),
        ),
        Panel(
            "Gates: evidence to fail",
            "1 proves the candidate too bad, which causes a rollback, a hold or a notice.",
            (
                Query(
                    f"max by (workload, gate) (glidepath_gate_evidence_to_fail_ratio{{{WORKLOAD}}})",
                    "{{workload}} {{gate}}",
                ),
            ),
        ),
        Panel(
            "Gates: verdicts",
            "1 passes, 0 is undecided, -1 fails.",
            (Query(f"max by (workload, gate) (glidepath_gate_verdict{{{WORKLOAD}}})", "verdict"),),
            "none",
            "table",
        ),
        Panel(
            "Gates: value, limit and bounds",
            "In the unit of the gate. The bounds hold at all looks of the step at once.",
            tuple(
                Query(f"max by (workload, gate, unit) (glidepath_gate_{name}{{{WORKLOAD}}})", name)
                for name in ("value", "low", "high", "limit")
            ),
            "none",
            "table",
            12,
        ),
        Panel(
            "Decisions",
            "Decisions in the log, by event.",
            (
                Query(
                    f"sum by (workload, event) (increase(glidepath_decisions_total{{{WORKLOAD}}}{RATE}))",
                    "{{workload}} {{event}}",
                ),
            ),
            width=12,
        ),
    ),
)
