"""No latency contains the delay that a slow client adds: a real Envoy, and clients that send in two parts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from extproc.outcome_classification import RequestOutcome
from glidepath.sides import Side
from tests.support.envoy_with_backends import PATH, EnvoySetup, envoy_with_backends
from tests.support.outcome_log import OutcomeLog
from tests.support.recording_backend import Recorder
from tests.support.slow_clients import post_in_two_parts

PAUSE_S = 1.0
BODY = b'{"model": "m", "messages": [{"role": "user", "content": "' + b"x" * 2000 + b'"}]}'


class EagerBackend(Recorder):
    """A backend that answers as soon as it has the headers of a request."""

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        return await self._json(request)


async def slow_upload(setup: EnvoySetup) -> RequestOutcome:
    """Return the outcome of a request whose client pauses for PAUSE_S in the middle of its body."""
    url = setup.envoy.live + PATH
    return await OutcomeLog(setup).by(post_in_two_parts(url, BODY, lambda: asyncio.sleep(PAUSE_S)))


def duration_ms(setup: EnvoySetup) -> float:
    (entries,) = setup.collector.entries.values()
    return float(entries[0].common_properties.duration.ToMicroseconds() / 1000)


async def test_the_pause_of_a_client_that_sends_slowly_is_in_no_latency(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, chat={"start": 100, "shadow": {"sample": 0}}) as setup:
        outcome = await slow_upload(setup)
        assert len(setup.onprem.received) == 1
        assert outcome.latency_ms is not None
        assert outcome.headers_ms is not None
        # Envoy may get the first part after the client has begun to pause, so half of the pause is enough to see it.
        assert 0 <= outcome.headers_ms <= outcome.latency_ms <= duration_ms(setup) - PAUSE_S * 1000 / 2


async def test_an_answer_that_ends_before_the_request_is_counted_without_a_latency(tmp_path: Path) -> None:
    async with EagerBackend("eager") as eager:
        streamed: dict[str, Any] = {
            "model": None
        }  # a model's name is replaced only in a request that Envoy holds whole
        chat = {"start": 100, "shadow": {"sample": 0}, "fallback": False}
        onprem = {"url": eager.url, **streamed}
        async with envoy_with_backends(tmp_path, cloud=streamed, onprem=onprem, chat=chat) as setup:
            outcome = await slow_upload(setup)
            assert (outcome.error, outcome.latency_ms, outcome.ttft_ms, outcome.untimed) == ("", None, None, True)


@pytest.mark.parametrize("timeout", ["first_byte_timeout", "idle_timeout"])
@pytest.mark.parametrize("fallback", [False, True])
async def test_a_timeout_of_the_candidate_that_is_shorter_than_an_upload_is_not_reached(
    tmp_path: Path, timeout: str, fallback: bool
) -> None:
    onprem, chat = {"model": None, timeout: "300ms"}, {"start": 100, "shadow": {"sample": 0}, "fallback": fallback}
    async with envoy_with_backends(tmp_path, cloud={"model": None}, onprem=onprem, chat=chat) as setup:
        outcome = await slow_upload(setup)
        assert (outcome.side, outcome.error, outcome.untimed) == (Side.CANDIDATE, "", False)
