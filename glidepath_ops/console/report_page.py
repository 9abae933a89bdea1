"""The report as a download: the same document as `glidepath report`."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from glidepath.clock import unix_ms
from glidepath.config.units import parse_duration
from glidepath.errors import InputError
from glidepath_ops.console.access import Visitor
from glidepath_ops.console.authorized_endpoints import reading
from glidepath_ops.console.running_console import Console
from glidepath_ops.report.gather_report_facts import gather_facts
from glidepath_ops.report.report_facts import ReportFacts
from glidepath_ops.report.to_html import to_html
from glidepath_ops.report.to_markdown import to_markdown
from glidepath_ops.report.whole_report import whole_report

FORMATS = {"html": ("text/html; charset=utf-8", to_html), "md": ("text/markdown; charset=utf-8", to_markdown)}


def routes(console: Console) -> list[Route]:
    one_at_a_time = asyncio.Semaphore(1)  # a report reads the whole history

    async def report(request: Request, _: Visitor) -> Response:
        query = request.query_params
        form, name = query.get("format", "html"), query.get("workload", "")
        if form not in FORMATS:
            raise InputError(f"format: must be one of {', '.join(FORMATS)} (got {form[:40]!r})")
        now_ms = unix_ms()
        since_ms = _since(query.get("since", ""), now_ms)
        if name:
            console.config.workload(name)
        names = [name] if name else list(console.config.workloads)
        async with one_at_a_time:
            facts = await gather_facts(console.config, console.redis, names, now_ms, since_ms)
            text = await asyncio.to_thread(_write, facts, form)
        headers = {"content-disposition": f'attachment; filename="glidepath-report.{form}"'}
        return Response(text, media_type=FORMATS[form][0], headers=headers)

    return [Route("/report", reading(console, report))]


def _write(facts: ReportFacts, form: str) -> str:
    return FORMATS[form][1](whole_report(facts))


def _since(text: str, now_ms: int) -> int:
    try:
        return now_ms - round(parse_duration(text) * 1000) if text else 0
    except ValueError as error:
        raise InputError(f"since: {error} (got {text[:40]!r})") from error
