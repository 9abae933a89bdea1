"""A small OpenAI-compatible backend in the test process that records requests and fails on demand."""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

from glidepath.timed_wait import wait_until_set

Behaviour = Literal["json", "sse", "status", "hang", "reset", "die_in_stream", "slow_stream", "late_stream", "redirect"]


@dataclass(frozen=True, slots=True)
class Received:
    """A received request. Header names are in lower case. ``raw_headers``: the headers as received, in their order."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    raw_headers: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def model(self) -> str:
        return str(json.loads(self.body)["model"])


@dataclass(slots=True)
class Recorder:
    """A backend on loopback: ``async with Recorder("cloud") as cloud``. ``behaviour`` can be changed at any time."""

    name: str
    behaviour: Behaviour = "json"
    status: int = 503
    delay: float = 0.0  # seconds before the first byte
    silence: float = 0.0  # seconds between the headers of a "late_stream" and its first event
    location: str = ""  # of a "redirect"
    more_headers: dict[str, str] = field(default_factory=dict)  # of the answers of the behaviour "json"
    late_end: float = 0.0  # seconds between the last event of the behaviour "sse" and the end of its body
    most_bytes: int | None = None  # a longer request is refused with 400
    received: list[Received] = field(default_factory=list)
    port: int = 0
    tls: ssl.SSLContext | None = None
    _runner: web.AppRunner | None = None
    _ending: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def last(self) -> Received:
        return self.received[-1]

    async def __aenter__(self) -> Recorder:
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self.tls)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ending.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        if web.WebSocketResponse().can_prepare(request):
            return await self._websocket(request, headers)
        body = await request.read()
        self.received.append(Received(request.method, request.raw_path, headers, body, request.raw_headers))
        if self.delay:
            await wait_until_set(self._ending, self.delay)
        if self.most_bytes is not None and len(body) > self.most_bytes:
            return web.json_response({"error": {"message": "the context is too long"}}, status=400)
        return await getattr(self, f"_{self.behaviour}")(request)

    async def _websocket(self, request: web.Request, headers: dict[str, str]) -> web.StreamResponse:
        """Answer each text message of a WebSocket with the backend's name and the text."""
        self.received.append(Received(request.method, request.raw_path, headers, b"", request.raw_headers))
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(f"{self.name}: {message.data}")
        return socket

    def answer(self) -> dict[str, Any]:
        message = {"role": "assistant", "content": f"I am {self.name}."}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return {"id": "x", "object": "chat.completion", "model": self.name, "choices": [choice]}

    def events(self) -> list[bytes]:
        words = [f"I am {self.name}.", " Truly."]
        chunks = [
            {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": w}}]} for w in words
        ]
        return [*(b"data: " + json.dumps(c).encode() + b"\n\n" for c in chunks), b"data: [DONE]\n\n"]

    async def _json(self, _: web.Request) -> web.StreamResponse:
        return web.json_response(self.answer(), headers=self.more_headers)

    async def _sse(self, request: web.Request) -> web.StreamResponse:
        response = await self._open_stream(request)
        for event in self.events():
            await response.write(event)
        if self.late_end:
            await wait_until_set(self._ending, self.late_end)
        await response.write_eof()
        return response

    async def _slow_stream(self, request: web.Request) -> web.StreamResponse:
        """Send the headers and the first event at once, and the other events 1.2 s later."""
        response = await self._open_stream(request)
        first, *rest = self.events()
        await response.write(first)
        await wait_until_set(self._ending, 1.2)
        for event in rest:
            await response.write(event)
        await response.write_eof()
        return response

    async def _late_stream(self, request: web.Request) -> web.StreamResponse:
        """Send the headers at once, and all events after ``silence``."""
        response = await self._open_stream(request)
        await wait_until_set(self._ending, self.silence)
        for event in self.events():
            await response.write(event)
        await response.write_eof()
        return response

    async def _open_stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        return response

    async def _status(self, _: web.Request) -> web.StreamResponse:
        body = {"error": {"message": f"{self.name} says {self.status}", "type": "server_error"}}
        return web.json_response(body, status=self.status, headers={"x-backend": self.name})

    async def _redirect(self, _: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=307, headers={"location": self.location})

    async def _hang(self, request: web.Request) -> web.StreamResponse:
        await self._ending.wait()
        return await self._json(request)

    async def _reset(self, request: web.Request) -> web.StreamResponse:
        """Close the connection before the first byte of an answer."""
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    async def _die_in_stream(self, request: web.Request) -> web.StreamResponse:
        """Close the connection after the first event."""
        response = await self._open_stream(request)
        await response.write(self.events()[0])
        await wait_until_set(self._ending, 0.05)
        if request.transport is not None:
            request.transport.abort()
        return response
