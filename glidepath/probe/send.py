"""Sends a probe to both backends through Envoy's shadow listener, and combines their answers into a pair."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass
from types import TracebackType

import aiohttp
from yarl import URL

from glidepath import envoy_names, redis_keys
from glidepath.clock import unix_ms
from glidepath.config import Config
from glidepath.first_content import FirstContent
from glidepath.latency import waited_ms
from glidepath.outcome_summaries import NO_DIGEST, joined_digests
from glidepath.pairs import Answer, Ending, Pair, PairKind
from glidepath.probe.prompts import ProbeRequest
from glidepath.protobuf_codec import encode_pair
from glidepath.redisio import RedisClient
from glidepath.request_body_end_time import TimedBody
from glidepath.sides import Origin, Side

MAX_DIGEST = 40  # characters of the header with the served digest
LISTENER_UNREACHABLE = "the shadow listener cannot be reached"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """A probe request and the pair of its two answers."""

    request: ProbeRequest
    pair: Pair

    @property
    def answers(self) -> tuple[Answer, Answer]:
        """Return the answers of the baseline and of the candidate, in this order."""
        return self.pair.first, self.pair.second

    @property
    def not_sent(self) -> bool:
        """Return whether the shadow listener refused the connection, so that neither backend got the probe."""
        return all(answer.ending is Ending.REFUSED for answer in self.answers)

    @property
    def comparable(self) -> bool:
        """Return whether both backends sent a complete answer with a 2xx status."""
        return not any(answer_failure(answer) for answer in self.answers)


def answer_failure(answer: Answer) -> str:
    """Return why an answer cannot be compared, or "" for a complete answer with a 2xx status."""
    if answer.ending is not Ending.COMPLETE:
        return answer.error or answer.ending.value
    return "" if 200 <= answer.status < 300 else f"status {answer.status}"


class Prober:
    """Sends probes through Envoy's shadow listener: ``async with Prober(config, listener) as prober``.

    ``listener`` is the listener's address, HOST:PORT or unix:/path.
    """

    def __init__(self, config: Config, listener: str) -> None:
        self._config, self._listener = config, listener
        self._base = "http://glidepath-shadow" if listener.startswith("unix:") else f"http://{listener}"
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Prober:
        connector: aiohttp.BaseConnector = aiohttp.TCPConnector(limit=0)
        if self._listener.startswith("unix:"):
            connector = aiohttp.UnixConnector(self._listener.removeprefix("unix:"))
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent",),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._session.close()

    async def probe(self, workload: str, request: ProbeRequest) -> ProbeResult:
        """Send the request to both backends at the same time, and return it with the pair of their answers.

        Each backend must answer within the workload's ``shadow.timeout``. A failed request raises no error: its answer
        contains the error.
        """
        started_ms = unix_ms()
        name = f"probe-{uuid.uuid4().hex}"
        sides = (self._ask(workload, side, request, name) for side in (Side.BASELINE, Side.CANDIDATE))
        (baseline, at_baseline), (candidate, at_candidate) = await asyncio.gather(*sides)
        pair = Pair(
            id=name,
            workload=workload,
            kind=PairKind.CROSS,
            captured_at_ms=started_ms,
            method="POST",
            path=request.path,
            request_body=request.body,
            first=baseline,
            second=candidate,
            request_content_type="application/json",
            sticky=envoy_names.PROBE_STICKY,
            served=joined_digests(at_baseline, at_candidate),
        )
        return ProbeResult(request, pair)

    async def _ask(self, workload: str, side: Side, request: ProbeRequest, name: str) -> tuple[Answer, str]:
        """Return a side's answer, and the served digest of the shadow listener (glidepath/served_digest.py)."""
        settings = self._config.workload(workload)
        backend = settings.baseline if side is Side.BASELINE else settings.candidate
        answer = _PartialAnswer(TimedBody(request.body))
        headers = {
            **request.headers,
            "content-type": "application/json",
            "accept-encoding": "identity",
            "x-request-id": name,
            envoy_names.HEADER_WORKLOAD: workload,
            envoy_names.HEADER_TARGET: backend,
            envoy_names.HEADER_ORIGIN: Origin.PROBE.value,
        }
        try:
            async with asyncio.timeout(settings.shadow.timeout):
                await self._exchange(request.path, headers, answer)
        except TimeoutError:
            answer.end(Ending.TIMEOUT, f"no answer within {settings.shadow.timeout:g} s")
        except aiohttp.ClientConnectorError as error:
            answer.end(Ending.REFUSED, f"{LISTENER_UNREACHABLE}: {error.strerror or error}")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            answer.end(Ending.ABORTED, type(error).__name__)
        return answer.finished(side, backend), answer.served

    async def _exchange(self, path: str, headers: dict[str, str], answer: _PartialAnswer) -> None:
        url = URL(self._base + path, encoded=True)
        posted = self._session.post(url, data=answer.request, headers=headers, allow_redirects=False)
        async with posted as response:
            answer.status = response.status
            answer.served = response.headers.get(envoy_names.HEADER_SERVED, NO_DIGEST)[:MAX_DIGEST]
            answer.content_type = response.headers.get("content-type", "")[:256].encode("utf-8", "replace").decode()
            first: FirstContent | None = FirstContent(answer.content_type)
            async for piece in response.content.iter_any():
                if first is not None and first.is_in(piece):
                    answer.first_content_at, first = time.monotonic(), None
                answer.add(piece, self._config.extproc.max_body)
            answer.ending = Ending.COMPLETE


async def store_pair(redis: RedisClient, config: Config, probed: ProbeResult) -> bool:
    """Add the probe's pair to the workload's stream of pairs if both answers succeeded. Return whether it was added."""
    if not probed.comparable:
        return False
    key = redis_keys.WorkloadKeys(probed.pair.workload).pairs
    await redis.xadd(key, {"p": encode_pair(probed.pair)}, maxlen=config.retention.pairs, approximate=True)
    await redis.pexpire(key, max(1, int(config.retention.age * 1000)))
    return True


@dataclass(slots=True)
class _PartialAnswer:
    request: TimedBody
    status: int = 0
    served: str = NO_DIGEST
    content_type: str = ""
    body: bytes = b""
    cut: bool = False
    first_byte_at: float | None = None
    first_content_at: float | None = None
    ending: Ending = Ending.ABORTED
    error: str = ""

    def add(self, piece: bytes, limit: int) -> None:
        if self.first_byte_at is None:
            self.first_byte_at = time.monotonic()
        self.cut |= len(self.body) + len(piece) > limit
        self.body += piece[: limit - len(self.body)]

    def end(self, ending: Ending, error: str) -> None:
        self.ending, self.error = ending, error

    def finished(self, side: Side, backend: str) -> Answer:
        return Answer(
            side=side,
            origin=Origin.PROBE,
            backend=backend,
            status=self.status,
            content_type=self.content_type,
            body=self.body,
            body_cut=self.cut,
            ending=self.ending,
            first_byte_ms=waited_ms(self.request.sent_at, self.first_content_at or self.first_byte_at),
            total_ms=waited_ms(self.request.sent_at, time.monotonic()),
            error=self.error,
        )
