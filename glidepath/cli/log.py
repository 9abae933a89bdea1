"""``glidepath log`` and ``glidepath log annotate``: what was decided, why, and what turned out to be the cause."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from glidepath.cli import client
from glidepath.cli.control import headline, sentence
from glidepath.config import Config
from glidepath.errors import InputError, UnreachableError
from glidepath.keys import WorkloadKeys
from glidepath.records import Command, CommandKind, Decision
from glidepath.redisio import RedisClient

ConfigPath = Annotated[Path, typer.Option("--config", "-c", help="The configuration.")]
DEFAULT = Path("glidepath.yaml")

command = typer.Typer(no_args_is_help=False, help="Read the decision log; annotate it.")


@command.callback(invoke_without_command=True)
def show(
    context: typer.Context,
    config: ConfigPath = DEFAULT,
    workload: Annotated[str | None, typer.Option("--workload", "-w", help="Only this one.")] = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many, the latest.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines, with evidence and versions.")] = False,
) -> None:
    """Read the decision log, oldest first."""
    if context.invoked_subcommand is not None:
        return

    async def work(settings: Config, redis: RedisClient) -> list[Decision]:
        names = [workload] if workload else list(settings.workloads)
        for name in names:
            settings.workload(name)
        decisions = [d for name in names for d in await client.read_log(redis, name, count)]
        return sorted(decisions, key=lambda d: d.at_ms)[-count:]

    decisions = client.with_redis(config, work)
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
        name = await _owner(settings, redis, workload, decision_id)
        note = Command(CommandKind.ANNOTATE, client.actor(), cause, target=decision_id)
        command_id = await client.send(redis, name, note)
        decision = await client.outcome(redis, name, command_id, 10)
        if decision is None:
            raise UnreachableError("no scorer acted on it within 10 s; it is written as soon as one steers")
        return decision

    typer.echo(sentence(client.with_redis(config, work)))


async def _owner(settings: Config, redis: RedisClient, workload: str | None, decision_id: str) -> str:
    """The workload whose log has this id. Raises InputError when none has."""
    if not all(part.isdigit() for part in decision_id.split("-", 1)):
        raise InputError(f"{decision_id!r} is no id of a decision (they look like 1700000000000-0)")
    names = [workload] if workload else list(settings.workloads)
    for name in names:
        settings.workload(name)
        if await redis.xrange(WorkloadKeys(name).log, decision_id, decision_id):
            return name
    raise InputError(f"no decision {decision_id} in the log of {', '.join(names)}")


def lines(decisions: list[Decision]) -> list[str]:
    """Two lines a decision: what and by whom, then why; a cause that was found later follows."""
    causes = {d.details.get("target"): d.reason for d in decisions if d.event == "annotate"}
    found: list[str] = []
    for decision in decisions:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(decision.at_ms / 1000))
        found.append(f"{decision.id}  {when}  {headline(decision)}, by {decision.actor}")
        found.append(f"    {decision.reason}")
        if decision.id in causes:
            found.append(f"    cause: {causes[decision.id]}")
    return found
