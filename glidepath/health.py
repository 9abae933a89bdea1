"""Serves the HTTP endpoints of a process: /healthz (liveness), /readyz (readiness) and /metrics (for Prometheus)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from glidepath.errors import UnreachableError

Readiness = Callable[[], str]
"""A function that returns "" if the process is ready, else the reason why it is not."""


def health_app(registry: CollectorRegistry, readiness: Readiness, *, in_thread: bool = False) -> web.Application:
    """Return a web application with /healthz, /readyz and /metrics.

    ``in_thread``: whether to compute the metrics in a thread, so that a long page does not delay other work of the
    process. The collectors of ``registry`` must then be thread-safe.
    """

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def readyz(_: web.Request) -> web.Response:
        reason = readiness()
        return web.json_response(
            {"status": "not ready" if reason else "ok", "reason": reason}, status=503 if reason else 200
        )

    async def metrics(_: web.Request) -> web.Response:
        page = await asyncio.to_thread(generate_latest, registry) if in_thread else generate_latest(registry)
        return web.Response(body=page, headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application(client_max_size=1024)
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    return app


async def serve_app(app: web.Application, address: str, what: str) -> web.AppRunner:
    """Serve ``app`` at ``address`` (HOST:PORT or unix:/path) until ``runner.cleanup()`` is called.

    Raises UnreachableError if the address cannot be bound. Its message begins with ``what``, which names the server or
    the configuration key of its address.
    """
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site: web.BaseSite
    if address.startswith("unix:"):
        site = web.UnixSite(runner, address.removeprefix("unix:"))
    else:
        host, _, port = address.rpartition(":")
        site = web.TCPSite(runner, host.strip("[]"), int(port))
    try:
        await site.start()
    except OSError as error:
        await runner.cleanup()
        raise UnreachableError(f"{what} cannot listen on {address}: {error.strerror or error}") from error
    return runner
