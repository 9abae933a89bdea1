"""The panels about answers: agreement, flags, faults and coverage."""

from __future__ import annotations

from glidepath_ops.monitoring.panel_types import Panel, Query, Row
from glidepath_ops.monitoring.promql import (
    RATE,
    WORKLOAD,
    mean_agreement,
)

ANSWERS = Row(
    "Answers",
    (
        Panel(
            "Mean agreement",
            "cross: both sides with each other. noise: the baseline with itself, the most that can be expected.",
            (Query(mean_agreement(), "{{workload}} {{kind}}"),),
            "percentunit",
            most=1,
        ),
        Panel(
            "Flags",
            "Scored pairs a second with this difference.",
            (
                Query(
                    f"sum by (workload, flag) (rate(glidepath_scorer_flags_total{{{WORKLOAD}}}{RATE}))",
                    "{{workload}} {{flag}}",
                ),
            ),
        ),
        Panel(
            "Faults of answers by themselves",
            "Answers a second with this fault, whatever the other side answered.",
            (
                Query(
                    f"sum by (workload, side, fault) (rate(glidepath_scorer_answer_faults_total{{{WORKLOAD}}}{RATE}))",
                    "{{workload}} {{side}} {{fault}}",
                ),
            ),
        ),
        Panel(
            "What became of captured requests",
            "Captured exchanges a second, by result.",
            (
                Query(
                    f"sum by (workload, reason) (rate(glidepath_extproc_coverage_total{{{WORKLOAD}}}{RATE}))",
                    "{{workload}} {{reason}}",
                ),
            ),
        ),
        Panel(
            "Scored pairs",
            "Pairs a second with a score and, by reason, without one; and the number of waiting pairs.",
            (
                Query(
                    f"sum by (workload, kind) (rate(glidepath_scorer_pairs_scored_total{{{WORKLOAD}}}{RATE}))",
                    "{{workload}} scored {{kind}}",
                ),
                Query(
                    f"sum by (workload, reason) (rate(glidepath_scorer_pairs_unscored_total{{{WORKLOAD}}}{RATE}))",
                    "{{workload}} unscored {{reason}}",
                ),
                Query(f"max by (workload) (glidepath_scorer_queue_pairs{{{WORKLOAD}}})", "{{workload}} waiting"),
            ),
        ),
        Panel(
            "Evaluator, verifier, feedback",
            "Since the beginning, by outcome.",
            (
                Query(
                    f"max by (workload, instrument, outcome) (glidepath_instrument_pairs_total{{{WORKLOAD}}})",
                    "{{workload}} {{instrument}} {{outcome}}",
                ),
                Query(
                    f"max by (workload, match) (glidepath_feedback_total{{{WORKLOAD}}})",
                    "{{workload}} feedback {{match}}",
                ),
            ),
        ),
    ),
)
