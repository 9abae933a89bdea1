"""Pairs and outcomes of requests through a real Envoy and extproc, which does not affect the clients."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from glidepath.sides import Origin, Side
from tests.support.planted_secrets import SECRET
from tests.support.running_capture import (
    CHAT,
    QUESTION,
    Processes,
    RunningCapture,
    connected,
    running_processes,
)
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with running_processes(tmp_path_factory.mktemp("extproc")) as made:
        yield made


@pytest.fixture
async def setup(processes: Processes) -> AsyncIterator[RunningCapture]:
    async with connected(processes) as made:
        yield made


async def test_a_request_becomes_a_pair_with_both_bodies_and_latencies_and_without_secrets(
    setup: RunningCapture,
) -> None:
    body = await setup.ask()
    await setup.covered(captured=1, paired=1)
    (pair,) = await setup.stored(1)
    assert (pair.first.side, pair.first.backend, pair.first.body) == (Side.BASELINE, "cloud", body)
    assert (pair.second.side, pair.second.backend) == (Side.CANDIDATE, "onprem")
    assert json.loads(pair.second.body) == setup.onprem.answer()
    assert json.loads(pair.request_body) == QUESTION
    assert (pair.method, pair.path, pair.request_content_type) == ("POST", f"{CHAT}?api-version=1", "application/json")
    for answer in (pair.first, pair.second):
        assert 0 < answer.first_byte_ms <= answer.total_ms < 5000
    assert setup.onprem.last.model == "onprem-model"
    baseline = await setup.counted(Side.BASELINE, Origin.LIVE, 1)
    candidate = await setup.counted(Side.CANDIDATE, Origin.SHADOW, 1)
    assert (baseline.errors, baseline.latency_ms.total, baseline.headers_ms.total) == (0, 1, 1)
    assert (candidate.errors, candidate.latency_ms.total) == (0, 1)
    async for key in setup.redis.scan_iter():
        if await setup.redis.type(key) == b"stream":
            assert SECRET.encode() not in b"".join(v for _, e in await setup.redis.xrange(key) for v in e.values())
    assert SECRET not in repr(pair)
    assert SECRET not in repr(setup.onprem.last)


async def test_a_stream_arrives_whole_on_both_sides(setup: RunningCapture) -> None:
    setup.cloud.behaviour = setup.onprem.behaviour = "sse"
    body = await setup.ask()
    await setup.covered(paired=1)
    (pair,) = await setup.stored(1)
    assert pair.first.body == body == b"".join(setup.cloud.events())
    assert pair.second.body == b"".join(setup.onprem.events())
    assert pair.first.content_type == "text/event-stream"


async def test_a_copy_ends_when_its_answer_exceeds_the_bound(setup: RunningCapture) -> None:
    setup.onprem.behaviour = "flood"  # type: ignore[assignment]
    await setup.ask()
    await setup.covered(captured=1, cut=1)
    await eventually(lambda: setup.onprem.floods_ended == 1)  # it would go on for as long as it is read
    assert (await setup.counted(Side.CANDIDATE, Origin.SHADOW, 0, aborts=1)).errors == 0
    assert await setup.pairs() == []


async def test_a_live_answer_beyond_the_bound_is_no_longer_copied_and_its_client_gets_all_of_it(
    setup: RunningCapture,
) -> None:
    setup.cloud.behaviour = "flood"  # type: ignore[assignment]
    bound, received = setup.processes.config.extproc.max_body, 0
    async with setup.post() as response:
        while not (await setup.coverage())["cut"]:
            received += len(await response.content.readexactly(65_536))
        for _ in range(2 * bound // 65_536):  # the answer goes on after the end of the capture
            received += len(await response.content.readexactly(65_536))
        assert response.status == 200
        assert received > 2 * bound
        assert setup.cloud.floods_ended == 0
    await eventually(lambda: setup.cloud.floods_ended == 1)
    assert await setup.pairs() == []


async def test_compressed_answers_are_kept_decoded(setup: RunningCapture) -> None:
    setup.cloud.behaviour = setup.onprem.behaviour = "gzip"  # type: ignore[assignment]
    await setup.ask()
    await setup.covered(paired=1)
    (pair,) = await setup.stored(1)
    assert json.loads(pair.first.body) == setup.cloud.answer()
    assert json.loads(pair.second.body) == setup.onprem.answer()


async def test_a_request_that_the_candidate_served_is_copied_to_the_baseline(setup: RunningCapture) -> None:
    setup.processes.candidate_percent(100)
    body = await setup.ask()
    await setup.covered(paired=1)
    (pair,) = await setup.stored(1)
    assert (pair.first.side, pair.first.body, pair.second.side) == (Side.CANDIDATE, body, Side.BASELINE)
    assert pair.candidate is pair.first
    live = await setup.counted(Side.CANDIDATE, Origin.LIVE, 1)
    assert (live.errors, live.failovers) == (0, 0)


async def test_a_failover_is_the_candidates_error_and_makes_no_pair(setup: RunningCapture) -> None:
    setup.processes.candidate_percent(100)
    setup.onprem.behaviour = "status"
    assert json.loads(await setup.ask()) == setup.cloud.answer()
    candidate = await setup.counted(Side.CANDIDATE, Origin.LIVE, 1)
    assert (candidate.errors, candidate.failovers, candidate.error_kinds) == (1, 1, {"failover": 1})
    assert (candidate.rescued, candidate.rescues_failed) == (1, 0)
    assert abs(candidate.first_error_ms - time.time() * 1000) < 60_000
    await setup.covered(captured=1, not_comparable=1)
    assert await setup.pairs() == []


async def test_a_request_that_neither_side_answers_is_counted_as_a_failed_rescue(setup: RunningCapture) -> None:
    setup.processes.candidate_percent(100)
    setup.onprem.behaviour = setup.cloud.behaviour = "status"
    async with setup.post() as response:
        assert response.status == 503
    candidate = await setup.counted(Side.CANDIDATE, Origin.LIVE, 1)
    assert (candidate.errors, candidate.failovers, candidate.error_kinds) == (1, 1, {"failover": 1})
    assert (candidate.rescued, candidate.rescues_failed, candidate.latency_ms.total) == (0, 1, 0)
    assert (await setup.side(Side.BASELINE, Origin.LIVE)).requests == 0
    async with setup.client.get(f"http://{setup.processes.config.extproc.metrics}/metrics") as response:
        assert 'glidepath_extproc_rescues_total{result="failed",workload="chat"}' in await response.text()


async def test_a_failing_copy_is_the_candidates_shadow_error_and_makes_an_uncounted_pair(
    setup: RunningCapture,
) -> None:
    setup.onprem.behaviour = "status"
    await setup.ask()
    shadow = await setup.counted(Side.CANDIDATE, Origin.SHADOW, 1)
    assert (shadow.errors, shadow.error_kinds) == (1, {"http_503": 1})
    await setup.covered(captured=1, tee_failed=1)

    async def written() -> bool:
        return [(pair.second.status, pair.second.side) for pair in await setup.pairs()] == [(503, Side.CANDIDATE)]

    await eventually(written)
    assert (await setup.coverage())["paired"] == 0


async def test_a_request_that_only_the_candidate_refuses_is_its_error(setup: RunningCapture) -> None:
    setup.onprem.behaviour, setup.onprem.status = "status", 404
    await setup.ask()

    async def rejection_counted() -> bool:
        return (await setup.side(Side.CANDIDATE, Origin.SHADOW)).error_kinds == {"capability": 1}

    await eventually(rejection_counted)
    await setup.covered(paired=1)


@pytest.mark.parametrize(
    "kind", ["error_event", "unfinished_stream", "error_body", "web_page", "empty_body", "redirect", "no_answer"]
)
@pytest.mark.parametrize(("percent", "origin"), [(0, Origin.SHADOW), (100, Origin.LIVE)])
async def test_an_answer_that_breaks_in_the_body_is_one_error_of_its_side(
    setup: RunningCapture, kind: str, percent: int, origin: Origin
) -> None:
    setup.processes.candidate_percent(percent)
    setup.onprem.behaviour, setup.onprem.broken_by = "broken", kind  # type: ignore[assignment]
    for _ in range(3):
        async with setup.post(allow_redirects=False) as response:
            await response.read()
    await setup.counted(Side.CANDIDATE, origin, 3)
    setup.onprem.behaviour = "json"

    async def all_counted() -> bool:
        if (await setup.side(Side.CANDIDATE, origin)).error_kinds == {kind: 3}:
            return True
        await setup.ask()  # an error that is found after its request was counted is counted with the next request
        return False

    await eventually(all_counted)
    assert (await setup.side(Side.CANDIDATE, origin)).errors == 3
    other = Origin.LIVE if origin is Origin.SHADOW else Origin.SHADOW
    assert (await setup.side(Side.BASELINE, other)).errors == 0


async def test_a_client_that_disconnects_is_no_error_of_a_side(setup: RunningCapture) -> None:
    setup.cloud.behaviour = setup.onprem.behaviour = "endless"  # type: ignore[assignment]
    async with setup.post() as response:
        await response.content.readany()
        response.close()
    baseline = await setup.counted(Side.BASELINE, Origin.LIVE, 0, aborts=1)
    assert (baseline.requests, baseline.errors, baseline.client_aborts) == (0, 0, 1)
    await setup.covered(captured=1, aborted=1)
    assert await setup.pairs() == []


async def test_an_upstream_that_ends_during_its_answer_is_its_sides_error(setup: RunningCapture) -> None:
    setup.cloud.behaviour = "die_in_stream"
    with pytest.raises(aiohttp.ClientError):
        async with setup.post() as response:
            await response.read()
    baseline = await setup.counted(Side.BASELINE, Origin.LIVE, 1)
    assert (baseline.errors, baseline.error_kinds, baseline.client_aborts) == (1, {"upstream_died": 1}, 0)
    await setup.covered(captured=1, aborted=1)
    assert await setup.pairs() == []


async def test_bodies_of_megabytes_are_captured_whole(setup: RunningCapture) -> None:
    async with setup.post(padding="x" * 3 * 2**20) as response:
        assert response.status == 200
        await response.read()
    await setup.covered(paired=1)
    (pair,) = await setup.stored(1)
    assert (len(pair.request_body) > 3 * 2**20, pair.request_cut) == (True, False)


async def test_a_frozen_extproc_does_not_affect_clients_and_catches_up(setup: RunningCapture) -> None:
    await setup.ask()
    setup.processes.extproc.signal(signal.SIGSTOP)
    try:
        times = []
        for _ in range(30):
            started = time.monotonic()
            await setup.ask()
            times.append(time.monotonic() - started)
    finally:
        setup.processes.extproc.signal(signal.SIGCONT)
    assert sorted(times)[len(times) // 2] < 1  # who waits for a frozen process waits until it is killed
    await setup.covered(captured=2)


async def test_a_killed_extproc_does_not_affect_clients_and_its_successor_continues(setup: RunningCapture) -> None:
    await setup.ask()
    setup.processes.extproc.kill()
    for _ in range(10):
        await setup.ask()
    setup.processes.start_extproc()
    before = (await setup.coverage())["paired"]

    async def captured_again() -> bool:
        await setup.ask()
        return (await setup.coverage())["paired"] > before

    await eventually(captured_again)
