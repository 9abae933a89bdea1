"""An answer is whole at its own end, whatever its client and the connection do after it: real processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import aiohttp
import pytest
from aiohttp import web

from glidepath.sides import Origin, Side
from tests.support.running_capture import CaptureBackend, Processes, RunningCapture, connected, running_processes
from tests.support.waiting import eventually

CUT, FINISH, ERROR = b"I am cloud.", b'"finish_reason":"stop"', b"overloaded_error"


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with running_processes(tmp_path_factory.mktemp("leaving")) as made:
        yield made


@pytest.fixture
async def setup(processes: Processes) -> AsyncIterator[RunningCapture]:
    async with connected(processes) as made:
        for backend in (made.cloud, made.onprem):
            backend.behaviour = "sse"
        yield made


async def read_until(setup: RunningCapture, mark: bytes) -> None:
    """Send a request, and leave as soon as the answer has ``mark``."""
    got = b""
    with suppress(aiohttp.ClientError):
        async with setup.post(stream=True) as response:
            while mark not in got:
                got += await response.content.readany()
            response.close()


def events_of(backend: CaptureBackend, *events: bytes) -> None:
    """Let a backend answer with these events and then leave its stream open."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = await backend._open_stream(request)
        for event in events:
            await response.write(event)
        await backend._ending.wait()
        return response

    backend._answer = answer  # type: ignore[attr-defined]
    backend.behaviour = "answer"  # type: ignore[assignment]


async def test_a_client_that_leaves_at_the_end_of_the_stream_makes_a_pair_and_was_answered(
    setup: RunningCapture,
) -> None:
    """The backend ends the body a minute after the client has read ``[DONE]``."""
    setup.cloud.late_end = 60.0
    for _ in range(3):
        await read_until(setup, b"[DONE]")
    await setup.covered(captured=3, paired=3)
    assert {pair.first.body for pair in await setup.pairs()} == {b"".join(setup.cloud.events())}
    counts = await setup.counted(Side.BASELINE, Origin.LIVE, 3)
    assert (counts.requests, counts.errors, counts.client_aborts) == (3, 0, 0)
    assert (counts.latency_ms.total, counts.ttft_ms.total) == (3, 3)


async def test_a_pair_is_made_while_the_stream_of_the_answer_is_still_open(setup: RunningCapture) -> None:
    setup.cloud.late_end = 60.0
    async with setup.post(stream=True) as response:
        await setup.covered(captured=1, paired=1)
        assert not response.content.at_eof()
        counts = await setup.side(Side.BASELINE, Origin.LIVE)
        assert (counts.requests, counts.client_aborts) == (0, 0)  # the request goes on
        response.close()
    assert (await setup.counted(Side.BASELINE, Origin.LIVE, 1)).client_aborts == 0


async def test_a_client_that_stays_counts_once(setup: RunningCapture) -> None:
    setup.cloud.late_end = 0.5
    async with setup.post(stream=True) as response:
        assert await response.read() == b"".join(setup.cloud.events())
    await setup.covered(captured=1, paired=1)
    counts = await setup.counted(Side.BASELINE, Origin.LIVE, 1)
    assert (counts.requests, counts.client_aborts, counts.latency_ms.total) == (1, 0, 1)


async def test_a_client_that_leaves_in_the_middle_is_no_answered_request(setup: RunningCapture) -> None:
    first, *_ = setup.cloud.events()
    events_of(setup.cloud, first)
    await read_until(setup, CUT)
    counts = await setup.counted(Side.BASELINE, Origin.LIVE, 0, aborts=1)
    assert (counts.requests, counts.errors, counts.client_aborts) == (0, 0, 1)
    await setup.covered(captured=1, aborted=1)


async def test_a_client_that_leaves_at_a_finish_reason_was_answered_when_envoy_ends_the_capture(
    setup: RunningCapture,
) -> None:
    """No event says that it is the last one: the server may still send how many tokens it has used."""
    events_of(setup.cloud, *setup.cloud.events()[:-1], b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n')
    await read_until(setup, FINISH)
    counts = await setup.counted(Side.BASELINE, Origin.LIVE, 1)
    assert (counts.requests, counts.errors, counts.client_aborts) == (1, 0, 0)
    await setup.covered(captured=1, paired=1)


async def test_a_client_that_leaves_at_an_error_in_the_stream_shows_the_error_of_the_side(
    setup: RunningCapture,
) -> None:
    setup.processes.candidate_percent(100)
    error = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"x"}}\n\n'
    events_of(setup.onprem, setup.onprem.events()[0], error)
    await read_until(setup, ERROR)

    async def counted() -> bool:
        counts = await setup.side(Side.CANDIDATE, Origin.LIVE)
        return (counts.requests, counts.client_aborts, dict(counts.error_kinds)) == (1, 0, {"error_event": 1})

    await eventually(counted)


async def test_streams_that_extproc_ends_early_disturb_no_client(setup: RunningCapture) -> None:
    """extproc ends each stream to Envoy before the answer's connection ends: all clients get all bytes."""
    setup.cloud.late_end = 0.05
    expected = b"".join(setup.cloud.events())

    async def ask(times: int) -> None:
        for _ in range(times):
            async with setup.post(stream=True) as response:
                assert (response.status, await response.read()) == (200, expected)

    await asyncio.gather(*(ask(20) for _ in range(10)))
    counts = await setup.counted(Side.BASELINE, Origin.LIVE, 200)
    assert (counts.requests, counts.errors, counts.client_aborts) == (200, 0, 0)
    await setup.covered(captured=200)
