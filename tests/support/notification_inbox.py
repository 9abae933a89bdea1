"""A decision to announce, an HTTP server that receives it, and a queue that runs during a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from glidepath.status_and_decisions import Decision, GateOutcome
from scorer.steering.notify.decision_log_file import DecisionLogFile
from scorer.steering.notify.delivery import DeliveryQueue
from tests.support.scripted_evidence import verdict

ROLLBACK = Decision(
    at_ms=1_700_000_000_000,
    workload="chat",
    event="rollback",
    from_percent=50,
    to_percent=0,
    phase="rolling_back",
    reason="catastrophe: errors_fast",
    trigger="errors_fast",
    verdicts=(verdict("errors_fast", GateOutcome.FAIL, fast=True),),
)


@dataclass
class Inbox:
    """An HTTP server that stores the requests. It answers the first ``failures`` requests with 503.

    Like MLflow, it has version 7 of each model. ``aliased``: the version that already has the alias; "" for none.
    ``tags``: the tags of that version, which requests set.
    """

    failures: int = 0
    status: int = 503
    url: str = ""
    aliased: str = "7"
    tags: dict[str, str] = field(default_factory=dict)
    got: list[tuple[str, str, Any]] = field(default_factory=list)
    types: list[str] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        if self.failures:
            self.failures -= 1
            return web.Response(status=self.status)
        body = await request.json() if request.can_read_body else None
        self.got.append((request.method, request.path_qs, body))
        self.types.append(request.content_type)
        if request.method == "GET" and not self.aliased and request.path.endswith("/alias"):
            return web.Response(status=400)
        if request.path.endswith("/set-tag"):
            self.tags[body["key"]] = body["value"]
        tags = [{"key": key, "value": value} for key, value in self.tags.items()]
        version = {"version": self.aliased, "tags": tags}
        return web.json_response({"model_versions": [{"version": "7"}], "model_version": version})


@asynccontextmanager
async def inbox(failures: int = 0) -> AsyncIterator[Inbox]:
    box, app = Inbox(failures), web.Application()
    app.router.add_route("*", "/{path:.*}", box.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    box.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield box
    finally:
        await runner.cleanup()


@asynccontextmanager
async def delivering(queue: DeliveryQueue | DecisionLogFile) -> AsyncIterator[None]:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(queue.run(stop))
        yield
        stop.set()
