"""A backend with Anthropic's Messages API that signs its reasoning, and refuses signatures and ids of other servers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

TOOL_ID = re.compile(r"[a-zA-Z0-9]{9}")  # as Mistral demands it; ids of its own begin with its name


@dataclass(slots=True)
class SigningBackend:
    """A server on loopback: ``async with SigningBackend("cloud") as cloud``.

    - ``fails``: whether it answers 503
    - ``refusals``: why it has refused requests
    - ``bodies``: the bodies of the requests that it has answered
    - ``paths``: the paths of all requests
    """

    name: str
    fails: bool = False
    refusals: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    port: int = 0
    _runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> SigningBackend:
        app = web.Application(client_max_size=2**24)
        app.router.add_post("/{tail:.*}", self._messages)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _messages(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.paths.append(request.path)
        if self.fails:
            return web.json_response({"type": "error", "error": {"type": "overloaded_error"}}, status=503)
        reason = next(self._faults(body), None)
        if reason is not None:
            self.refusals.append(reason)
            error = {"type": "invalid_request_error", "message": reason}
            return web.json_response({"type": "error", "error": error}, status=400)
        self.bodies.append(body)
        return web.json_response(self._answer(len(body["messages"])))

    def _faults(self, body: dict[str, Any]) -> Iterator[str]:
        called: set[str] = set()
        thinking = "thinking" in body
        for message in body["messages"]:
            content = message["content"]
            parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
            if not parts:
                yield "all messages must have non-empty content"
            kinds = [part["type"] for part in parts]
            if thinking and "tool_use" in kinds and kinds[0] != "thinking" and message is body["messages"][-2]:
                yield f"expected thinking, but found {kinds[0]}"
            for part in parts:
                if part["type"] == "thinking" and not part["signature"].startswith(f"{self.name}-"):
                    yield "invalid signature in thinking block"
                if part["type"] == "tool_use":
                    called.add(part["id"])
                    if not TOOL_ID.fullmatch(part["id"]) and not part["id"].startswith(f"{self.name}-"):
                        yield f"invalid id {part['id']}"
                if part["type"] == "tool_result" and part["tool_use_id"] not in called:
                    yield f"no call {part['tool_use_id']}"

    def _answer(self, turn: int) -> dict[str, Any]:
        thought = {"type": "thinking", "thinking": "Hm", "signature": f"{self.name}-{turn}"}
        calls = turn % 4 == 1
        use = {"type": "tool_use", "id": f"{self.name}-call-{turn}", "name": "look_up", "input": {"n": turn}}
        content = [thought, use if calls else {"type": "text", "text": f"Answer {turn} of {self.name}"}]
        return {
            "id": f"msg_{turn}",
            "type": "message",
            "role": "assistant",
            "model": self.name,
            "content": content,
            "stop_reason": "tool_use" if calls else "end_turn",
            "usage": {"input_tokens": 10, "output_tokens": 5},
        }
