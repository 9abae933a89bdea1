"""The panels about requests: counts, errors, latency, tokens and spend."""

from __future__ import annotations

from glidepath_ops.monitoring.panel_types import Panel, Query, Row
from glidepath_ops.monitoring.promql import (
    FAILED,
    RATE,
    WORKLOAD,
    error_share,
    quantile,
    requests,
    spend_an_hour,
)

TRAFFIC = Row(
    "Requests",
    (
        Panel(
            "Requests a second",
            "Finished requests: of clients (live) and copies (shadow).",
            (
                Query(
                    f"sum by (workload, side, origin) ({requests(WORKLOAD)})",
                    "{{workload}} {{side}} {{origin}}",
                ),
            ),
            "reqps",
        ),
        Panel(
            "Share of errors, clients' requests",
            "The share of the requests that the client did not abort.",
            (Query(error_share(), "{{workload}} {{side}}"),),
            "percentunit",
        ),
        Panel(
            "Kinds of errors",
            "Errors a second of clients' requests and of copies, by kind.",
            (
                Query(
                    f"sum by (workload, side, origin, result) ({requests(f'{WORKLOAD}, {FAILED}')})",
                    "{{workload}} {{side}} {{origin}} {{result}}",
                ),
            ),
            "reqps",
        ),
        Panel(
            "Latency, clients' requests",
            "From the end of the request to the end of the answer: median and 95 %.",
            (
                Query(quantile(0.5, "glidepath_extproc_request_duration_seconds"), "{{workload}} {{side}} p50"),
                Query(quantile(0.95, "glidepath_extproc_request_duration_seconds"), "{{workload}} {{side}} p95"),
            ),
            "s",
        ),
        Panel(
            "Time to the first byte, clients' requests",
            "From the end of the request to the first byte of the answer's body: median and 95 %.",
            (
                Query(quantile(0.5, "glidepath_extproc_time_to_first_byte_seconds"), "{{workload}} {{side}} p50"),
                Query(quantile(0.95, "glidepath_extproc_time_to_first_byte_seconds"), "{{workload}} {{side}} p95"),
            ),
            "s",
        ),
        Panel(
            "Tokens a second of captured answers",
            "input and output contain the tokens of all other types.",
            (
                Query(
                    f"sum by (workload, side, origin, type) (rate(glidepath_extproc_tokens_total{{{WORKLOAD}}}{RATE}))",
                    "{{workload}} {{side}} {{origin}} {{type}}",
                ),
            ),
        ),
        Panel(
            "Spend an hour, all requests",
            "The mean price of a captured answer's tokens, times the requests. Without GPUs and fixed amounts.",
            (Query(spend_an_hour(), "{{workload}} {{side}} {{origin}} {{currency}}"),),
        ),
        Panel(
            "Answered by Envoy itself",
            "Requests a second that no side answered.",
            (
                Query(
                    "sum by (workload, at_fault, kind)"
                    f" (rate(glidepath_extproc_local_replies_total{{{WORKLOAD}}}{RATE}))",
                    "{{workload}} {{at_fault}} {{kind}}",
                ),
            ),
            "reqps",
        ),
        Panel(
            "Rescues",
            "Failed candidate requests a second that Envoy sent to the baseline.",
            (
                Query(
                    f"sum by (workload, result) (rate(glidepath_extproc_rescues_total{{{WORKLOAD}}}{RATE}))",
                    "{{workload}} {{result}}",
                ),
            ),
            "reqps",
        ),
        Panel(
            "A side refuses",
            "1 while a side fails or refuses most of its latest requests for one cause.",
            (
                Query(
                    f"max by (workload, side, cause) (glidepath_side_refuses{{{WORKLOAD}}})",
                    "{{workload}} {{side}} {{cause}}",
                ),
            ),
        ),
    ),
)
