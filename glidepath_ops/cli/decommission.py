"""``glidepath decommission``: show the checklist for switching off a baseline, and archive the migration's records."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from glidepath.clock import unix_ms
from glidepath.config import Config
from glidepath.errors import InputError
from glidepath.kept_pairs import forget_pairs
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient
from glidepath.status_and_decisions import Decision, Phase, to_json
from glidepath.writes_to_a_full_redis import add_to_stream
from glidepath_ops.cli.output_files import PRIVATE, check_output, is_standard_output, write_output
from glidepath_ops.cli.output_width import WIDE_TABLE, output_console
from glidepath_ops.cli.redis_connection import with_redis
from glidepath_ops.cli.shared_options import DEFAULT_CONFIG, AsJson, ConfigPath, Reason
from glidepath_ops.cli.steering_client import actor, read_log, read_status
from glidepath_ops.decommission.archive import archive_of, as_lines, as_yaml, sanitized
from glidepath_ops.decommission.archived_pairs import archived_pairs
from glidepath_ops.decommission.checklist import ChecklistItem, ItemState, WorkloadFacts, blocked, checklist, in_order
from glidepath_ops.envoyconfig.bootstrap import annotated_bootstrap
from glidepath_ops.envoyconfig.commented_yaml import to_yaml

_STYLE = {ItemState.OK: "green", ItemState.WARN: "yellow", ItemState.BLOCK: "bold red", ItemState.TODO: "cyan"}
RECENT_DECISIONS = 1000


def command(
    workload: Annotated[
        str | None,
        typer.Argument(
            help="Workload whose baseline you want to switch off; default: show the order for all workloads."
        ),
    ] = None,
    config: ConfigPath = DEFAULT_CONFIG,
    archive: Annotated[
        Path | None,
        typer.Option(
            "--archive",
            metavar="FILE",
            help="Archive the configuration, decision log, status, labels and kept pairs in this tar.gz file; - is "
            "stdout. Needs a workload.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="With --archive: archive even if an item blocks the decommissioning.")
    ] = False,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Show the checklist for switching off a baseline.

    Without a workload, the command shows the order in which to switch off the baselines, least critical workload first.

    With a workload, the exit status is 1 if an item of the checklist blocks the decommissioning. If no item blocks it,
    or if --force is given, --archive writes the archive and records the decommissioning in the decision log.
    """
    if archive is not None and workload is None:
        raise InputError("--archive: needs the workload to archive: glidepath decommission WORKLOAD --archive FILE")
    to_stdout = archive is not None and is_standard_output(archive)
    if archive is not None:
        check_output(archive, "--archive")
    if to_stdout and as_json:
        raise InputError("--archive: standard output cannot be both the archive and the result of --json")

    async def work(settings: Config, redis: RedisClient) -> dict[str, Any]:
        if workload is None:
            return await _all(settings, redis)
        settings.workload(workload)
        return await _one(settings, redis, workload, archive, force, reason)

    found = with_redis(config, work)
    if as_json:
        typer.echo(json.dumps(found, default=asdict))
    elif workload is None:
        output_console(WIDE_TABLE).print(_order_table(found["order"]))
    else:
        _show(found, stderr=to_stdout)
    if found.get("blocked"):
        raise typer.Exit(1)


async def _all(settings: Config, redis: RedisClient) -> dict[str, Any]:
    facts = await _facts(settings, redis)
    order = []
    for name in in_order(settings, _volumes(facts)):
        status = facts[name].status
        items = checklist(settings, name, facts, unix_ms())
        order.append(
            {
                "workload": name,
                "baseline": settings.workloads[name].baseline,
                "percent": status.percent if status else None,
                "phase": status.phase if status else "",
                "after": list(settings.workloads[name].after),
                "ended": any(d.event == "decommission" for d in facts[name].decisions),
                "blocking": [f"{item.what}: {item.detail}" for item in blocked(items)],
            }
        )
    return {"order": order}


async def _one(
    settings: Config, redis: RedisClient, name: str, archive: Path | None, force: bool, reason: str
) -> dict[str, Any]:
    facts, now_ms = await _facts(settings, redis), unix_ms()
    items = checklist(settings, name, facts, now_ms)
    blocking = blocked(items)
    found: dict[str, Any] = {"workload": name, "blocked": bool(blocking), "items": items, "archive": None}
    if archive is not None and (force or not blocking):
        decision = _decision(settings, name, facts[name], now_ms, reason, blocking)
        log = [*await read_log(redis, name, None), decision]
        pairs = await archived_pairs(settings, redis, name)
        data = archive_of(name, {**_files(settings, facts, items, log), **pairs.files}, now_ms)
        write_output(archive, data, mode=PRIVATE, keep_existing=True)
        key = WorkloadKeys(name).log
        await add_to_stream(redis, key, "d", to_json(decision), settings.retention.log)
        found["forgotten"] = await forget_pairs(redis, name)
        found["archived_labels"], found["archived_pairs"] = pairs.labels, pairs.pairs
        found["archive"] = str(archive)
    return found


async def _facts(settings: Config, redis: RedisClient) -> dict[str, WorkloadFacts]:
    facts = {}
    for name in settings.workloads:
        failing = await redis.hget(WorkloadKeys(name).probes, "failing") or b""
        facts[name] = WorkloadFacts(
            await read_status(redis, name),
            tuple(await read_log(redis, name, RECENT_DECISIONS)),
            failing.decode("utf-8", "replace"),
        )
    return facts


def _volumes(facts: dict[str, WorkloadFacts]) -> dict[str, int]:
    statuses = {name: one.status for name, one in facts.items()}
    return {n: s.baseline.requests + s.candidate.requests for n, s in statuses.items() if s is not None}


def _decision(
    settings: Config, name: str, facts: WorkloadFacts, now_ms: int, reason: str, against: list[ChecklistItem]
) -> Decision:
    status, backend = facts.status, settings.workloads[name].baseline
    percent = status.percent if status else 0.0
    forced = f"; forced despite: {', '.join(item.what for item in against)}" if against else ""
    return Decision(
        at_ms=now_ms,
        workload=name,
        event="decommission",
        from_percent=percent,
        to_percent=percent,
        phase=status.phase if status else Phase.SHADOW.value,
        reason=(reason or f"the baseline {backend} is being switched off; its configuration was archived") + forced,
        trigger="command",
        actor=actor(),
        verdicts=status.verdicts if status else (),
        config_digest=settings.digest(name),
        details={"baseline": backend, "blocking": [f"{item.what}: {item.detail}" for item in against]},
    )


def _files(
    settings: Config, facts: dict[str, WorkloadFacts], items: list[ChecklistItem], log: list[Decision]
) -> dict[str, bytes]:
    data = sanitized(settings)
    statuses = {n: asdict(one.status) if one.status else None for n, one in facts.items()}
    return {
        "glidepath.yaml": as_yaml(data),
        "envoy.yaml": to_yaml(annotated_bootstrap(Config.model_validate(data))).encode(),
        "status.json": json.dumps(statuses, indent=1).encode(),
        "checklist.json": json.dumps([asdict(item) for item in items], indent=1).encode(),
        "decisions.jsonl": as_lines([asdict(decision) for decision in log]),
    }


def _order_table(order: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("", "workload", "baseline", "share", "phase", "blocking items"):
        table.add_column(heading, overflow="fold")
    for number, one in enumerate(order, 1):
        share = "–" if one["percent"] is None else f"{one['percent']:g} %"
        obstacles = "switched off" if one["ended"] else "; ".join(one["blocking"]) or "none"
        table.add_row(str(number), one["workload"], one["baseline"], share, one["phase"], escape(obstacles))
    return table


def _show(found: dict[str, Any], *, stderr: bool) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("", "workload", "what", ""):
        table.add_column(heading, overflow="fold")
    for item in found["items"]:
        detail = escape(item.detail) + (f"\n→ {escape(item.remedy)}" if item.remedy else "")
        mark = "☐" if item.level is ItemState.TODO else item.level.value
        table.add_row(f"[{_STYLE[item.level]}]{mark}[/]", item.workload, item.what, detail)
    console = output_console(WIDE_TABLE, stderr=stderr)
    console.print(table)
    if found["archive"]:
        console.print(f"archived in {escape(found['archive'])} and recorded in the decision log")
        console.print(f"{found['forgotten']} kept pairs and all labels of the workload were removed from Redis")
        console.print(f"the archive has {found['archived_labels']} labels and {found['archived_pairs']} pairs")
    elif found["blocked"]:
        console.print("[bold red]blocked[/]: nothing was archived or logged")
