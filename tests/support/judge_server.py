"""An HTTP server for stubs of the evaluator and of the verifier. A test can delay their answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web


@asynccontextmanager
async def judge_server(
    path: str, handler: Callable[[web.Request], Awaitable[web.StreamResponse]], may_answer: asyncio.Event
) -> AsyncIterator[str]:
    """Run ``handler`` at ``path`` of a server on loopback, and yield its base URL.

    ``may_answer`` is set at the beginning, and again at the end.
    """
    may_answer.set()
    app = web.Application()
    app.router.add_post(path, handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    may_answer.set()
    await runner.cleanup()
