"""The page of one workload: its state, its gates, the exchanges lost before scoring, its errors and its log."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from glidepath.errors import InputError
from glidepath.status_and_decisions import Decision, WorkloadStatus
from glidepath_ops.cli.status_details import contract, coverage, failing_baseline
from glidepath_ops.cli.steering_client import read_log
from glidepath_ops.console import html
from glidepath_ops.console.access import Visitor
from glidepath_ops.console.action_effects import possible, requests_per_second
from glidepath_ops.console.authorized_endpoints import reading
from glidepath_ops.console.fleet_page import events
from glidepath_ops.console.fleet_rows import fleet_rows
from glidepath_ops.console.gate_chart import gate_chart
from glidepath_ops.console.running_console import Console
from glidepath_ops.read_fleet_status import FleetReading, read_fleet

SHOWN_DECISIONS, MOST_DECISIONS = 50, 1000
_MOST_DIGITS = 12  # Python reads no number of thousands of digits
_EXAMPLES_S = 30.0  # the examples of errors are searched this often


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A decision, with the root cause that a person added later."""

    decision: Decision
    cause: str = ""
    cause_by: str = ""


def routes(console: Console) -> list[Route]:
    details = _Details(console)

    async def workload(request: Request, visitor: Visitor) -> Response:
        name = name_of(console, request)
        state = await _state(console, details, name, may_act=visitor.may_act)
        return console.page(request, "workload.html", visitor, name=name, state=state)

    async def live(request: Request, visitor: Visitor) -> Response:
        name = name_of(console, request)

        async def state() -> str:
            return await _state(console, details, name, may_act=visitor.may_act)

        return events(console, f"workload {name} {visitor.may_act}", state)

    async def log(request: Request, visitor: Visitor) -> Response:
        name = name_of(console, request)
        count = number_of_query(request, "count", SHOWN_DECISIONS, MOST_DECISIONS)
        return JSONResponse([asdict(one) for one in await read_log(console.redis, name, count)])

    return [
        Route("/workloads/{workload}", reading(console, workload)),
        Route("/live/workloads/{workload}", reading(console, live)),
        Route("/api/workloads/{workload}/log", reading(console, log)),
    ]


class _Details:
    """The parts of a status that are computed from many results. They are read only every _EXAMPLES_S seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._read: dict[str, tuple[float, FleetReading]] = {}

    async def of(self, name: str) -> FleetReading:
        at, found = self._read.get(name, (float("-inf"), FleetReading()))
        if time.monotonic() - at > _EXAMPLES_S:
            found = await read_fleet(self._console.config, self._console.redis, [name], details=True)
            self._read[name] = (time.monotonic(), found)
        return found


async def _state(console: Console, details: _Details, name: str, *, may_act: bool) -> str:
    read = await read_fleet(console.config, console.redis, [name], details=False)
    detailed = await details.of(name)
    status, section = read.statuses[name], console.config.workload(name)
    row = fleet_rows(read, {name: section.candidate}, time.time())[0]
    log = with_causes(await read_log(console.redis, name, SHOWN_DECISIONS))
    rate = requests_per_second(status) if status else None
    pictures = [gate_chart(verdict, rate) for verdict in status.verdicts] if status else []
    return html.render(
        "_workload_state.html",
        row=row,
        status=status,
        pictures=pictures,
        rate=rate,
        actions=possible(status) if status and may_act else (),
        may_act=may_act,
        log=log,
        errors=error_kinds(status, detailed.examples.get(name, {})) if status else [],
        coverage=[*coverage(status), *contract(status)] if status else [],
        warnings=[*failing_baseline(status.baseline, section.baseline)] if status else [],
        judging=detailed.about_judging.get(name, []),
    )


def with_causes(decisions: list[Decision]) -> list[LogEntry]:
    """Return the decisions, the newest first. An annotation is added to the decision that it names."""
    causes = {str(d.details.get("target", "")): d for d in decisions if d.event == "annotate"}
    known = {d.id for d in decisions}
    entries = []
    for decision in reversed(decisions):
        if decision.event == "annotate" and str(decision.details.get("target", "")) in known:
            continue
        cause = causes.get(decision.id)
        entries.append(LogEntry(decision, cause.reason if cause else "", cause.actor if cause else ""))
    return entries


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """Requests that failed with the same kind of error. ``example``: the id of a pair that shows it, or ""."""

    side: str
    origin: str
    kind: str
    count: int
    example: str = ""


def error_kinds(status: WorkloadStatus, examples: Mapping[str, str]) -> list[ErrorKind]:
    """Return the kinds of errors since the beginning, the most frequent first."""
    found = []
    for name, count in sorted(status.error_kinds.items(), key=lambda one: (-one[1], one[0])):
        side, _, rest = name.partition(" ")
        origin, _, kind = rest.partition(" ")
        found.append(ErrorKind(side, origin, kind, count, examples.get(name, "")))
    return found


def name_of(console: Console, request: Request) -> str:
    """Return the name of the workload in the path. Raises UnknownWorkloadError."""
    name = str(request.path_params["workload"])
    console.config.workload(name)
    return name


def number_of_query(request: Request, name: str, default: int, most: int) -> int:
    """Return a whole number from 1 to ``most`` from the query. Raises InputError for any other value."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS and 1 <= int(text) <= most):
        raise InputError(f"{name}: must be a number from 1 to {most} (got {text[:40]!r})")
    return int(text)
