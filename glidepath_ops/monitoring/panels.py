"""The panels of the Grafana dashboard: what each shows, and its queries. ``$workload`` is the dashboard's variable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["percentunit", "reqps", "s", "short", "bytes", "bool", "none"]


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression, and the legend of its series in Grafana's form: ``{{label}}`` is a label's value.

    Of a table, the legend is the title of the column, and the labels are columns of their own.
    """

    expression: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture: its title, a sentence about it, its queries, the unit of its values and its form."""

    title: str
    about: str
    queries: tuple[Query, ...]
    unit: Unit = "short"
    form: Literal["timeseries", "stat", "table", "state-timeline"] = "timeseries"
    width: int = 8
    most: float | None = None  # the end of the axis


@dataclass(frozen=True, slots=True)
class Row:
    title: str
    panels: tuple[Panel, ...]


_W = 'workload=~"$workload"'
_LIVE = f'{_W}, origin="live"'
_LIVE_CANDIDATE = f'{_LIVE}, side="candidate"'
_LIVE_ENDED = f'{_LIVE}, result!="client_abort"'
_RATE = "[$__rate_interval]"
_FAILED = 'result!~"ok|client_abort"'


def _requests(labels: str) -> str:
    return f"rate(glidepath_extproc_requests_total{{{labels}}}{_RATE})"


def _quantile(q: float, metric: str) -> str:
    return f"histogram_quantile({q}, sum by (workload, side, le) (rate({metric}_bucket{{{_LIVE}}}{_RATE})))"


def _mean_agreement() -> str:
    by = "sum by (workload, kind)"
    mean = f"{by} (rate(glidepath_scorer_agreement_ratio_sum{{{_W}}}{_RATE}))"
    return f"{mean} / {by} (rate(glidepath_scorer_agreement_ratio_count{{{_W}}}{_RATE}))"


def _error_share() -> str:
    """Return a query that is 0 where a side has had no error at all, and so no series of errors."""
    failed, ended = _requests(f"{_LIVE}, {_FAILED}"), _requests(_LIVE_ENDED)
    by = "sum by (workload, side)"
    return f"({by} ({failed}) or 0 * {by} ({ended})) / {by} ({ended})"


def _spend_an_hour() -> str:
    by = "sum by (workload, side, origin"
    spend = f"{by}, currency) (rate(glidepath_extproc_spend_total{{{_W}}}{_RATE}))"
    answers = f"{by}) (rate(glidepath_extproc_token_answers_total{{{_W}}}{_RATE}))"
    each = f"{spend} / on (workload, side, origin) group_left {answers}"
    return f"3600 * {each} * on (workload, side, origin) group_left {by}) ({_requests(_W)})"


_RAMP = Row(
    "The ramp",
    (
        Panel(
            "Share of the candidate",
            "Asked: what the Envoys shall do. Seen: what clients' requests really did.",
            (
                Query(f"max by (workload) (glidepath_share_asked_ratio{{{_W}}})", "{{workload}} asked"),
                Query(
                    f"sum by (workload) ({_requests(_LIVE_CANDIDATE)}) / sum by (workload) ({_requests(_LIVE)})",
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
            (Query(f"max by (workload, phase) (glidepath_phase{{{_W}}}) == 1", "{{workload}} {{phase}}"),),
            "none",
            "state-timeline",
            12,
        ),
        Panel(
            "Gates: evidence to pass",
            "1 proves the candidate good enough in this step.",
            (
                Query(
                    f"max by (workload, gate) (glidepath_gate_evidence_to_pass_ratio{{{_W}}})", "{{workload}} {{gate}}"
                ),
            ),
        ),
        Panel(
            "Gates: evidence to fail",
            "1 proves the candidate too bad: a rollback, a hold or a notice.",
            (
                Query(
                    f"max by (workload, gate) (glidepath_gate_evidence_to_fail_ratio{{{_W}}})", "{{workload}} {{gate}}"
                ),
            ),
        ),
        Panel(
            "Gates: verdicts",
            "1 passes, 0 is undecided, -1 fails.",
            (Query(f"max by (workload, gate) (glidepath_gate_verdict{{{_W}}})", "verdict"),),
            "none",
            "table",
        ),
        Panel(
            "Gates: value, limit and bounds",
            "In the unit of the gate. The bounds hold at all looks of the step at once.",
            tuple(
                Query(f"max by (workload, gate, unit) (glidepath_gate_{name}{{{_W}}})", name)
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
                    f"sum by (workload, event) (increase(glidepath_decisions_total{{{_W}}}{_RATE}))",
                    "{{workload}} {{event}}",
                ),
            ),
            width=12,
        ),
    ),
)
_TRAFFIC = Row(
    "Requests",
    (
        Panel(
            "Requests a second",
            "Finished requests: of clients (live) and copies (shadow).",
            (
                Query(
                    f"sum by (workload, side, origin) ({_requests(_W)})",
                    "{{workload}} {{side}} {{origin}}",
                ),
            ),
            "reqps",
        ),
        Panel(
            "Share of errors, clients' requests",
            "Of the requests that the client did not abort.",
            (Query(_error_share(), "{{workload}} {{side}}"),),
            "percentunit",
        ),
        Panel(
            "Kinds of errors",
            "Errors a second of clients' requests and of copies, by kind.",
            (
                Query(
                    f"sum by (workload, side, origin, result) ({_requests(f'{_W}, {_FAILED}')})",
                    "{{workload}} {{side}} {{origin}} {{result}}",
                ),
            ),
            "reqps",
        ),
        Panel(
            "Latency, clients' requests",
            "From the end of the request to the end of the answer: median and 95 %.",
            (
                Query(_quantile(0.5, "glidepath_extproc_request_duration_seconds"), "{{workload}} {{side}} p50"),
                Query(_quantile(0.95, "glidepath_extproc_request_duration_seconds"), "{{workload}} {{side}} p95"),
            ),
            "s",
        ),
        Panel(
            "Time to the first byte, clients' requests",
            "From the end of the request to the first byte of the answer's body: median and 95 %.",
            (
                Query(_quantile(0.5, "glidepath_extproc_time_to_first_byte_seconds"), "{{workload}} {{side}} p50"),
                Query(_quantile(0.95, "glidepath_extproc_time_to_first_byte_seconds"), "{{workload}} {{side}} p95"),
            ),
            "s",
        ),
        Panel(
            "Tokens a second of captured answers",
            "input and output contain the tokens of all other types.",
            (
                Query(
                    f"sum by (workload, side, origin, type) (rate(glidepath_extproc_tokens_total{{{_W}}}{_RATE}))",
                    "{{workload}} {{side}} {{origin}} {{type}}",
                ),
            ),
        ),
        Panel(
            "Spend an hour, all requests",
            "The mean price of a captured answer's tokens, times the requests. Without GPUs and fixed amounts.",
            (Query(_spend_an_hour(), "{{workload}} {{side}} {{origin}} {{currency}}"),),
        ),
        Panel(
            "Answered by Envoy itself",
            "Requests a second that no side answered.",
            (
                Query(
                    f"sum by (workload, at_fault, kind) (rate(glidepath_extproc_local_replies_total{{{_W}}}{_RATE}))",
                    "{{workload}} {{at_fault}} {{kind}}",
                ),
            ),
            "reqps",
        ),
        Panel(
            "Rescues",
            "Failed requests of the candidate that the baseline was asked again, a second.",
            (
                Query(
                    f"sum by (workload, result) (rate(glidepath_extproc_rescues_total{{{_W}}}{_RATE}))",
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
                    f"max by (workload, side, cause) (glidepath_side_refuses{{{_W}}})",
                    "{{workload}} {{side}} {{cause}}",
                ),
            ),
        ),
    ),
)
_ANSWERS = Row(
    "Answers",
    (
        Panel(
            "Mean agreement",
            "cross: both sides. noise: the baseline with itself, which is the most that can be expected.",
            (Query(_mean_agreement(), "{{workload}} {{kind}}"),),
            "percentunit",
            most=1,
        ),
        Panel(
            "Flags",
            "Scored pairs a second with this difference.",
            (
                Query(
                    f"sum by (workload, flag) (rate(glidepath_scorer_flags_total{{{_W}}}{_RATE}))",
                    "{{workload}} {{flag}}",
                ),
            ),
        ),
        Panel(
            "Faults of answers by themselves",
            "Answers a second with this fault, whatever the other side answered.",
            (
                Query(
                    f"sum by (workload, side, fault) (rate(glidepath_scorer_answer_faults_total{{{_W}}}{_RATE}))",
                    "{{workload}} {{side}} {{fault}}",
                ),
            ),
        ),
        Panel(
            "What became of captured requests",
            "Captured exchanges a second, by result.",
            (
                Query(
                    f"sum by (workload, reason) (rate(glidepath_extproc_coverage_total{{{_W}}}{_RATE}))",
                    "{{workload}} {{reason}}",
                ),
            ),
        ),
        Panel(
            "Scored pairs",
            "Pairs a second with a score, without one by reason, and waiting.",
            (
                Query(
                    f"sum by (workload, kind) (rate(glidepath_scorer_pairs_scored_total{{{_W}}}{_RATE}))",
                    "{{workload}} scored {{kind}}",
                ),
                Query(
                    f"sum by (workload, reason) (rate(glidepath_scorer_pairs_unscored_total{{{_W}}}{_RATE}))",
                    "{{workload}} unscored {{reason}}",
                ),
                Query(f"max by (workload) (glidepath_scorer_queue_pairs{{{_W}}})", "{{workload}} waiting"),
            ),
        ),
        Panel(
            "Evaluator, verifier, feedback",
            "Since the beginning, by outcome.",
            (
                Query(
                    f"max by (workload, instrument, outcome) (glidepath_instrument_pairs_total{{{_W}}})",
                    "{{workload}} {{instrument}} {{outcome}}",
                ),
                Query(
                    f"max by (workload, match) (glidepath_feedback_total{{{_W}}})", "{{workload}} feedback {{match}}"
                ),
            ),
        ),
    ),
)
_HEALTH = Row(
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
            "Found, with the desired weights, and with the lease of the split.",
            (
                Query(f"max by (workload) (glidepath_envoys{{{_W}}})", "{{workload}} found"),
                Query(f"max by (workload) (glidepath_envoys_confirmed{{{_W}}})", "{{workload}} confirmed"),
                Query(f"max by (workload) (glidepath_envoys_leased{{{_W}}})", "{{workload}} leased"),
            ),
        ),
        Panel(
            "Blind",
            "1 while an Envoy serves the candidate's share and its outcomes do not arrive.",
            (Query(f"max by (workload) (glidepath_blind{{{_W}}})", "{{workload}}"),),
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
            (Query(f"sum by (workload) (glidepath_extproc_tee_in_flight{{{_W}}})", "{{workload}}"),),
        ),
        Panel(
            "How long a tick and a score take",
            "99 % of the steer ticks; the mean of a scored pair.",
            (
                Query(
                    f"histogram_quantile(0.99, sum by (le) (rate(glidepath_steer_tick_seconds_bucket{_RATE})))",
                    "tick p99",
                ),
                Query(
                    f"sum(rate(glidepath_scorer_pair_seconds_sum{_RATE}))"
                    f" / sum(rate(glidepath_scorer_pair_seconds_count{_RATE}))",
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
ROWS = (_RAMP, _TRAFFIC, _ANSWERS, _HEALTH)
