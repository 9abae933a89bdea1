"""PromQL that several panels of the dashboard use. ``$workload`` is the dashboard's variable."""

from __future__ import annotations

WORKLOAD = 'workload=~"$workload"'
LIVE = f'{WORKLOAD}, origin="live"'
LIVE_CANDIDATE = f'{LIVE}, side="candidate"'
LIVE_ENDED = f'{LIVE}, result!="client_abort"'
RATE = "[$__rate_interval]"
FAILED = 'result!~"ok|client_abort"'


def requests(labels: str) -> str:
    """Return a query for the requests per second with these labels."""
    return f"rate(glidepath_extproc_requests_total{{{labels}}}{RATE})"


def quantile(q: float, metric: str) -> str:
    """Return a query for a quantile of a histogram of clients' requests, by workload and side."""
    return f"histogram_quantile({q}, sum by (workload, side, le) (rate({metric}_bucket{{{LIVE}}}{RATE})))"


def mean_agreement() -> str:
    """Return a query for the mean agreement, by workload and kind of pair."""
    by = "sum by (workload, kind)"
    mean = f"{by} (rate(glidepath_scorer_agreement_ratio_sum{{{WORKLOAD}}}{RATE}))"
    return f"{mean} / {by} (rate(glidepath_scorer_agreement_ratio_count{{{WORKLOAD}}}{RATE}))"


def error_share() -> str:
    """Return a query for the share of errors. It is 0 for a side without errors, which has no series of errors."""
    failed, ended = requests(f"{LIVE}, {FAILED}"), requests(LIVE_ENDED)
    by = "sum by (workload, side)"
    return f"({by} ({failed}) or 0 * {by} ({ended})) / {by} ({ended})"


def spend_an_hour() -> str:
    """Return a query for the hourly cost: the mean price of a captured answer times the requests of an hour."""
    by = "sum by (workload, side, origin"
    spend = f"{by}, currency) (rate(glidepath_extproc_spend_total{{{WORKLOAD}}}{RATE}))"
    answers = f"{by}) (rate(glidepath_extproc_token_answers_total{{{WORKLOAD}}}{RATE}))"
    each = f"{spend} / on (workload, side, origin) group_left {answers}"
    return f"3600 * {each} * on (workload, side, origin) group_left {by}) ({requests(WORKLOAD)})"
