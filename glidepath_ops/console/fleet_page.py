"""The first page: a table of all workloads."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from glidepath.errors import UnreachableError
from glidepath_ops.console import html
from glidepath_ops.console.access import Visitor
from glidepath_ops.console.authorized_endpoints import reading
from glidepath_ops.console.fleet_rows import fleet_rows
from glidepath_ops.console.live_updates import Render, TooManyPagesError
from glidepath_ops.console.running_console import Console
from glidepath_ops.read_fleet_status import read_fleet


def routes(console: Console) -> list[Route]:
    async def fleet(request: Request, visitor: Visitor) -> Response:
        table = await _table(console, may_act=visitor.may_act)
        return console.page(request, "fleet.html", visitor, table=table)

    async def live(request: Request, visitor: Visitor) -> Response:
        async def table() -> str:
            return await _table(console, may_act=visitor.may_act)

        return events(console, f"fleet {visitor.may_act}", table)

    async def status(request: Request, visitor: Visitor) -> Response:
        read = await read_fleet(console.config, console.redis, list(console.config.workloads), details=False)
        return JSONResponse(read.records())

    return [
        Route("/", reading(console, fleet), name="fleet"),
        Route("/live/fleet", reading(console, live)),
        Route("/api/status", reading(console, status)),
    ]


async def _table(console: Console, *, may_act: bool) -> str:
    names = list(console.config.workloads)
    read = await read_fleet(console.config, console.redis, names, details=False)
    candidates = {name: workload.candidate for name, workload in console.config.workloads.items()}
    rows = fleet_rows(read, candidates, time.time())
    return html.render("_fleet_table.html", rows=rows, may_act=may_act, unseen=read.unseen)


def events(console: Console, name: str, render: Render) -> Response:
    """Return the stream of a view's updates. Raises UnreachableError if too many pages are open."""
    try:
        stream = console.live.subscribe(name, render)
    except TooManyPagesError:
        raise UnreachableError("too many pages are open; close some, or reload later") from None
    headers = {"x-accel-buffering": "no", "cache-control": "no-store"}
    return StreamingResponse(stream, media_type="text/event-stream", headers=headers)
