"""``glidepath log`` shows the decision log; ``glidepath log annotate`` adds a root cause to a decision."""

from __future__ import annotations

import json
import re
import time
from dataclasses import asdict
from typing import Annotated

import typer

from glidepath.config import Config
from glidepath.errors import CommandRefusedError, InputError, UnreachableError
from glidepath.printable_text import one_line, shown_id
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient
from glidepath.status_and_decisions import Command, CommandKind, Decision
from glidepath_ops.cli.redis_connection import with_redis
from glidepath_ops.cli.shared_options import DEFAULT_CONFIG, AsJson, AsJsonLines, ConfigPath, WorkloadFilter
from glidepath_ops.cli.steering_client import actor, read_log, send_command, wait_for_answer
from glidepath_ops.cli.steering_commands import headline, sentence

MAX_COUNT = 1_000_000
_ID = re.compile(r"([0-9]{1,20})(?:-([0-9]{1,20}))?", re.ASCII)
_MAX_ID_PART = 2**64 - 1
_ANNOTATE_WAIT_S = 10

command = typer.Typer(
    no_args_is_help=False,
    rich_markup_mode="markdown",
    help="Show the decision log, or annotate a decision. Without a command, `glidepath log` shows the log.",
)


@command.callback(invoke_without_command=True)
def show(
    context: typer.Context,
    config: ConfigPath = DEFAULT_CONFIG,
    workload: WorkloadFilter = None,
    count: Annotated[
        int, typer.Option("--count", "-n", min=1, max=MAX_COUNT, help="Number of most recent decisions to show.")
    ] = 50,
    as_json: AsJsonLines = False,
) -> None:
    """Show the decision log, oldest decision first.

    With --json, each line also contains the gates' verdicts and the versions of the configuration and the models.
    --workload also takes a workload that is no longer in the configuration, if Redis still has its log.
    """
    if context.invoked_subcommand is not None:
        return

    async def work(settings: Config, redis: RedisClient) -> list[Decision]:
        names = [workload] if workload else list(settings.workloads)
        decisions = [d for name in names for d in await read_log(redis, name, count)]
        if workload and not decisions:
            settings.workload(workload)  # raises an error unless the workload is configured
        return sorted(decisions, key=lambda d: d.at_ms)[-count:]

    decisions = with_redis(config, work)
    if as_json:
        for decision in decisions:
            typer.echo(json.dumps(asdict(decision)))
        return
    for line in lines(decisions):
        typer.echo(line)


@command.command("annotate")
def annotate(
    decision_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the decision, as `glidepath log` shows it.")],
    cause: Annotated[str, typer.Option("--cause", help="Root cause of the problem behind the decision.")],
    config: ConfigPath = DEFAULT_CONFIG,
    workload: Annotated[
        str | None, typer.Option("--workload", "-w", help="Search only the log of this workload; default: all logs.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add a root cause to a decision.

    The log is append-only: the annotation is a new entry that refers to the decision.
    """

    async def work(settings: Config, redis: RedisClient) -> Decision:
        name, target = await _owner(settings, redis, workload, decision_id)
        note = Command(CommandKind.ANNOTATE, actor(), cause, target=target)
        command_id = await send_command(redis, name, note)
        decision = await wait_for_answer(redis, name, command_id, _ANNOTATE_WAIT_S)
        if decision is None:
            raise UnreachableError(
                f"no scorer acted on the annotation within {_ANNOTATE_WAIT_S} s; the next scorer to steer will write it"
            )
        if decision.event == "refused":
            raise CommandRefusedError(f"annotate {target}: {decision.reason}")
        return decision

    if not cause.strip():
        raise InputError("--cause: is empty")

    noted = with_redis(config, work, "waiting for the scorer")
    typer.echo(json.dumps(asdict(noted)) if as_json else sentence(noted))


async def _owner(settings: Config, redis: RedisClient, workload: str | None, decision_id: str) -> tuple[str, str]:
    """Return the workload whose log contains the decision ``decision_id``, and the decision's full id.

    Only the log of ``workload`` is searched, or all logs if it is None. Raises InputError unless exactly one decision
    has this id.
    """
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
        raise InputError(f"{decision_id}: several decisions have this id; choose one with --workload ({which})")
    return found[0]


def id_range(text: str) -> tuple[str, str]:
    """Return the first and the last Redis stream id that ``text`` can stand for.

    ``MILLISECONDS-NUMBER`` is one id; ``MILLISECONDS`` alone means every id of that millisecond. Raises InputError for
    an invalid id.
    """
    match = _ID.fullmatch(text)
    parts = [int(part) for part in match.groups() if part is not None] if match else []
    if not parts or max(parts) > _MAX_ID_PART:
        raise InputError(f"{text[:60]!r} is not the id of a decision (`glidepath log` shows them: 1700000000000-0)")
    ms, *rest = parts
    return f"{ms}-{rest[0] if rest else 0}", f"{ms}-{rest[0] if rest else _MAX_ID_PART}"


def lines(decisions: list[Decision]) -> list[str]:
    """Return the decisions as lines of text.

    Each decision has a line with its event and a line with its reason. Further lines show the pairs that weighed most
    for it, and its root cause, if there are any.
    """
    causes = {(d.workload, d.details.get("target")): d.reason for d in decisions if d.event == "annotate"}
    found: list[str] = []
    for decision in decisions:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(decision.at_ms / 1000))
        found.append(f"{decision.id}  {when}  {headline(decision)}, by {decision.actor}")
        found.append(f"    {one_line(decision.reason)}")
        if decision.weighed_pairs:
            found.append(f"    pairs that weighed most (glidepath pairs show ID -w {decision.workload}):")
            found += [f"      {shown_id(pair.id)}" for pair in decision.weighed_pairs]
        cause = causes.get((decision.workload, decision.id))
        if cause is not None:
            found.append(f"    cause: {one_line(cause)}")
    return found
