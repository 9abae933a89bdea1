"""The tee against a real HTTP server on TCP and on a Unix socket."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from aiohttp import web

from extproc.body_limits import BodyMemory
from extproc.copy_sender import InFlight, ShadowAnswer, ShadowRequest, Tee
from glidepath import envoy_names
from glidepath.pairs import Ending
from glidepath.sides import Side
from glidepath_ops.local.child_process import free_ports

PAUSE_S = 0.3  # for this long, a slow server does not read the body of a copy
SENT = {
    "content-type": "application/json",
    "accept": "text/event-stream",
    "x-request-id": "id-1",
    "anthropic-version": "2023-06-01",
    "authorization": "Bearer SECRET",
    "cookie": "SECRET",
    "x-user-id": "ann",
    ":method": "POST",
}


@dataclass(slots=True)
class OtherSide:
    """An HTTP server in place of the other side; the last part of the path selects how it answers."""

    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(
            (request.raw_path, {k.lower(): v for k, v in request.headers.items()}, await request.read())
        )
        return await getattr(self, request.path.rpartition("/")[2])(request)  # type: ignore[no-any-return]

    async def chat(self, _: web.Request) -> web.StreamResponse:
        return web.json_response({"ok": True})

    async def busy(self, _: web.Request) -> web.StreamResponse:
        return web.json_response({"error": 1}, status=503)

    async def long(self, _: web.Request) -> web.StreamResponse:
        return web.Response(body=b"x" * 5000)

    async def flood(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65_536)
        finally:
            self.ended.set()

    async def moved(self, _: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"location": "/chat"})

    async def packed(self, _: web.Request) -> web.StreamResponse:
        return web.Response(body=b"\x1f\x8b not really", headers={"content-encoding": "gzip"})

    async def slow(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first")
        await self.ended.wait()
        return response

    async def dies(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response


@asynccontextmanager
async def tee(address: str, memory: BodyMemory, max_body: int = 1000) -> AsyncIterator[tuple[Tee, OtherSide]]:
    other = OtherSide()
    app = web.Application()
    app.router.add_post("/{tail:.*}", other.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    if address.startswith("unix:"):
        await web.UnixSite(runner, address.removeprefix("unix:")).start()
    else:
        host, _, port = address.rpartition(":")
        await web.TCPSite(runner, host, int(port)).start()
    sender = Tee.open(address, max_body, memory)
    try:
        yield sender, other
    finally:
        other.ended.set()
        await sender.close()
        await runner.cleanup()


def copy(path: str, timeout_s: float = 5) -> ShadowRequest:
    return ShadowRequest("chat", Side.CANDIDATE, "onprem", path, SENT, b'{"q":1}', timeout_s)


async def test_a_copy_has_as_long_as_the_clients_own_answer_takes() -> None:
    ended = asyncio.Event()
    memory = BodyMemory(10_000)
    async with tee(f"127.0.0.1:{free_ports(1)[0]}", memory) as (sender, _):
        sending = asyncio.ensure_future(sender.send(replace(copy("/slow", timeout_s=0.05), client_ended=ended)))
        done, _ = await asyncio.wait([sending], timeout=0.5)
        assert not done  # although its own time is over
        ended.set()
        answered = await sending
        assert answered.answer.ending is Ending.TIMEOUT
        answered.held.release()
    assert memory.held == 0


async def send(path: str, timeout_s: float = 5, memory: BodyMemory | None = None) -> ShadowAnswer:
    memory = memory or BodyMemory(10**6)
    async with tee(f"127.0.0.1:{free_ports(1)[0]}", memory) as (sender, _):
        return await sender.send(copy(path, timeout_s))


@pytest.mark.parametrize("kind", ["tcp", "unix"])
async def test_a_copy_arrives_with_path_query_body_and_only_allowed_headers(kind: str, tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/shadow.sock" if kind == "unix" else f"127.0.0.1:{free_ports(1)[0]}"
    async with tee(address, BodyMemory(10**6)) as (sender, other):
        answered = await sender.send(copy("/v1/chat?a=%20b&c=/d"))
    ((path, headers, body),) = other.requests
    assert (path, body) == ("/v1/chat?a=%20b&c=/d", b'{"q":1}')
    del headers["host"], headers["content-length"]
    assert headers == {
        "content-type": "application/json",
        "accept": "text/event-stream",
        "accept-encoding": "identity",
        "x-request-id": "id-1",
        "anthropic-version": "2023-06-01",
        envoy_names.HEADER_WORKLOAD: "chat",
        envoy_names.HEADER_TARGET: "onprem",
        envoy_names.HEADER_ORIGIN: "shadow",
    }
    answer = answered.answer
    assert (answer.status, answer.body, answer.ending) == (200, b'{"ok": true}', Ending.COMPLETE)
    assert 0 < answer.first_byte_ms <= answer.total_ms < 5000


async def test_an_error_status_is_an_answer() -> None:
    answer = (await send("/busy")).answer
    assert (answer.status, answer.ending) == (503, Ending.COMPLETE)


async def test_a_redirect_is_not_followed() -> None:
    assert (await send("/moved")).answer.status == 302


async def test_a_long_answer_is_cut_and_its_memory_is_counted() -> None:
    memory = BodyMemory(10**6)
    answered = await send("/long", memory=memory)
    assert (len(answered.answer.body), answered.answer.body_cut, memory.held) == (1000, True, 1000)
    answered.held.release()
    assert memory.held == 0


@pytest.mark.parametrize("limits", [(1000, 10**6), (10**6, 1000)], ids=["one body", "all bodies"])
async def test_an_answer_beyond_a_limit_is_read_no_further_and_its_connection_is_closed(
    limits: tuple[int, int],
) -> None:
    memory = BodyMemory(limits[1])
    async with tee(f"127.0.0.1:{free_ports(1)[0]}", memory, limits[0]) as (sender, other):
        answer = (await sender.send(copy("/flood", 60))).answer
        await asyncio.wait_for(other.ended.wait(), 20)
    assert (len(answer.body), answer.body_cut, answer.ending) == (1000, True, Ending.COMPLETE)


async def test_a_compressed_answer_is_not_decoded() -> None:
    answered = await send("/packed")
    assert (answered.answer.body, answered.encoding) == (b"\x1f\x8b not really", "gzip")


async def test_invalid_bytes_in_a_header_become_storable_text() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/\xff\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    port = free_ports(1)[0]
    server = await asyncio.start_server(serve, "127.0.0.1", port)
    sender = Tee.open(f"127.0.0.1:{port}", 1000, BodyMemory(1000))
    answer = (await sender.send(copy("/chat"))).answer
    await sender.close()
    server.close()
    assert answer.status == 200
    assert answer.content_type.encode().startswith(b"text/")


async def test_an_answer_that_does_not_end_times_out() -> None:
    answered = await send("/slow", timeout_s=0.2)
    assert (answered.answer.ending, answered.answer.body) == (Ending.TIMEOUT, b"first")
    assert 150 < answered.answer.total_ms < 3000


@pytest.mark.parametrize("waits", [True, False])
async def test_the_times_of_a_copy_begin_when_all_of_it_is_sent(waits: bool) -> None:
    """One server reads the copy before it answers. The other answers after the headers, and does not read the body."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if waits:
            await asyncio.sleep(PAUSE_S)
            await reader.readexactly(int(re.search(rb"content-length: (\d+)", head.lower())[1]))  # type: ignore[index]
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()

    port = free_ports(1)[0]
    server = await asyncio.start_server(serve, "127.0.0.1", port, limit=2**16)
    sender = Tee.open(f"127.0.0.1:{port}", 1000, BodyMemory(1000))
    started = time.monotonic()
    answer = (await sender.send(replace(copy("/chat"), body=b"x" * 32 * 2**20))).answer
    elapsed_ms = (time.monotonic() - started) * 1000
    await sender.close()
    server.close()
    assert answer.status == 200
    if waits:
        assert 0 < answer.first_byte_ms <= answer.total_ms <= elapsed_ms - PAUSE_S * 1000
    else:
        assert (answer.first_byte_ms, answer.total_ms) == (0.0, 0.0)


async def test_a_connection_lost_during_the_answer_is_an_abort() -> None:
    assert (await send("/dies")).answer.ending is Ending.ABORTED


@pytest.mark.parametrize("kind", ["tcp", "unix"])
async def test_an_unreachable_listener_is_a_refusal(kind: str, tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/none.sock" if kind == "unix" else f"127.0.0.1:{free_ports(1)[0]}"
    sender = Tee.open(address, 1000, BodyMemory(1000))
    answered = await sender.send(copy("/chat"))
    await sender.close()
    assert answered.answer.ending is Ending.REFUSED


async def test_a_cancelled_copy_releases_its_memory() -> None:
    memory = BodyMemory(10**6)
    async with tee(f"127.0.0.1:{free_ports(1)[0]}", memory) as (sender, other):
        task = asyncio.ensure_future(sender.send(copy("/slow")))
        async with asyncio.timeout(60):
            while memory.held == 0:  # noqa: ASYNC110 - until the first bytes are there
                await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert memory.held == 0
    assert other.requests


def test_copies_in_flight_are_limited_per_workload() -> None:
    in_flight = InFlight()
    assert [in_flight.enter("chat", 2) for _ in range(3)] == [True, True, False]
    assert in_flight.enter("mail", 2)
    in_flight.leave("chat")
    assert in_flight.enter("chat", 2)
