"""The commands with which a person steers a workload.

They are hold, resume, promote, approve, rollback, retry, abort, drill and shadow. Each sends a ``Command`` to the
leader through Redis and waits for the decision that answers the ``Command``.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from glidepath.config import Config
from glidepath.config.units import parse_percent
from glidepath.errors import CommandRefusedError, InputError, UnreachableError
from glidepath.redisio import RedisClient
from glidepath.status_and_decisions import Command, CommandKind, Decision
from glidepath_ops.cli.redis_connection import with_redis
from glidepath_ops.cli.shared_options import percent_of
from glidepath_ops.cli.steering_client import actor, send_command, wait_for_answer, wait_for_event
from glidepath_ops.cli.steering_options import steering_command


def _send(config: Path, workload: str, command: Command, wait: float, as_json: bool) -> None:
    """Send the command, wait up to ``wait`` seconds for the scorer's decision, and print the decision.

    If ``wait`` is 0, return without a decision. Raises CommandRefusedError if the scorer refuses the command,
    UnreachableError if no scorer acts in time, and InputError if a drill does not pass.
    """

    async def work(settings: Config, redis: RedisClient) -> Decision | None:
        settings.workload(workload)
        command_id = await send_command(redis, workload, command)
        if not wait:
            print("the command was sent; the scorer will act on it", file=sys.stderr)  # noqa: T201
            return None
        decision = await wait_for_answer(redis, workload, command_id, wait)
        if decision is not None and decision.event == "drill_started":
            decision = await wait_for_event(redis, workload, decision.id, "drill_finished", wait)
        if decision is None:
            raise UnreachableError(
                f"no scorer acted on the command within {wait:g} s; the next scorer to steer will act on it"
            )
        return decision

    decision = with_redis(config, work, "waiting for the scorer")
    if decision is None:
        return
    if decision.event == "refused":
        raise CommandRefusedError(f"{command.kind.value} {workload}: {decision.reason}")
    typer.echo(json.dumps(asdict(decision)) if as_json else sentence(decision))
    if decision.event == "drill_finished" and decision.details.get("passed") is False:
        raise InputError("the drill did not pass")


@steering_command(_send)
def hold() -> Command:
    """Pause the automation of a workload at its current share.

    A gate that fails during the hold still rolls traffic back if its action is rollback.
    """
    return Command(CommandKind.HOLD, actor())


@steering_command(_send)
def resume() -> Command:
    """Resume the automation of a workload.

    This command ends a hold, including the hold that follows a manual override. If a person switched the automation
    off at an Envoy (runtime key autopilot: 0), it is switched on again.
    """
    return Command(CommandKind.RESUME, actor())


@steering_command(_send)
def promote(
    percent: Annotated[
        str | None,
        typer.Option(
            "--percent",
            metavar="PERCENT",
            help="Refuse the command unless the next step has this share. If the candidate's current share is unknown, "
            "the workload moves to the step with this share.",
        ),
    ] = None,
    end_validation: Annotated[
        bool,
        typer.Option(
            "--end-validation", help="At the last step: end the validation now, so that the workload is completed."
        ),
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Take the step despite failing gates, a backend's quota, freeze windows and a missing approval.",
        ),
    ] = False,
) -> Command:
    """Move a workload to its next step now.

    Inconclusive gates do not prevent the step. A failing gate, a backend's quota, a freeze window or a missing approval
    (ramp.approval) prevents it, unless --force is given. A workload on hold stays on hold. At the last step, the
    command is refused unless --end-validation is given.
    """
    return Command(
        CommandKind.PROMOTE,
        actor(),
        percent=percent_of("--percent", percent),
        force=force,
        end_validation=end_validation,
    )


@steering_command(_send)
def approve(
    force: Annotated[
        bool,
        typer.Option("--force", help="Take the step despite failing gates, a backend's quota and freeze windows."),
    ] = False,
) -> Command:
    """Approve the step that is waiting for approval, and take it.

    A failing gate, a backend's quota or a freeze window prevents the step, unless --force is given.
    """
    return Command(CommandKind.APPROVE, actor(), force=force)


@steering_command(_send)
def rollback(
    percent: Annotated[
        str | None,
        typer.Option(
            "--percent", metavar="PERCENT", help="New share of the candidate, below its current share; default: 0."
        ),
    ] = None,
) -> Command:
    """Move a workload's traffic back to the baseline now.

    The candidate's share becomes 0 %, or the share given with --percent. It stays there until you run
    `glidepath retry` or, with ramp.retry: auto, until the cool-down is over.
    """
    return Command(CommandKind.ROLLBACK, actor(), percent=percent_of("--percent", percent))


@steering_command(_send)
def retry(
    force: Annotated[bool, typer.Option("--force", help="Retry before the cool-down is over.")] = False,
) -> Command:
    """Restart a workload's ramp after a rollback or an abort, discarding earlier evidence.

    The ramp restarts at the candidate's current share. If the ramp is still running, retry only discards the evidence
    of the current step.
    """
    return Command(CommandKind.RETRY, actor(), force=force)


@steering_command(_send)
def abort() -> Command:
    """Move all of a workload's traffic to the baseline, and stop the ramp until you run retry."""
    return Command(CommandKind.ABORT, actor())


@steering_command(_send, wait="3m")
def drill(
    percent: Annotated[
        str | None,
        typer.Option(
            "--percent",
            metavar="PERCENT",
            help="If the candidate is at 0 %, first raise it to this share. Default and maximum: the smaller of the "
            "first step's share and 10 %; with --force, the first step's share.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Run the drill even if gates fail or the candidate's share is above 10 %.")
    ] = False,
    lost: Annotated[
        bool,
        typer.Option(
            "--lost",
            help="Rehearse the loss of all scorers, not a rollback. The workload must have if_lost: baseline.",
        ),
    ] = False,
) -> Command:
    """Rehearse a rollback and measure how long it takes.

    A drill sets the candidate's weight to 0. It waits until every Envoy has confirmed this and no more requests reach
    the candidate. Then it restores the weight. A candidate at 0 % first gets a small share for a few seconds.

    With if_lost: baseline, Envoy splits a workload's requests only while it holds a lease on the split, which the
    leading scorer keeps renewing. Without the lease, Envoy sends all requests to the baseline. With --lost, the scorer
    stops renewing the lease, waits until every Envoy has returned to the baseline by itself, and renews it again.
    """
    share = percent_of("--percent", percent)
    return Command(CommandKind.DRILL, actor(), percent=share, force=force, lost=lost)


@steering_command(_send)
def shadow(
    share: Annotated[
        str,
        typer.Argument(metavar="PERCENT|auto", help="Percent of requests to copy, or auto for the configured percent."),
    ],
) -> Command:
    """Set the share of requests that are copied to the other backend.

    The share applies until you run `glidepath shadow WORKLOAD auto`. The candidate's share of live traffic does not
    change.
    """
    return Command(CommandKind.SHADOW, actor(), percent=parse_shadow(share))


def parse_shadow(text: str) -> float | None:
    """Return the percent in ``text`` ("12.5" or "12.5%"), or None for "auto". Raises InputError for anything else."""
    if text.strip().lower() == "auto":
        return None
    try:
        return parse_percent(text)
    except ValueError as error:
        raise InputError(f"shadow {text[:40]}: {error}; or auto") from error


def headline(decision: Decision) -> str:
    """Return the decision's workload, event, candidate share and phase as one line."""
    share = f"{decision.to_percent:g} %"
    if decision.from_percent != decision.to_percent:
        share = f"{decision.from_percent:g} % → {share}"
    event = decision.event.replace("_", " ")
    if decision.event == "annotate" and decision.details.get("target"):
        event = f"annotate {decision.details['target']}"
    if decision.event in ("shadow", "adopt_shadow"):
        share = f"candidate at {share}"  # these events change the share of copies, not the candidate's share
    return f"{decision.workload}: {event}, {share}, now {decision.phase.replace('_', ' ')}"


def sentence(decision: Decision) -> str:
    """Return the decision as one line: the headline and the reason."""
    return f"{headline(decision)}: {decision.reason}"
