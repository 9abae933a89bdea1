"""``glidepath log`` and ``glidepath log annotate``: what was decided, why, and what turned out to be the cause."""

from __future__ import annotations

import json
import re
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from glidepath.config import Config
from glidepath.errors import CommandRefusedError, InputError, UnreachableError
from glidepath.keys import WorkloadKeys
from glidepath.records import Command, CommandKind, Decision
from glidepath.redisio import RedisClient
from glidepath_ops.cli import redis_session
from glidepath_ops.cli.steering_commands import headline, sentence

ConfigPath = Annotated[Path, typer.Option("--config", "-c", help="The configuration.")]
DEFAULT = Path("glidepath.yaml")
MOST = 1_000_000
_ID = re.compile(r"([0-9]{1,20})(?:-([0-9]{1,20}))?", re.ASCII)
_LARGEST = 2**64 - 1

command = typer.Typer(no_args_is_help=False, help="Read the decision log; annotate it.")


@command.callback(invoke_without_command=True)
def show(
    context: typer.Context,
    config: ConfigPath = DEFAULT,
    workload: Annotated[str | None, typer.Option("--workload", "-w", help="Only this one.")] = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=MOST, help="How many, the latest.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines, with evidence and versions.")] = False,
) -> None:
    """Read the decision log, oldest first."""
    if context.invoked_subcommand is not None:
        return

    async def work(settings: Config, redis: RedisClient) -> list[Decision]:
        names = [workload] if workload else list(settings.workloads)
        for name in names:
            settings.workload(name)
        decisions = [d for name in names for d in await redis_session.read_log(redis, name, count)]
        return sorted(decisions, key=lambda d: d.at_ms)[-count:]

    decisions = redis_session.with_redis(config, work)
    if as_json:
        for decision in decisions:
            typer.echo(json.dumps(asdict(decision)))
        return
    for line in lines(decisions):
        typer.echo(line)


@command.command("annotate")
def annotate(
    decision_id: Annotated[str, typer.Argument(metavar="ID", help="The decision's id, as `glidepath log` shows it.")],
    cause: Annotated[str, typer.Option("--cause", help="What it turned out to be.")],
    config: ConfigPath = DEFAULT,
    workload: Annotated[str | None, typer.Option("--workload", "-w", help="Whose log; searched if absent.")] = None,
) -> None:
    """Add the root cause to a decision. The log is append-only: this is a line of its own that names the other."""

    async def work(settings: Config, redis: RedisClient) -> Decision:
        name, target = await _owner(settings, redis, workload, decision_id)
        note = Command(CommandKind.ANNOTATE, redis_session.actor(), cause, target=target)
        command_id = await redis_session.send(redis, name, note)
        decision = await redis_session.outcome(redis, name, command_id, 10)
        if decision is None:
            raise UnreachableError("no scorer acted on it within 10 s; it is written as soon as one steers")
        if decision.event == "refused":
            raise CommandRefusedError(f"annotate {target}: {decision.reason}")
        return decision

    if not cause.strip():
        raise InputError("--cause: is empty")

    typer.echo(sentence(redis_session.with_redis(config, work)))


async def _owner(settings: Config, redis: RedisClient, workload: str | None, decision_id: str) -> tuple[str, str]:
    """The workload whose log has this id, and the id as the log writes it. Raises InputError unless exactly one has."""
    first, last = id_range(decision_id)
    names = [workload] if workload else list(settings.workloads)
    found: list[tuple[str, str]] = []
    for name in names:
        settings.workload(name)
        entries = await redis.xrange(WorkloadKeys(name).log, first, last, count=100)
        found += [(name, entry.decode()) for entry, _ in entries]
    if not found:
        raise InputError(f"no decision {decision_id} in the log of {', '.join(names)}")
    if len(found) > 1:
        which = ", ".join(f"{entry} of {name}" for name, entry in found)
        raise InputError(f"{decision_id}: which one is meant, with --workload? ({which})")
    return found[0]


def id_range(text: str) -> tuple[str, str]:
    """The first and the last id in Redis that ``text`` may mean. Raises InputError for what is no decision's id."""
    match = _ID.fullmatch(text)
    parts = [int(part) for part in match.groups() if part is not None] if match else []
    if not parts or max(parts) > _LARGEST:
        raise InputError(f"{text[:60]!r} is no id of a decision (as `glidepath log` shows them: 1700000000000-0)")
    ms, *rest = parts
    return f"{ms}-{rest[0] if rest else 0}", f"{ms}-{rest[0] if rest else _LARGEST}"


def lines(decisions: list[Decision]) -> list[str]:
    """Two lines a decision: what and by whom, then why; a cause that was found later follows."""
    causes = {(d.workload, d.details.get("target")): d.reason for d in decisions if d.event == "annotate"}
    found: list[str] = []
    for decision in decisions:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(decision.at_ms / 1000))
        found.append(f"{decision.id}  {when}  {headline(decision)}, by {decision.actor}")
        found.append(f"    {_one_line(decision.reason)}")
        cause = causes.get((decision.workload, decision.id))
        if cause is not None:
            found.append(f"    cause: {_one_line(cause)}")
    return found


def _one_line(text: str) -> str:
    """What a person typed, without what would move the cursor."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
