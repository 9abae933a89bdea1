"""An HTTP server in place of the evaluator model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.support.judge_server import judge_server


def longer(asked: dict[str, str]) -> str:
    """Prefer the longer answer. ``asked``: the request and the answers A and B. The result is A, B or tie."""
    a, b = len(asked["A"]), len(asked["B"])
    return "A" if a > b else "B" if b > a else "tie"


def first(asked: dict[str, str]) -> str:
    """Prefer the answer at the first position, as a biased judge does."""
    return "A"


@dataclass
class EvaluatorServer:
    """The server. It replies with the choice of ``judge``, by default the longer answer, once ``may_answer`` is set.

    It replies with 503 while ``failing`` is set, and always to the request "fail".
    """

    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    failing: bool = False
    judge: Callable[[dict[str, str]], str] = longer
    usage: dict[str, int] | None = None
    reply: bytes | None = None  # in place of a choice
    at_once: int = 0
    most_at_once: int = 0

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append({"body": body, "auth": request.headers.get("authorization")})
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.may_answer.wait()
        finally:
            self.at_once -= 1
        if self.failing or '"request": "fail"' in body["messages"][1]["content"]:
            return web.Response(status=503)
        reply = json.dumps({"reason": "So.", "better": self.judge(json.loads(body["messages"][1]["content"]))})
        completion: dict[str, Any] = {"choices": [{"message": {"content": reply}}]}
        if self.usage is not None:
            completion["usage"] = self.usage
        whole = json.dumps(completion).encode() if self.reply is None else self.reply
        return await _in_two_pieces(request, whole)


async def _in_two_pieces(request: web.Request, body: Any) -> web.StreamResponse:
    """Send the body in two pieces, so that the client's first read returns only its beginning."""
    response = web.StreamResponse(headers={"content-type": "application/json"})
    await response.prepare(request)
    for piece in (body[:20], body[20:]):
        await response.write(piece)
    await response.write_eof()
    return response


@asynccontextmanager
async def evaluator_server() -> AsyncIterator[EvaluatorServer]:
    server = EvaluatorServer()
    async with judge_server("/v1/chat/completions", server.chat, server.may_answer) as url:
        server.url = url
        yield server
