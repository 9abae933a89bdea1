"""A backend and clients for bodies of any size: ``bench/slow_extproc.py`` and ``bench/body_shapes.py`` use them.

The backend reads each request whole and answers with as many bytes as the header ``x-answer-bytes`` asks for. A client
sends its next request a fixed pause after the answer. Both use plain asyncio protocols, so that they take little CPU
time compared with the measured Envoy.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import signal
import sys
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

HEAD_END = b"\r\n\r\n"
BLOCK = b"word " * 13107  # 64 KiB, so that an answer of any size is written without a copy of its own


class _Message:
    """The HTTP message that a connection is receiving: its head, and how many bytes of its body are still missing."""

    __slots__ = ("_head", "head", "missing")

    def __init__(self) -> None:
        self._head = bytearray()
        self.head: bytes | None = None
        self.missing = 0

    def feed(self, data: bytes) -> bool:
        """Add bytes to the message, and return whether it is complete. ``data`` has no bytes of the next message."""
        if self.head is None:
            self._head += data
            end = self._head.find(HEAD_END)
            if end < 0:
                return False
            self.head = bytes(self._head[:end]).lower()
            self.missing = int(header(self.head, b"content-length") or 0) - (len(self._head) - end - 4)
        else:
            self.missing -= len(data)
        return self.missing <= 0


def header(head: bytes, name: bytes) -> bytes:
    """Return the value of a header in ``head``, which is in lower case. Return b"" without this header."""
    at = head.find(b"\r\n" + name + b":")
    return head[at + len(name) + 3 :].split(b"\r\n", 1)[0].strip() if at >= 0 else b""


class _Sender(asyncio.Protocol):
    """A protocol that writes in pieces, no faster than the peer reads.

    Otherwise, asyncio would move a long buffer in memory at each send.
    """

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def send(self, *pieces: bytes) -> None:
        self._pieces.extend(pieces)
        self._write()

    def _write(self) -> None:
        while self._pieces and not self._paused and not self.transport.is_closing():
            self.transport.write(self._pieces.popleft())

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._write()


class BackendConnection(_Sender):
    def __init__(self, delay: float) -> None:
        super().__init__()
        self._delay, self._message = delay, _Message()

    def data_received(self, data: bytes) -> None:
        if self._message.feed(data):
            head, self._message = self._message.head or b"", _Message()
            size = int(header(head, b"x-answer-bytes") or 2)
            asyncio.get_running_loop().call_later(self._delay, self._answer, size)

    def _answer(self, size: int) -> None:
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {size}\r\n\r\n"
        self.send(head.encode(), *([BLOCK] * (size // len(BLOCK))), BLOCK[: size % len(BLOCK)])


@dataclass(frozen=True, slots=True)
class Load:
    """Clients that each send ``body`` again and again, with ``pause`` seconds after each answer."""

    name: str
    clients: int
    body: bytes
    answer_bytes: int
    pause: float
    path: str = "/v1/chat/completions"

    def request(self) -> list[bytes]:
        head = (
            f"POST {self.path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
            f"x-answer-bytes: {self.answer_bytes}\r\ncontent-length: {len(self.body)}\r\n\r\n"
        )
        pieces = [self.body[at : at + len(BLOCK)] for at in range(0, len(self.body), len(BLOCK))]
        return [head.encode(), *pieces]


@dataclass(slots=True)
class Measured:
    latencies_ms: list[float] = field(default_factory=list)
    errors: int = 0


class ClientConnection(_Sender):
    def __init__(self, request: Sequence[bytes]) -> None:
        super().__init__()
        self._request, self._message = request, _Message()
        self._done: asyncio.Future[bool] | None = None

    async def ask(self) -> bool:
        """Send the request, and return whether the answer has the status 200."""
        self._done, self._message = asyncio.get_running_loop().create_future(), _Message()
        self.send(*self._request)
        return await self._done

    def data_received(self, data: bytes) -> None:
        if self._message.feed(data) and self._done is not None and not self._done.done():
            self._done.set_result((self._message.head or b"").startswith(b"http/1.1 200"))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_result(False)


async def _client(port: int, load: Load, end: float, warm: float, into: Measured) -> None:
    loop = asyncio.get_running_loop()
    request, connection = load.request(), None
    while time.perf_counter() < end:
        if connection is None:
            _, connection = await loop.create_connection(lambda: ClientConnection(request), "127.0.0.1", port)
        sent = time.perf_counter()
        answered = await connection.ask()
        now = time.perf_counter()
        if sent >= warm:
            into.errors += not answered
            into.latencies_ms.append((now - sent) * 1000)
        if not answered:
            connection.transport.close()
            connection = None
        await asyncio.sleep(load.pause)


async def _run(port: int, load: Load, seconds: float, warm_up: float) -> Measured:
    measured, begin = Measured(), time.perf_counter() + warm_up
    async with asyncio.TaskGroup() as group:
        for _ in range(load.clients):
            group.create_task(_client(port, load, begin + seconds, begin, measured))
    return measured


def run_load(port: int, load: Load, seconds: float, warm_up: float = 0.5) -> Measured:
    """Run a load for ``seconds`` after a warm-up, and return what it measured."""
    return asyncio.run(_run(port, load, seconds, warm_up))


def run_loads(port: int, loads: Sequence[Load], seconds: float) -> dict[str, Measured]:
    """Run loads at the same time, each in a process of its own, so that no load waits for another one."""
    with ProcessPoolExecutor(len(loads), mp_context=multiprocessing.get_context("spawn")) as pool:
        running = {load.name: pool.submit(run_load, port, load, seconds) for load in loads}
        return {name: one.result() for name, one in running.items()}


def quantile(values: list[float], q: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * q))] if values else float("nan")


async def serve(port: int, delay: float) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    server = await loop.create_server(lambda: BackendConnection(delay), "127.0.0.1", port, backlog=1024)
    await stop.wait()
    server.close()


def chat_body(size: int) -> bytes:
    empty = json.dumps({"model": "m", "messages": [{"role": "user", "content": ""}]}).encode()
    at = empty.index(b'""}') + 1
    return empty[:at] + (BLOCK * (size // len(BLOCK) + 1))[: max(0, size - len(empty))] + empty[at:]


def backend_command(port: int, delay: float) -> list[str]:
    return [sys.executable, "-m", "bench.body_backend_and_clients", "--serve", str(port), "--delay", str(delay)]


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--serve", type=int, metavar="PORT", required=True)
    options.add_argument("--delay", type=float, default=0.005)
    given = options.parse_args()
    asyncio.run(serve(given.serve, given.delay))
