"""The tee: sends a copy of a request to a backend through Envoy's shadow listener, and reads the answer.

At that listener, Envoy treats a copy like a client's request: it applies TLS, the credential, the model's name and the
limits of the backend, and it measures the latency in the same way. This module decides which headers are sent, how long
a copy may take, how much of the answer is kept, and how many copies may be in flight.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
from yarl import URL

from extproc.body_limits import Body, BodyMemory
from glidepath import envoy_names
from glidepath.answer_end import AnswerEnd
from glidepath.first_content import FirstContent
from glidepath.latency import waited_ms
from glidepath.pairs import Answer, Ending
from glidepath.request_body_end_time import TimedBody
from glidepath.sides import Origin, Side

_SKIP = ("User-Agent", "Accept-Encoding", "Accept", "Content-Type")


@dataclass(frozen=True, slots=True)
class ShadowRequest:
    """A copy that is to be sent. ``path`` includes the query. ``body`` still has its content encoding.

    ``timeout_s``: the time limit of the copy in seconds.
    ``client_ended``: set when the client's request has ended. Until then, the copy is not ended even if its time limit
    has passed, so it has at least as much time as the client's request. None: only ``timeout_s`` counts.
    """

    workload: str
    side: Side
    backend: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    timeout_s: float
    client_ended: asyncio.Event | None = None


@dataclass(frozen=True, slots=True)
class ShadowAnswer:
    """The answer to a copy.

    ``answer.body`` is the body as received, with the content encoding ``encoding``. ``held`` keeps the memory of the
    body reserved. Call ``held.release()`` when the body is no longer needed.
    """

    answer: Answer
    encoding: str
    held: Body
    retry_after: str = ""


class ShadowSender(Protocol):
    """Sends copies of requests.

    If a backend does not answer, ``send`` raises no error: the ``ending`` and ``error`` of the answer show the failure.
    """

    async def send(self, copy: ShadowRequest) -> ShadowAnswer: ...


class InFlight:
    """Counts the copies in flight for each workload. A copy above the workload's limit is dropped, not queued."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def enter(self, workload: str, limit: int) -> bool:
        if self.counts[workload] >= limit:
            return False
        self.counts[workload] += 1
        return True

    def leave(self, workload: str) -> None:
        self.counts[workload] -= 1


def copy_headers(copy: ShadowRequest) -> dict[str, str]:
    """Return the headers of a copy.

    These are the client's headers that COPIED_HEADERS lists, ``accept-encoding: identity``, and three headers for the
    shadow listener (workload, target and origin).
    """
    headers = {name: copy.headers[name] for name in envoy_names.COPIED_HEADERS if name in copy.headers}
    headers["accept-encoding"] = "identity"
    headers[envoy_names.HEADER_WORKLOAD] = copy.workload
    headers[envoy_names.HEADER_TARGET] = copy.backend
    headers[envoy_names.HEADER_ORIGIN] = Origin.SHADOW.value
    return headers


class Tee:
    """The ShadowSender that production uses: an HTTP client of the shadow listener (HOST:PORT or unix:/path)."""

    def __init__(self, session: aiohttp.ClientSession, base: str, max_body: int, memory: BodyMemory) -> None:
        self._session, self._base = session, base
        self._max_body, self._memory = max_body, memory

    @classmethod
    def open(cls, shadow_listen: str, max_body: int, memory: BodyMemory) -> Tee:
        """Create a tee. A running event loop is required. Call ``close`` when the tee is no longer needed."""
        connector: aiohttp.BaseConnector
        if shadow_listen.startswith("unix:"):
            connector = aiohttp.UnixConnector(shadow_listen.removeprefix("unix:"), limit=0)
            base = "http://glidepath-shadow"
        else:
            connector = aiohttp.TCPConnector(limit=0)
            base = f"http://{shadow_listen}"
        session = aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            skip_auto_headers=_SKIP,
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return cls(session, base, max_body, memory)

    async def close(self) -> None:
        await self._session.close()

    async def send(self, copy: ShadowRequest) -> ShadowAnswer:
        reading = _ShadowAnswerBuilder(Body(self._max_body, self._memory), TimedBody(copy.body))
        try:
            await _within(copy, asyncio.create_task(self._exchange(copy, reading)))
        except TimeoutError:
            reading.fail(Ending.TIMEOUT, f"no answer within {copy.timeout_s:g} s or by the end of the client's answer")
        except aiohttp.ClientConnectorError as error:
            reading.fail(Ending.REFUSED, f"the shadow listener cannot be reached: {error.strerror or error}")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reading.fail(Ending.ABORTED, type(error).__name__)
        except asyncio.CancelledError:
            reading.body.release()
            raise
        return reading.finish(copy, time.monotonic())

    async def _exchange(self, copy: ShadowRequest, reading: _ShadowAnswerBuilder) -> None:
        url = URL(self._base + copy.path, encoded=True)
        request = self._session.post(url, data=reading.request, headers=copy_headers(copy), allow_redirects=False)
        async with request as response:
            reading.status = response.status
            reading.content_type = _text(response.headers.get("content-type", ""))
            reading.encoding = _text(response.headers.get("content-encoding", ""))
            reading.retry_after = _text(response.headers.get("retry-after", ""))
            first: FirstContent | None = FirstContent(reading.content_type, reading.encoding)
            end = AnswerEnd.of(reading.content_type, reading.encoding)
            async for piece in response.content.iter_any():
                if reading.first_byte_at is None:
                    reading.first_byte_at = time.monotonic()
                if first is not None and first.is_in(piece):
                    reading.first_content_at, first = time.monotonic(), None
                if end is not None and reading.ended_at is None and end.is_in(piece):
                    reading.ended_at = time.monotonic()
                reading.body.add(piece)
                if reading.body.cut:  # the rest would not be kept, so it is not read either
                    response.close()
                    break
            reading.ending = Ending.COMPLETE


async def _within(copy: ShadowRequest, exchange: asyncio.Task[None]) -> None:
    """Wait for the exchange, and raise its errors.

    Raises TimeoutError after the copy's time limit, but not before ``copy.client_ended`` is set.
    """
    ended: asyncio.Task[bool] | None = None
    try:
        await asyncio.wait([exchange], timeout=copy.timeout_s)
        if not exchange.done() and copy.client_ended is not None:
            ended = asyncio.create_task(copy.client_ended.wait())
            either: list[asyncio.Task[Any]] = [exchange, ended]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not exchange.done():
            raise TimeoutError
        await exchange
    finally:
        if ended is not None:
            ended.cancel()
        if not exchange.done():
            exchange.cancel()
            await asyncio.wait([exchange])


def _text(value: str) -> str:
    """Return the first 256 characters of a header's value, with lone surrogates replaced.

    aiohttp decodes invalid bytes to lone surrogates, which cannot be stored as UTF-8.
    """
    return value[:256].encode("utf-8", "replace").decode()


@dataclass(slots=True)
class _ShadowAnswerBuilder:
    body: Body
    request: TimedBody
    status: int = 0
    content_type: str = ""
    encoding: str = ""
    retry_after: str = ""
    first_byte_at: float | None = None
    first_content_at: float | None = None
    ended_at: float | None = None  # of the last event of a stream; the client's answer ends there, too
    ending: Ending = Ending.ABORTED
    error: str = ""

    def fail(self, ending: Ending, error: str) -> None:
        self.ending, self.error = ending, error

    def finish(self, copy: ShadowRequest, ended: float) -> ShadowAnswer:
        answer = Answer(
            side=copy.side,
            origin=Origin.SHADOW,
            backend=copy.backend,
            status=self.status,
            content_type=self.content_type,
            body=self.body.value(),
            body_cut=self.body.cut,
            ending=self.ending,
            first_byte_ms=waited_ms(self.request.sent_at, self.first_content_at or self.first_byte_at),
            total_ms=waited_ms(self.request.sent_at, self.ended_at or ended),
            error=self.error,
        )
        return ShadowAnswer(answer, self.encoding, self.body, self.retry_after)
