"""Sends one request to the other side through Envoy's shadow listener, and reads its answer.

Envoy does TLS, credentials, the model's name and limits there, and measures the copy with the same instrument as the
original. Here: what is sent, how long, how much is read, and how many at a time.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import aiohttp
from yarl import URL

from extproc.bounded_body import Body, Memory
from glidepath import keys
from glidepath.domain import Answer, Ending, Origin, Side

# The client's request headers that a copy carries. Envoy adds credentials; no other header of the client is copied.
FORWARDED_HEADERS = (
    "accept",
    "anthropic-beta",
    "anthropic-version",
    "content-encoding",
    "content-type",
    "openai-beta",
    "traceparent",
    "tracestate",
    "x-request-id",
)
_SKIP = ("User-Agent", "Accept-Encoding", "Accept", "Content-Type")


@dataclass(frozen=True, slots=True)
class Copy:
    """One request to send again. ``path`` with its query; ``body`` as it came, still in its content coding."""

    workload: str
    side: Side
    backend: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    timeout_s: float


@dataclass(frozen=True, slots=True)
class TeeAnswer:
    """``answer.body`` is still in its content coding, named by ``encoding``; ``release`` its memory when done."""

    answer: Answer
    encoding: str
    held: Body


class Sender(Protocol):
    """Where copies go; never raises for what the other side does."""

    async def send(self, copy: Copy) -> TeeAnswer: ...


class InFlight:
    """Per workload, how many copies are under way. Gives up rather than queue."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def enter(self, workload: str, limit: int) -> bool:
        if self.counts[workload] >= limit:
            return False
        self.counts[workload] += 1
        return True

    def leave(self, workload: str) -> None:
        self.counts[workload] -= 1


def copy_headers(copy: Copy) -> dict[str, str]:
    """The headers of a copy: the allow-list, and the three that route it."""
    headers = {name: copy.headers[name] for name in FORWARDED_HEADERS if name in copy.headers}
    headers["accept-encoding"] = "identity"
    headers[keys.HEADER_WORKLOAD] = copy.workload
    headers[keys.HEADER_TARGET] = copy.backend
    headers[keys.HEADER_ORIGIN] = Origin.SHADOW.value
    return headers


class Tee:
    """The real Sender: aiohttp on the shadow listener (HOST:PORT or unix:/path)."""

    def __init__(self, session: aiohttp.ClientSession, base: str, max_body: int, memory: Memory) -> None:
        self._session, self._base = session, base
        self._max_body, self._memory = max_body, memory

    @classmethod
    def open(cls, shadow_listen: str, max_body: int, memory: Memory) -> Tee:
        """Call within a running event loop; ``close`` it."""
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

    async def send(self, copy: Copy) -> TeeAnswer:
        started = time.monotonic()
        reading = _Reading(Body(self._max_body, self._memory))
        try:
            async with asyncio.timeout(copy.timeout_s):
                await self._exchange(copy, reading)
        except TimeoutError:
            reading.fail(Ending.TIMEOUT, f"no answer within {copy.timeout_s:g} s")
        except aiohttp.ClientConnectorError as error:
            reading.fail(Ending.REFUSED, f"the shadow listener cannot be reached: {error.strerror or error}")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reading.fail(Ending.ABORTED, type(error).__name__)
        except asyncio.CancelledError:
            reading.body.release()
            raise
        return reading.finish(copy, started, time.monotonic())

    async def _exchange(self, copy: Copy, reading: _Reading) -> None:
        url = URL(self._base + copy.path, encoded=True)
        request = self._session.post(url, data=copy.body, headers=copy_headers(copy), allow_redirects=False)
        async with request as response:
            reading.status = response.status
            reading.content_type = _text(response.headers.get("content-type", ""))
            reading.encoding = _text(response.headers.get("content-encoding", ""))
            async for piece in response.content.iter_any():
                reading.first_byte_at = reading.first_byte_at or time.monotonic()
                reading.body.add(piece)
            reading.ending = Ending.COMPLETE


def _text(value: str) -> str:
    """A header's value as text that can be stored: aiohttp hands strange bytes on as lone surrogates."""
    return value[:256].encode("utf-8", "replace").decode()


@dataclass(slots=True)
class _Reading:
    body: Body
    status: int = 0
    content_type: str = ""
    encoding: str = ""
    first_byte_at: float = 0.0
    ending: Ending = Ending.ABORTED
    error: str = ""

    def fail(self, ending: Ending, error: str) -> None:
        self.ending, self.error = ending, error

    def finish(self, copy: Copy, started: float, ended: float) -> TeeAnswer:
        answer = Answer(
            side=copy.side,
            origin=Origin.SHADOW,
            backend=copy.backend,
            status=self.status,
            content_type=self.content_type,
            body=self.body.value(),
            body_cut=self.body.cut,
            ending=self.ending,
            first_byte_ms=(self.first_byte_at - started) * 1000 if self.first_byte_at else 0.0,
            total_ms=(ended - started) * 1000,
            error=self.error,
        )
        return TeeAnswer(answer, self.encoding, self.body)
