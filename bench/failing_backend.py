"""An HTTP/1.1 backend that answers correctly until a caller chooses a kind of failure."""

from __future__ import annotations

import asyncio
import json
from enum import StrEnum

ANSWER = json.dumps({"object": "chat.completion", "choices": [{"message": {"content": "Yes."}}]}).encode()
EVENT = b'data: {"choices": [{"delta": {"content": "Yes"}}]}\n\n'
_HEAD = b"HTTP/1.1 %b\r\ncontent-type: %b\r\n%b\r\n\r\n"


class Failure(StrEnum):
    NONE = "none"
    ERRORS = "errors"  # answers 503
    BREAKS = "breaks"  # a stream of events breaks off after the first one
    REFUSES = "refuses"  # no listening socket, and every open connection is closed
    HANGS = "hangs"  # accepts the request and sends nothing


class FailingBackend:
    """A server on a free port of loopback. ``requests`` counts the complete requests that have reached it."""

    def __init__(self) -> None:
        self.failure, self.requests, self.port = Failure.NONE, 0, 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> FailingBackend:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in list(self._open):
            writer.transport.abort()

    def fail(self, failure: Failure) -> None:
        self.failure = failure
        if failure is Failure.REFUSES:
            self._close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return  # at the end of a test, asyncio would log a cancelled connection as an error
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request. Return whether the connection stays open."""
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
        self.requests += 1
        if self.failure is Failure.HANGS:
            await reader.read()
            return False
        if self.failure is Failure.BREAKS:
            writer.write(_HEAD % (b"200 OK", b"text/event-stream", b"transfer-encoding: chunked"))
            writer.write(b"%x\r\n%b\r\n" % (len(EVENT), EVENT))
            await writer.drain()
            await asyncio.sleep(0.02)
            writer.transport.abort()
            return False
        status = b"503 Service Unavailable" if self.failure is Failure.ERRORS else b"200 OK"
        writer.write(_HEAD % (status, b"application/json", b"content-length: %d" % len(ANSWER)) + ANSWER)
        await writer.drain()
        return True
