"""The page that confirms a command and shows its effect, and the API with which pages and programs send commands."""

from __future__ import annotations

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from glidepath.errors import CommandRefusedError, InputError, UnreachableError
from glidepath.logs import get_logger
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import connect
from glidepath.status_and_decisions import Command, CommandKind, WorkloadStatus
from glidepath_ops.cli.log import id_range
from glidepath_ops.cli.steering_client import read_status, send_command, wait_for_answer
from glidepath_ops.cli.steering_commands import sentence
from glidepath_ops.console import html
from glidepath_ops.console.access import Visitor, person_name
from glidepath_ops.console.action_effects import effect_of, label_of
from glidepath_ops.console.api_models import CommandBody, parsed
from glidepath_ops.console.authorized_endpoints import acting, confirming
from glidepath_ops.console.json_request_body import json_body
from glidepath_ops.console.running_console import Console

WAIT_S = 8.0

log = get_logger()


def routes(console: Console) -> list[Route]:
    async def confirm(request: Request, visitor: Visitor) -> Response:
        kind, status = _kind(request), await steered(console, request)
        sample = console.config.workload(status.workload).shadow.sample
        effect = effect_of(kind, status, sample)
        ends = kind is CommandKind.PROMOTE and not effect.choices
        target = request.query_params.get("decision", "")[:60]
        return html.page(
            "_confirm.html",
            kind=kind.value,
            label=label_of(kind),
            status=status,
            effect=effect,
            ends_validation=ends,
            target=target,
        )

    async def command(request: Request, visitor: Visitor) -> Response:
        name = request.path_params["workload"]
        console.config.workload(name)
        body = parsed(CommandBody, await json_body(request))
        if body.kind is CommandKind.ANNOTATE and body.target:
            await _must_exist(console, name, body.target)
        return JSONResponse(await _carry_out(console, name, _command(body, visitor)))

    return [
        Route("/workloads/{workload}/confirm/{kind}", confirming(console, confirm)),
        Route("/api/workloads/{workload}/commands", acting(console, command), methods=["POST"]),
    ]


def actor_of(visitor: Visitor, who: str) -> str:
    """Return the name for the decision log: ``who`` if a bearer of the token gave it, else the visitor's own name.

    Raises InputError if ``who`` is not a valid name.
    """
    if visitor.by_session or not who:
        return f"{visitor.name} (console)"
    if not person_name(who):
        raise InputError("who: must have letters, digits, spaces and . _ @ + -, and at most 64 characters")
    return f"{person_name(who)} (console)"


def _command(body: CommandBody, visitor: Visitor) -> Command:
    if body.kind is CommandKind.ANNOTATE and not (body.target and body.reason):
        raise InputError("annotate needs target, the id of a decision, and reason, the root cause")
    return Command(
        body.kind,
        actor_of(visitor, body.who),
        reason=body.reason,
        percent=body.percent,
        force=body.force,
        target=body.target,
        end_validation=body.end_validation,
    )


async def _must_exist(console: Console, workload: str, decision_id: str) -> None:
    """Raise InputError unless the log of the workload has this decision."""
    first, last = id_range(decision_id)
    if not await console.redis.xrange(WorkloadKeys(workload).log, first, last, count=1):
        raise InputError(f"target: no decision {decision_id} in the log of {workload}")


async def _carry_out(console: Console, workload: str, command: Command) -> dict[str, object]:
    """Send the command, and return the decision that answers it.

    Raises CommandRefusedError if the leader refuses it, and UnreachableError if no leader answers in time.
    """
    console.metrics.commands.labels(command.kind.value).inc()
    log.info("command_sent", workload=workload, command=command.kind.value, actor=command.actor)
    redis = connect(console.config.redis)  # new: a connection from before a restart of Redis would lose the command
    try:
        command_id = await send_command(redis, workload, command)
        decision = await wait_for_answer(redis, workload, command_id, WAIT_S)
    finally:
        await redis.aclose()
    if decision is None:
        raise UnreachableError(f"no scorer acted within {WAIT_S:g} s; the next scorer to steer will act on the command")
    if decision.event == "refused":
        raise CommandRefusedError(f"{command.kind.value} {workload}: {decision.reason}")
    return {"sentence": sentence(decision), "decision": asdict(decision)}


async def steered(console: Console, request: Request) -> WorkloadStatus:
    """Return the status of the workload in the path. Raises UnknownWorkloadError, and InputError without a status."""
    name = request.path_params["workload"]
    console.config.workload(name)
    status = await read_status(console.redis, name)
    if status is None:
        raise InputError(f"no scorer has steered {name} yet")
    return status


def _kind(request: Request) -> CommandKind:
    try:
        return CommandKind(request.path_params["kind"])
    except ValueError:
        raise InputError(f"unknown command (allowed: {', '.join(CommandKind)})") from None
