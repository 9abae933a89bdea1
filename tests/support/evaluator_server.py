"""A server that has an opinion about every pair of answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

SAID = '{"agreement": 0.25, "better": "equal", "reason": "Different."}'


@dataclass
class EvaluatorServer:
    """Answers 0.25, in two pieces, once ``gate`` is open; 503 to the request "fail" and while ``broken``."""

    url: str = ""
    seen: list[dict[str, Any]] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    broken: bool = False
    at_once: int = 0
    most_at_once: int = 0

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.seen.append({"body": body, "auth": request.headers.get("authorization")})
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.gate.wait()
        finally:
            self.at_once -= 1
        if self.broken or '"request": "fail"' in body["messages"][1]["content"]:
            return web.Response(status=503)
        return await _in_pieces(request, web.json_response({"choices": [{"message": {"content": SAID}}]}).body)


async def _in_pieces(request: web.Request, body: Any) -> web.StreamResponse:
    """As a server does that streams: the reader's first read has only the beginning."""
    response = web.StreamResponse(headers={"content-type": "application/json"})
    await response.prepare(request)
    for piece in (body[:20], body[20:]):
        await response.write(piece)
    await response.write_eof()
    return response


@asynccontextmanager
async def evaluator_server() -> AsyncIterator[EvaluatorServer]:
    judge = EvaluatorServer()
    judge.gate.set()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", judge.chat)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    judge.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield judge
    judge.gate.set()
    await runner.cleanup()
