"""``glidepath status``: show the candidate's share, the phase and the gates of each workload."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from glidepath import redis_keys, scorer_groups
from glidepath.config import Config
from glidepath.duration_text import duration_text
from glidepath.redisio import RedisClient
from glidepath.scorer_groups import GroupProblem
from glidepath.status_and_decisions import SideStatus, Verdict, WorkloadStatus
from glidepath.unseen_entries import UnseenRecord
from glidepath_ops.cli.redis_connection import with_redis
from glidepath_ops.cli.shared_options import DEFAULT_CONFIG, AsJson, ConfigPath, WorkloadFilter
from glidepath_ops.cli.steering_client import read_status
from glidepath_ops.evidence_text import evidence_text

STALE_S = 10.0
PIPED_WIDTH = 200
_STYLE = {"pass": "green", "fail": "bold red", "inconclusive": "yellow"}


def command(
    config: ConfigPath = DEFAULT_CONFIG,
    workload: WorkloadFilter = None,
    as_json: AsJson = False,
) -> None:
    """Show the candidate's share, the phase and the gates of each workload.

    Gates are shown only with --workload, or if at most three workloads are configured.
    """

    troubles: dict[str, GroupProblem] = {}
    unseen: list[UnseenRecord] = []

    async def work(settings: Config, redis: RedisClient) -> dict[str, WorkloadStatus | None]:
        names = [workload] if workload else list(settings.workloads)
        for name in names:
            settings.workload(name)
        group = settings.scorer.group
        leader, holders = await scorer_groups.leader(redis, group), await scorer_groups.last_steering(redis, names)
        troubles.update({n: t for n, h in holders.items() if (t := scorer_groups.group_problem(n, group, leader, h))})
        if (raw := await redis.get(redis_keys.UNSEEN_ENTRIES)) is not None:
            unseen.append(UnseenRecord.from_json(raw))
        return {name: await read_status(redis, name) for name in names}

    found = with_redis(config, work)
    if as_json:
        typer.echo(json.dumps({name: asdict(status) if status else None for name, status in found.items()}))
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPED_WIDTH)  # in a log or a pager: do not wrap at 80 columns
    console.print(overview(found, time.time(), troubles))
    for record in unseen:
        if record.unseen:
            console.print(f"unseen: {record.unseen} of {record.produced} access log entries reached no extproc")
    for status in found.values():
        if status is not None and (workload or len(found) <= 3):
            console.print(gates(status))
            if calls := tool_calls(status):
                console.print(calls)
            for line in totals(status):
                console.print(line)


def overview(
    found: dict[str, WorkloadStatus | None], now: float, troubles: Mapping[str, GroupProblem] | None = None
) -> Table:
    """Return a table with one row per workload.

    ``found`` maps each workload to its status, or to None if no scorer has steered it. ``now`` is in Unix seconds.
    ``troubles`` maps a workload to the reason why its scorer group does not steer it.
    """
    table = Table(box=None, pad_edge=False)
    for heading in ("workload", "share", "phase", "step", "Envoys", "sameness", "latency base → cand", "next"):
        table.add_column(heading, overflow="fold")
    for name, status in found.items():
        trouble = (troubles or {}).get(name)
        why = f"[red]{escape(str(trouble))}[/]" if trouble else ""
        if status is None:
            table.add_row(name, "–", "–", "–", "–", "–", "–", why or "no scorer has steered it yet")
            continue
        age = now - status.updated_at_ms / 1000
        late = f"[red]no update for {age:.0f} s: {'' if why else 'is a scorer running?'}[/] " if age > STALE_S else ""
        late += f"{why} " if why else ""
        table.add_row(
            name,
            f"{status.percent:g} %" if status.share_known else "[bold red]unknown[/]",
            status.phase.replace("_", " "),
            f"{status.step + 1}/{len(status.steps)}",
            f"{status.confirmed} of {status.envoys}",
            "–" if status.agreement is None else f"{status.agreement:.3f}",
            _latency(status.baseline, status.candidate),
            late + status.message,
        )
    return table


def gates(status: WorkloadStatus) -> Table:
    """Return a table with one row for each gate. Its title gives both sides' requests and errors in this step."""
    baseline, candidate, least = status.baseline, status.candidate, status.min_samples
    wanted = f" of at least {least}" if candidate.requests < least else ""
    title = (
        f"{status.workload}, this step: candidate {candidate.requests} requests{wanted}, {candidate.errors} errors"
        f"{_rescues(candidate)}; baseline {baseline.requests} requests, {baseline.errors} errors"
    )
    table = Table(box=None, pad_edge=False, title=title, title_justify="left")
    for heading in ("gate", "verdict", "value", "limit", "n", "evidence", ""):
        table.add_column(heading, overflow="fold")
    for verdict in status.verdicts:
        style = _STYLE.get(verdict.outcome, "")
        name = verdict.gate if verdict.gating else f"{verdict.gate} (informational)"
        outcome = f"[{style}]{verdict.outcome}[/]" if style else verdict.outcome
        numbers = (_number(verdict.value, verdict.unit), _number(verdict.limit, verdict.unit), str(verdict.n))
        table.add_row(name, outcome, *numbers, evidence_text(verdict), verdict.message or missing(verdict))
    return table


def tool_calls(status: WorkloadStatus) -> str:
    """Return the rate of exact tool calls in this step as text, or "" if no pair has calls."""
    n, exact = status.pairs_with_calls, status.exact_calls
    return f"exact tool calls: {exact / n:.1%} of {n} pairs in this step" if n else ""


def totals(status: WorkloadStatus) -> list[str]:
    """Return lines about failures since the beginning, and about what the instruments said."""
    shown = (
        ("errors since the beginning", status.error_kinds),
        ("evaluator and verifier, since the beginning", status.instruments),
        ("feedback since the beginning", status.feedback),
        ("answered by Envoy itself, since the beginning", status.local_replies),
    )
    return [f"{what}: {_counts(counts)}" for what, counts in shown if counts]


def _counts(counts: Mapping[str, int]) -> str:
    """Return the counts as text, the largest first."""
    return ", ".join(f"{n} {name}" for name, n in sorted(counts.items(), key=lambda one: -one[1]))


def _rescues(candidate: SideStatus) -> str:
    """Return, as text, how many failed candidate requests the baseline answered, and how many failed there too.

    The text is empty if both numbers are 0.
    """
    if not candidate.rescued and not candidate.rescues_failed:
        return ""
    return f" ({candidate.rescued} answered by the baseline, {candidate.rescues_failed} failed there too)"


def missing(verdict: Verdict) -> str:
    """Return how many more samples the gate needs, such as ``40 more samples, about 12 s at the current rate``.

    The text is empty if no samples are missing.
    """
    if not verdict.missing:
        return ""
    eta = "" if verdict.eta_s is None else f", about {duration_text(verdict.eta_s)} at the current rate"
    return f"{verdict.missing} more samples{eta}"


def _latency(baseline: SideStatus, candidate: SideStatus) -> str:
    """Return the highest quantile of the latency that both sides have enough requests for, else one that a side has."""
    quantiles = {
        name: (getattr(baseline, f"{name}_ms"), getattr(candidate, f"{name}_ms")) for name in ("p99", "p95", "p50")
    }
    known = [one for one in quantiles.items() if None not in one[1]] or [
        one for one in quantiles.items() if one[1] != (None, None)
    ]
    if not known:
        return "–"
    name, values = known[0]
    return f"{name} " + " → ".join("–" if value is None else f"{value:.0f} ms" for value in values)


def _number(value: float | None, unit: str) -> str:
    return "–" if value is None else f"{value:.4g} {unit}".strip()
