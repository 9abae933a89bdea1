"""A small server for Envoy's ext_authz filter, in the test process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


@asynccontextmanager
async def authorizer(refusal: int = 403) -> AsyncIterator[int]:
    """Run a server that allows requests with ``x-pass: yes``, and refuses others with ``refusal``. Yield its port."""

    async def decide(request: web.Request) -> web.Response:
        return web.Response(status=200 if request.headers.get("x-pass") == "yes" else refusal)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", decide)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
