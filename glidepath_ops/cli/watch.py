"""``glidepath watch``: show the workloads, their gates and the latest decisions, and follow them until Ctrl-C."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import typer
from redis.exceptions import RedisError
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from glidepath.config import Config
from glidepath.errors import InputError, error_text
from glidepath.printable_text import one_line
from glidepath.redisio import RedisClient, raise_if_cancelled
from glidepath.status_and_decisions import Decision
from glidepath_ops.cli.narrow_status import NARROW, gate_lines, indented
from glidepath_ops.cli.redis_connection import with_redis
from glidepath_ops.cli.shared_options import DEFAULT_CONFIG, AsJsonLines, ConfigPath, WorkloadFilter, seconds_of
from glidepath_ops.cli.status import MOST_SHOWN, gates, narrow_overview, overview
from glidepath_ops.cli.steering_client import read_log
from glidepath_ops.cli.steering_commands import headline
from glidepath_ops.read_fleet_status import FleetReading, read_fleet

SHOWN_DECISIONS = 8
LEAST_EVERY_S, MOST_EVERY_S = 0.2, 3600.0


@dataclass(frozen=True, slots=True)
class Seen:
    """One reading of the workloads: their status, and the latest decisions of all of them, the newest last."""

    read: FleetReading = field(default_factory=FleetReading)
    decisions: Sequence[Decision] = ()
    problem: str = ""  # why this reading failed; the other fields are those of the last one


def command(
    config: ConfigPath = DEFAULT_CONFIG,
    workload: WorkloadFilter = None,
    every: Annotated[
        str, typer.Option("--every", metavar="DURATION", help="Time between two updates, such as 5s.")
    ] = "1s",
    as_json: AsJsonLines = False,
) -> None:
    """Show the workloads, their gates and the latest decisions, and follow them until Ctrl-C.

    On a terminal, the view is updated in place. Otherwise, a line is printed for each decision and for each change of
    a state or a share. With --json, one object is printed whenever a workload's status changes.
    """
    seconds = seconds_of("--every", every, MOST_EVERY_S)
    if seconds < LEAST_EVERY_S:
        raise InputError(f"--every: must be at least {LEAST_EVERY_S:g}s (got {every[:40]!r})")

    async def work(settings: Config, redis: RedisClient) -> None:
        names = [workload] if workload else list(settings.workloads)
        for name in names:
            settings.workload(name)
        console = Console(highlight=False)
        if as_json or not console.is_terminal:
            await _print_changes(settings, redis, names, seconds, as_json=as_json)
        else:
            await _draw(settings, redis, names, seconds, console)

    with_redis(config, work, waiting=None)


async def _look(settings: Config, redis: RedisClient, names: list[str], last: Seen) -> Seen:
    """Read the statuses and decisions again. If Redis does not answer, return the last reading with the error."""
    try:
        read = await read_fleet(settings, redis, names, details=False)
        logs = [await read_log(redis, name, SHOWN_DECISIONS) for name in names]
    except (RedisError, OSError) as error:
        return Seen(last.read, last.decisions, f"Redis does not answer: {error_text(error)}")
    decisions = sorted((decision for log in logs for decision in log), key=lambda one: one.at_ms)
    return Seen(read, decisions)


async def _draw(settings: Config, redis: RedisClient, names: list[str], every_s: float, console: Console) -> None:
    seen = Seen()
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            seen = await _look(settings, redis, names, seen)
            live.update(view(seen, time.time(), console.width), refresh=True)
            raise_if_cancelled()  # by Ctrl-C
            await asyncio.sleep(every_s)


async def _print_changes(
    settings: Config, redis: RedisClient, names: list[str], every_s: float, *, as_json: bool
) -> None:
    before = Seen()
    first = True
    while True:
        seen = await _look(settings, redis, names, before)
        for line in changed_records(before, seen) if as_json else changes(before, seen, with_log=not first):
            typer.echo(line)
        before, first = seen, False
        raise_if_cancelled()  # by Ctrl-C
        await asyncio.sleep(every_s)


def view(seen: Seen, now_s: float, width: int) -> RenderableType:
    """Return the view for a terminal with ``width`` columns."""
    statuses, parts = seen.read.statuses, list[RenderableType]()
    if seen.problem:
        parts.append(Text(one_line(seen.problem), style="bold red"))
    if width < NARROW:
        parts += [indented(line) for line in narrow_overview(statuses, now_s, seen.read.troubles)]
    else:
        parts.append(overview(statuses, now_s, seen.read.troubles))
    # above the gates, whose last lines a low terminal cuts off
    parts += [Text(), *(Text(line, no_wrap=True, overflow="ellipsis") for line in log_lines(seen.decisions))]
    if len(statuses) <= MOST_SHOWN:
        for status in filter(None, statuses.values()):
            parts.append(Text())
            narrow = [indented(line) for line in gate_lines(status.verdicts)]
            parts += narrow if width < NARROW else [gates(status)]
    return Group(*parts)


def log_lines(decisions: Sequence[Decision]) -> Iterator[str]:
    """Yield a line for each of the latest decisions, the newest first."""
    for decision in list(reversed(decisions))[:SHOWN_DECISIONS]:
        at = time.strftime("%H:%M:%S", time.localtime(decision.at_ms / 1000))
        yield one_line(f"{at}  {headline(decision)}, by {decision.actor}: {decision.reason}")


def changes(before: Seen, after: Seen, *, with_log: bool = True) -> Iterator[str]:
    """Yield a line for each change between two readings and, if ``with_log``, for each new decision."""
    if after.problem and after.problem != before.problem:
        yield one_line(after.problem)
    known = {(one.workload, one.id) for one in before.decisions}
    if with_log:
        new = [one for one in after.decisions if (one.workload, one.id) not in known]
        yield from reversed(list(log_lines(new)))
    places, old = _places(after.read), _places(before.read)
    yield from (f"{name}: {place}" for name, place in places.items() if old.get(name) != place)


def changed_records(before: Seen, after: Seen) -> Iterator[str]:
    """Yield a JSON object for each workload whose status has changed: ``{"workload": …, "status": …}``."""
    old = before.read.records()
    for name, record in after.read.records().items():
        if name not in old or old[name] != record:
            yield json.dumps({"workload": name, "status": record})


def _places(read: FleetReading) -> Mapping[str, str]:
    """Return for each workload its share, its phase and the reason why it cannot be steered, as text."""
    found = {}
    for name, status in read.statuses.items():
        trouble = f"; {read.troubles[name]}" if name in read.troubles else ""
        if status is None:
            found[name] = f"not steered yet{trouble}"
            continue
        share = f"{status.percent:g} %" if status.share_known else "share unknown"
        found[name] = one_line(f"{share}, {status.phase.replace('_', ' ')}{trouble}")
    return found
