"""The panels about Glidepath's own processes."""

from __future__ import annotations

from glidepath_ops.monitoring.panel_types import Panel, Query, Row
from glidepath_ops.monitoring.promql import (
    RATE,
    WORKLOAD,
)

HEALTH = Row(
    "Glidepath itself",
    (
        Panel(
            "Leader, scoring, steering, Redis",
            "1 is good. Exactly one scorer of a group leads.",
            (
                Query("sum(glidepath_scorer_leader)", "leaders"),
                Query("min by (loop) (glidepath_scorer_ready)", "ready: {{loop}}"),
                Query("min(glidepath_extproc_redis_up)", "extproc writes to Redis"),
            ),
            "none",
            "stat",
        ),
        Panel(
            "Envoys",
            "Envoys that were found, that run the desired weights, and that have the lease of the split.",
            (
                Query(f"max by (workload) (glidepath_envoys{{{WORKLOAD}}})", "{{workload}} found"),
                Query(f"max by (workload) (glidepath_envoys_confirmed{{{WORKLOAD}}})", "{{workload}} confirmed"),
                Query(f"max by (workload) (glidepath_envoys_leased{{{WORKLOAD}}})", "{{workload}} leased"),
            ),
        ),
        Panel(
            "Blind",
            "1 while an Envoy serves the candidate's share and its outcomes do not arrive.",
            (Query(f"max by (workload) (glidepath_blind{{{WORKLOAD}}})", "{{workload}}"),),
            most=1,
        ),
        Panel(
            "extproc: memory and buffer",
            "Bytes of bodies in memory, and of pairs that wait for Redis.",
            (
                Query("sum(glidepath_extproc_memory_bytes)", "bodies"),
                Query("sum(glidepath_extproc_memory_limit_bytes)", "limit of bodies"),
                Query("sum(glidepath_extproc_buffer_bytes)", "waiting for Redis"),
            ),
            "bytes",
        ),
        Panel(
            "Copies in flight",
            "Copies that are sent now.",
            (Query(f"sum by (workload) (glidepath_extproc_tee_in_flight{{{WORKLOAD}}})", "{{workload}}"),),
        ),
        Panel(
            "How long a tick and a score take",
            "The 99th percentile of a steer tick, and the mean time of a scored pair.",
            (
                Query(
                    f"histogram_quantile(0.99, sum by (le) (rate(glidepath_steer_tick_seconds_bucket{RATE})))",
                    "tick p99",
                ),
                Query(
                    f"sum(rate(glidepath_scorer_pair_seconds_sum{RATE}))"
                    f" / sum(rate(glidepath_scorer_pair_seconds_count{RATE}))",
                    "pair",
                ),
            ),
            "s",
        ),
        Panel(
            "Versions",
            "What runs.",
            (Query("count by (job, version) (glidepath_build_info)", "processes"),),
            "none",
            "table",
            24,
        ),
    ),
)
