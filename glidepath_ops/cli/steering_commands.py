"""The commands by which a person steers: each writes a Command, and waits until the scorer has acted on it."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from glidepath.config import Config
from glidepath.errors import CommandRefusedError, InputError, UnreachableError
from glidepath.records import Command, CommandKind, Decision
from glidepath.redisio import RedisClient
from glidepath_ops.cli import redis_session

Workload = Annotated[str, typer.Argument(help="The workload's name.")]
ConfigPath = Annotated[Path, typer.Option("--config", "-c", help="The configuration.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; stands in the log.")]
Percent = Annotated[float | None, typer.Option("--percent", min=0, max=100, help="The candidate's share.")]
Force = Annotated[bool, typer.Option("--force", help="Also past a failing gate, a freeze window or a cool-down.")]
MOST_WAIT_S = 86400.0
Wait = Annotated[
    float, typer.Option("--wait", min=0, max=MOST_WAIT_S, help="Seconds to wait until the scorer has acted.")
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Leave the command and do not wait.")]
AsJson = Annotated[bool, typer.Option("--json", help="The decision as one JSON object.")]
DEFAULT = Path("glidepath.yaml")
WAIT_S = 10.0


def hold(
    workload: Workload,
    config: ConfigPath = DEFAULT,
    reason: Reason = "",
    wait: Wait = WAIT_S,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Stop the automation of a workload where it is. Guards still take traffic back when they must."""
    _order(config, workload, Command(CommandKind.HOLD, redis_session.actor(), reason), 0 if no_wait else wait, as_json)


def resume(
    workload: Workload,
    config: ConfigPath = DEFAULT,
    reason: Reason = "",
    wait: Wait = WAIT_S,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Let the automation go on, after a hold, a curl or autopilot=0."""
    _order(
        config, workload, Command(CommandKind.RESUME, redis_session.actor(), reason), 0 if no_wait else wait, as_json
    )


def promote(
    workload: Workload,
    config: ConfigPath = DEFAULT,
    reason: Reason = "",
    percent: Percent = None,
    force: Force = False,
    wait: Wait = WAIT_S,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """One step on, now: past gates that are inconclusive, never past one that fails unless forced."""
    command = Command(CommandKind.PROMOTE, redis_session.actor(), reason, percent, force)
    _order(config, workload, command, 0 if no_wait else wait, as_json)


def approve(
    workload: Workload,
    config: ConfigPath = DEFAULT,
    reason: Reason = "",
    force: Force = False,
    wait: Wait = WAIT_S,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Say yes to the step that waits for an approval."""
    command = Command(CommandKind.APPROVE, redis_session.actor(), reason, force=force)
    _order(config, workload, command, 0 if no_wait else wait, as_json)


def rollback(
    workload: Workload,
    config: ConfigPath = DEFAULT,
    reason: Reason = "",
    percent: Percent = None,
    wait: Wait = WAIT_S,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Traffic back to the baseline, now: to 0 %, or to --percent."""
    command = Command(CommandKind.ROLLBACK, redis_session.actor(), reason, percent)
    _order(config, workload, command, 0 if no_wait else wait, as_json)


def retry(
    workload: Workload,
    config: ConfigPath = DEFAULT,
    reason: Reason = "",
    force: Force = False,
    wait: Wait = WAIT_S,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Start again after a rollback or an abort, with fresh evidence."""
    command = Command(CommandKind.RETRY, redis_session.actor(), reason, force=force)
    _order(config, workload, command, 0 if no_wait else wait, as_json)


def abort(
    workload: Workload,
    config: ConfigPath = DEFAULT,
    reason: Reason = "",
    wait: Wait = WAIT_S,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Back to 0 % and stay there."""
    _order(config, workload, Command(CommandKind.ABORT, redis_session.actor(), reason), 0 if no_wait else wait, as_json)


def drill(
    workload: Workload,
    config: ConfigPath = DEFAULT,
    reason: Reason = "",
    percent: Percent = None,
    force: Force = False,
    wait: Annotated[
        float, typer.Option("--wait", min=0, max=MOST_WAIT_S, help="Seconds to wait for the result.")
    ] = 180.0,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Prove the way back before it is needed: weights to 0, confirmed and drained, then restored; timed."""
    command = Command(CommandKind.DRILL, redis_session.actor(), reason, percent, force)
    _order(config, workload, command, 0 if no_wait else wait, as_json)


def shadow(
    workload: Workload,
    share: Annotated[str, typer.Argument(metavar="PERCENT|auto", help="Of the requests; auto: as configured.")],
    config: ConfigPath = DEFAULT,
    reason: Reason = "",
    wait: Wait = WAIT_S,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Copy another share of the requests to the other side, until auto. The candidate's own share stays as it is."""
    command = Command(CommandKind.SHADOW, redis_session.actor(), reason, parse_shadow(share))
    _order(config, workload, command, 0 if no_wait else wait, as_json)


def parse_shadow(text: str) -> float | None:
    """``"12.5"`` or ``"12.5%"`` → 12.5, ``"auto"`` → None. Raises InputError."""
    if text.strip().lower() == "auto":
        return None
    try:
        share = float(text.strip().removesuffix("%"))
    except ValueError:
        share = math.nan
    if not 0 <= share <= 100:
        raise InputError(f"shadow {text[:40]}: must be a percent from 0 to 100, or auto")
    return share


def _order(path: Path, workload: str, command: Command, wait: float, as_json: bool) -> None:
    async def work(config: Config, redis: RedisClient) -> Decision | None:
        config.workload(workload)
        command_id = await redis_session.send(redis, workload, command)
        if not wait:
            print("left for the scorer", file=sys.stderr)  # noqa: T201
            return None
        decision = await redis_session.outcome(redis, workload, command_id, wait)
        if decision is not None and decision.event == "drill_started":
            decision = await redis_session.next_event(redis, workload, decision.id, "drill", wait)
        if decision is None:
            raise UnreachableError(f"no scorer acted on it within {wait:g} s; it acts as soon as one steers")
        return decision

    decision = redis_session.with_redis(path, work)
    if decision is None:
        return
    if decision.event == "refused":
        raise CommandRefusedError(f"{command.kind.value} {workload}: {decision.reason}")
    typer.echo(json.dumps(asdict(decision)) if as_json else sentence(decision))
    if decision.event == "drill" and decision.details.get("passed") is False:
        raise InputError("the drill did not pass")


def headline(decision: Decision) -> str:
    """What happened to which workload."""
    share = f"{decision.to_percent:g} %"
    if decision.from_percent != decision.to_percent:
        share = f"{decision.from_percent:g} % → {share}"
    words = decision.event.replace("_", " ")
    if decision.event in ("shadow", "adopt_shadow"):
        share = f"candidate at {share}"  # what was set is another share
    return f"{decision.workload}: {words}, {share}, now {decision.phase.replace('_', ' ')}"


def sentence(decision: Decision) -> str:
    """One line for people."""
    return f"{headline(decision)}: {decision.reason}"
