"""``glidepath status``: show the candidate's share, the phase and the gates of each workload."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from glidepath.config import Config
from glidepath.duration_text import duration_text
from glidepath.embedding_models import unread_languages_text
from glidepath.pluralization import number_of
from glidepath.redisio import RedisClient
from glidepath.scorer_groups import GroupProblem
from glidepath.status_and_decisions import SideStatus, Verdict, WorkloadStatus
from glidepath_ops.cli.narrow_status import NARROW, NEVER_STEERED, gate_lines, indented, workload_lines
from glidepath_ops.cli.output_width import output_console
from glidepath_ops.cli.redis_connection import with_redis
from glidepath_ops.cli.shared_options import DEFAULT_CONFIG, AsJson, ConfigPath, WorkloadFilter
from glidepath_ops.cli.status_details import details
from glidepath_ops.evidence_text import evidence_text
from glidepath_ops.read_fleet_status import STALE_S, FleetReading, read_fleet

MOST_SHOWN = 3  # workloads whose gates are shown without --workload
_STYLE = {"pass": "green", "fail": "bold red", "inconclusive": "yellow"}


def command(
    config: ConfigPath = DEFAULT_CONFIG,
    workload: WorkloadFilter = None,
    as_json: AsJson = False,
) -> None:
    """Show the candidate's share, the phase and the gates of each workload.

    Gates, errors by kind and coverage are shown only with --workload, or if at most three workloads are configured.
    Below 120 columns, lines are shown instead of tables. Output to a file or a pipe is 80 columns wide, unless the
    variable COLUMNS gives another width.
    """

    async def work(settings: Config, redis: RedisClient) -> FleetReading:
        names = [workload] if workload else list(settings.workloads)
        return await read_fleet(settings, redis, names, details=len(names) <= MOST_SHOWN)

    read = with_redis(config, work)
    if as_json:
        typer.echo(json.dumps(read.records()))
        return
    console = output_console()
    if console.width < NARROW:
        for line in narrow_overview(read.statuses, time.time(), read.troubles):
            console.print(indented(line))
    else:
        console.print(overview(read.statuses, time.time(), read.troubles))
    for record in read.unseen:
        if record.unseen:
            console.print(f"unseen: {record.text}")
    for line in unread_answers(read.model, read.statuses):
        console.print(line, markup=False)
    for name, status in read.statuses.items():
        if status is not None and (workload or len(read.statuses) <= MOST_SHOWN):
            _show_details(console, status, read.examples.get(name, {}), read.baselines[name])
            for line in read.about_judging.get(name, []):
                console.print(line, markup=False)


def unread_answers(model: str, found: Mapping[str, WorkloadStatus | None]) -> list[str]:
    """Return a line for each workload with answers in languages that the embedding model does not read."""
    texts = {name: unread_languages_text(model, status.languages) for name, status in found.items() if status}
    return [f"{name}: {text}" for name, text in texts.items() if text]


def _show_details(console: Console, status: WorkloadStatus, examples: Mapping[str, str], baseline: str) -> None:
    if console.width < NARROW:
        console.print()
        for line in (title_of(status), *gate_lines(status.verdicts)):
            console.print(indented(line))
    else:
        console.print(gates(status))
    if calls := tool_calls(status):
        console.print(calls)
    stale = time.time() - status.updated_at_ms / 1000 > STALE_S
    for line in details(status, examples, baseline, stale=stale):
        console.print(indented(escape(line)))


def narrow_overview(
    found: Mapping[str, WorkloadStatus | None], now: float, troubles: Mapping[str, GroupProblem]
) -> Iterator[str]:
    """Yield the lines that replace the table of ``overview`` on a narrow terminal."""
    for name, status in found.items():
        why = f"[red]{escape(str(troubles[name]))}[/]" if name in troubles else ""
        trouble = _late(status, now, why) if status else why
        latency = _latency(status.baseline, status.candidate) if status else ""
        yield from workload_lines(name, status, trouble, f"latency {latency}")


def overview(
    found: dict[str, WorkloadStatus | None], now: float, troubles: Mapping[str, GroupProblem] | None = None
) -> Table:
    """Return a table with one row per workload.

    ``found`` maps each workload to its status, or to None if no scorer has steered it. ``now`` is in Unix seconds.
    ``troubles`` maps a workload to the reason why its scorer group does not steer it.
    """
    table = Table(box=None, pad_edge=False)
    for heading in ("workload", "share", "phase", "step", "Envoys", "agreement", "latency base → cand", "next"):
        table.add_column(heading, overflow="fold")
    for name, status in found.items():
        trouble = (troubles or {}).get(name)
        why = f"[red]{escape(str(trouble))}[/]" if trouble else ""
        if status is None:
            table.add_row(name, "–", "–", "–", "–", "–", "–", why or NEVER_STEERED)
            continue
        late = _late(status, now, why)
        table.add_row(
            name,
            f"{status.percent:g} %" if status.share_known else "[bold red]unknown[/]",
            status.phase.replace("_", " "),
            f"{status.step + 1}/{len(status.steps)}",
            f"{status.confirmed} of {status.envoys}",
            "–" if status.agreement is None else f"{status.agreement:.3f}",
            _latency(status.baseline, status.candidate),
            "; ".join(filter(None, (late, status.message))),
        )
    return table


def _late(status: WorkloadStatus, now: float, why: str) -> str:
    """Return a workload's problems as text: an outdated status, and ``why`` it is not steered; "" for none."""
    age = now - status.updated_at_ms / 1000
    start = "start `glidepath up`, or `glidepath scorer`; if one runs: `glidepath doctor`"
    hint = "" if why else f": is a scorer running? {start}"
    late = f"[red]no update for {age:.0f} s{hint}[/]" if age > STALE_S else ""
    return "; ".join(filter(None, (late, why)))


def title_of(status: WorkloadStatus) -> str:
    """Return the heading of the gates: both sides' requests and errors in this step.

    For a side that serves no client (the candidate at 0 %, the baseline at 100 %), the copies to it are counted.
    """
    baseline, candidate, least = status.baseline, status.candidate, status.min_samples
    of_candidate = number_of(candidate.requests, "copied request" if status.candidate_counts_copies else "request")
    of_baseline = number_of(baseline.requests, "copied request" if status.baseline_counts_copies else "request")
    wanted = f" of at least {least}" if candidate.requests < least else ""
    return (
        f"{status.workload}, this step: candidate {of_candidate}{wanted}, {number_of(candidate.errors, 'error')}"
        f"{_rescues(candidate)}; baseline {of_baseline}, {number_of(baseline.errors, 'error')}"
    )


def gates(status: WorkloadStatus) -> Table:
    """Return a table with one row for each gate. Its title gives both sides' requests and errors in this step.

    The column ``basis`` names what the gate compares: live requests, pairs, or both.
    """
    table = Table(box=None, pad_edge=False, title=title_of(status), title_justify="left")
    for heading in ("gate", "verdict", "value", "limit", "n", "basis", "evidence", ""):
        table.add_column(heading, overflow="fold")
    for verdict in status.verdicts:
        style = _STYLE.get(verdict.outcome, "")
        name = verdict.gate if verdict.gating else f"{verdict.gate} (informational)"
        outcome = f"[{style}]{verdict.outcome}[/]" if style else verdict.outcome
        numbers = (_number(verdict.value, verdict.unit), _number(verdict.limit, verdict.unit), str(verdict.n))
        says = verdict.message or missing(verdict)
        table.add_row(name, outcome, *numbers, verdict.basis, evidence_text(verdict), says)
    return table


def tool_calls(status: WorkloadStatus) -> str:
    """Return the rate of exact tool calls in this step as text, or "" if no pair has calls."""
    n, exact = status.pairs_with_calls, status.exact_calls
    return f"exact tool calls: {exact / n:.1%} of {n} pairs in this step" if n else ""


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
    """Return one quantile of both sides' latency as text: the highest for which both sides have enough requests.

    If there is none, return a quantile that one side has.
    """
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
