"""An open-loop HTTP/1.1 load generator, and a backend with constant latency.

Open-loop means that requests are sent at planned times, even if earlier answers are late. Generator and backend must
use little CPU time compared with the measured servers. So they use asyncio's plain protocols and keep connections open,
and a request is one write and one read.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import sys
import time

WARM_UP = 1.0  # seconds of load before each round
HEAD_END = b"\r\n\r\n"
BODY = json.dumps(
    {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1,
        "model": "bench",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "word " * 80}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 20, "completion_tokens": 80, "total_tokens": 100},
    }
).encode()
ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: " + str(len(BODY)).encode() + HEAD_END + BODY
)
INTERVAL = 0.02  # seconds between two tokens of a streamed answer
STREAM_BEGIN = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked" + HEAD_END


def request(body_bytes: int, *, stream: bool) -> bytes:
    """Return a request whose body has about ``body_bytes`` bytes. ``stream``: whether it asks for a streamed answer."""
    content = "please " * max(body_bytes // 7, 1)
    body = json.dumps({"model": "bench", "stream": stream, "messages": [{"role": "user", "content": content}]}).encode()
    head = "POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}".encode() + HEAD_END + body


def event(text: bytes) -> bytes:
    """Return one server-sent event as a chunk of HTTP/1.1."""
    data = b"data: " + text + b"\n\n"
    return f"{len(data):x}".encode() + b"\r\n" + data + b"\r\n"


TOKEN = event(b'{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"word "}}]}')
STREAM_END = event(b"[DONE]") + b"0" + HEAD_END


def message_length(data: bytes | bytearray) -> int | None:
    """Return the length in bytes of the first HTTP message in ``data``, or None if the message is not complete.

    The message has a content-length or chunks; otherwise, it has no body.
    """
    end = data.find(HEAD_END)
    if end < 0:
        return None
    head = bytes(data[:end]).lower()
    body = end + len(HEAD_END)
    at = head.find(b"\r\ncontent-length:")
    if at < 0:
        last = data.find(b"0\r\n\r\n", body) if b"chunked" in head else body - 5
        return None if last < 0 else last + 5
    line = head[at + 17 :].split(b"\r\n", 1)[0]
    length = body + int(line)
    return length if len(data) >= length else None


class BackendConnection(asyncio.Protocol):
    """A connection to the backend, which begins to answer each request ``delay`` seconds after its arrival.

    ``tokens``: the number of events of a streamed answer, INTERVAL seconds apart; 0 for a whole answer.
    """

    def __init__(self, delay: float, tokens: int = 0) -> None:
        self.delay, self.tokens, self.data = delay, tokens, bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        self.data += data
        while (length := message_length(self.data)) is not None:
            del self.data[:length]
            self.loop.call_later(self.delay, self._answer)

    def _answer(self) -> None:
        if self.tokens:
            self._stream(self.tokens, STREAM_BEGIN)
        else:
            self._write(ANSWER)

    def _stream(self, left: int, before: bytes = b"") -> None:
        if left == 0:
            return self._write(STREAM_END)
        self._write(before + TOKEN)
        self.loop.call_later(INTERVAL, self._stream, left - 1)
        return None

    def _write(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)  # type: ignore[attr-defined]


class ClientConnection(asyncio.Protocol):
    """A connection of the load generator. An idle connection is in the ``pool`` of the round."""

    def __init__(self, round_: Round) -> None:
        self.round, self.data, self.sent, self.first = round_, bytearray(), 0.0, 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def ask(self) -> None:
        self.sent, self.first = time.perf_counter(), 0.0
        self.transport.write(self.round.request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        self.data += data
        if not self.first:
            self.first = now
        if message_length(self.data) is None:
            return
        ok = self.data.startswith(b"HTTP/1.1 200")
        self.data.clear()
        self.round.answered(self, (self.first - self.sent) * 1000, (now - self.sent) * 1000, ok)

    def connection_lost(self, exc: Exception | None) -> None:
        self.round.lost(self)


class Round:
    """A round of load on one port: ``rate`` requests per second on average, at the times of a Poisson process."""

    def __init__(self, port: int, rate: float, sent: bytes, limit: int = 512) -> None:
        self.port, self.rate, self.request, self.limit = port, rate, sent, limit
        self.pool: list[ClientConnection] = []
        self.busy: set[ClientConnection] = set()
        self.latencies: list[float] = []
        self.firsts: list[float] = []
        self.late: list[float] = []
        self.errors = self.skipped = 0

    def answered(self, connection: ClientConnection, first: float, latency: float, ok: bool) -> None:
        self.busy.discard(connection)
        self.pool.append(connection)
        if ok:
            self.latencies.append(latency)
            self.firsts.append(first)
        else:
            self.errors += 1

    def lost(self, connection: ClientConnection) -> None:
        if connection in self.busy:
            self.busy.discard(connection)
            self.errors += 1
        elif connection in self.pool:
            self.pool.remove(connection)

    async def _ask(self) -> None:
        if len(self.busy) >= self.limit:
            self.skipped += 1
            return
        if self.pool:
            connection = self.pool.pop()
        else:
            loop = asyncio.get_running_loop()
            _, connection = await loop.create_connection(lambda: ClientConnection(self), "127.0.0.1", self.port)
        self.busy.add(connection)
        connection.ask()

    async def run(self, seconds: float, seed: int) -> dict[str, object]:
        """Send load for a warm-up and then for ``seconds`` seconds, and return the results.

        The latencies (in milliseconds; ``firsts``: to the first byte of the answer) do not include the warm-up.
        """
        await self._load(WARM_UP, random.Random(seed + 1))
        self.latencies.clear()
        self.firsts.clear()
        self.late.clear()
        await self._load(seconds, random.Random(seed))
        for connection in [*self.pool, *self.busy]:
            connection.transport.close()
        return {
            "latencies": self.latencies,
            "firsts": self.firsts,
            "late_ms": sorted(self.late)[int(len(self.late) * 0.99)],
            "errors": self.errors,
            "skipped": self.skipped,
        }

    async def _load(self, seconds: float, rng: random.Random) -> None:
        due = begin = time.perf_counter()
        while (due := due + rng.expovariate(self.rate)) < begin + seconds:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            self.late.append((time.perf_counter() - due) * 1000)
            await self._ask()
        for _ in range(2000):
            if not self.busy:
                return
            await asyncio.sleep(0.005)


async def serve(port: int, delay: float, tokens: int) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    server = await loop.create_server(lambda: BackendConnection(delay, tokens), "127.0.0.1", port, backlog=1024)
    await stop.wait()
    server.close()


async def load() -> None:
    """Run a round for each JSON line {port, rate, seconds, seed, body_bytes, stream} on stdin; print its results."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        job = json.loads(line)
        sent = request(job["body_bytes"], stream=job["stream"])
        result = await Round(job["port"], job["rate"], sent).run(job["seconds"], job["seed"])
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--serve", type=int, metavar="PORT")
    options.add_argument("--delay", type=float, default=0.02)
    options.add_argument("--tokens", type=int, default=0)
    given = options.parse_args()
    asyncio.run(serve(given.serve, given.delay, given.tokens) if given.serve else load())
