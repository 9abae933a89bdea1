"""An HTTP server in place of the user's verifier."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.support.judge_server import judge_server


@dataclass
class VerifierServer:
    """The server. It sends ``reply``, a status and a body, once ``may_answer`` is set."""

    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    reply: tuple[int, bytes] = (200, b'{"baseline": 1, "candidate": 0.5}')

    async def verify(self, request: web.Request) -> web.Response:
        self.requests.append({"body": await request.json(), "auth": request.headers.get("authorization")})
        await self.may_answer.wait()
        return web.Response(status=self.reply[0], body=self.reply[1], headers={"location": "/elsewhere"})


@asynccontextmanager
async def verifier_server() -> AsyncIterator[VerifierServer]:
    server = VerifierServer()
    async with judge_server("/verify", server.verify, server.may_answer) as url:
        server.url = f"{url}/verify"
        yield server
