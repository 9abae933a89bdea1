"""The page of a workload over time: charts on one time axis, their numbers, and the decisions."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from glidepath.clock import unix_ms
from glidepath.errors import InputError
from glidepath_ops.cli.steering_client import read_log
from glidepath_ops.console.access import Visitor
from glidepath_ops.console.authorized_endpoints import reading
from glidepath_ops.console.history_series import (
    RANGES,
    Range,
    axis_start_ms,
    columns,
    kind_columns,
    marks,
    table_rows,
)
from glidepath_ops.console.running_console import Console
from glidepath_ops.console.workload_page import MOST_DECISIONS, name_of
from glidepath_ops.costs.cost_text import brief_line
from glidepath_ops.costs.read_costs import read_level, read_money


def routes(console: Console) -> list[Route]:
    async def history(request: Request, visitor: Visitor) -> Response:
        name, span = name_of(console, request), range_of(request.query_params.get("range", ""))
        since_ms = unix_ms() - span.seconds * 1000
        points = await read_level(console.redis, name, span.level, since_ms, with_traffic=False)
        decided = marks(await read_log(console.redis, name, MOST_DECISIONS), since_ms)
        return console.page(
            request,
            "history.html",
            visitor,
            name=name,
            span=span,
            ranges=RANGES,
            rows=table_rows(points),
            begins_ms=begins if (begins := axis_start_ms(points, since_ms, unix_ms())) > since_ms else 0,
            marks=list(reversed(decided)),
            money=await _money(console, name, since_ms),
        )

    async def data(request: Request, visitor: Visitor) -> Response:
        name, span = name_of(console, request), range_of(request.query_params.get("range", ""))
        since_ms = unix_ms() - span.seconds * 1000
        points = await read_level(console.redis, name, span.level, since_ms, with_traffic=False)
        decided = marks(await read_log(console.redis, name, MOST_DECISIONS), since_ms)
        record = {
            "range": span.name,
            "period_s": span.level.seconds,
            "from_s": axis_start_ms(points, since_ms, unix_ms()) / 1000,
            "series": columns(points),
            "kinds": kind_columns(points),
            "marks": [mark.record() for mark in decided],
        }
        return JSONResponse(record)

    return [
        Route("/workloads/{workload}/history", reading(console, history)),
        Route("/api/workloads/{workload}/history", reading(console, data)),
    ]


async def _money(console: Console, workload: str, since_ms: int) -> str:
    """Return the line about money, or "" if neither side has a price.

    Without a price, the history is not read a second time.
    """
    sides = console.config.workload(workload).baseline, console.config.workload(workload).candidate
    if all(console.config.backends[side].price is None for side in sides):
        return ""
    return brief_line(await read_money(console.config, console.redis, [workload], unix_ms(), since_ms=since_ms))


def range_of(name: str) -> Range:
    """Return the range with this name, or the first range for "". Raises InputError for an unknown name."""
    for span in RANGES:
        if name in (span.name, ""):
            return span
    raise InputError(f"range: must be one of {', '.join(span.name for span in RANGES)} (got {name[:40]!r})")
