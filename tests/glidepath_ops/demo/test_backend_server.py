"""Tests of the demo's backend: its API, its faults, and the clients against it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from glidepath.clock import unix_ms
from glidepath.failed_answers import failed_answer
from glidepath.sides import Side
from glidepath_ops.demo.answer_sources import LlamaCpp, Pace, WrittenTexts
from glidepath_ops.demo.backend_server import BackendServer
from glidepath_ops.demo.client_load import Clients, Profile
from glidepath_ops.demo.injected_faults import REFUSALS, SLOW_FACTOR, InjectedFault
from glidepath_ops.demo.openai_api import read_json, read_stream
from glidepath_ops.demo.written_answers import texts

PATH = "/v1/chat/completions"
GOOD = (texts()[0].first, texts()[0].second)
PACE = Pace(first=0.01, chunk=0.001, sigma=0.01)


def backend(seed: int = 1) -> BackendServer:
    rng = random.Random(seed)
    return BackendServer("small", WrittenTexts(Side.CANDIDATE, "small", PACE, rng), rng)


@pytest.fixture
async def client() -> AsyncIterator[TestClient]:
    async with TestClient(TestServer(backend().app())) as client:
        yield client


def body(stream: bool = False) -> dict[str, object]:
    return {"model": "any", "messages": [{"role": "user", "content": texts()[0].prompt}], "stream": stream}


async def test_the_backend_answers_as_json_and_as_a_stream(client: TestClient) -> None:
    whole = read_json(await (await client.post(PATH, json=body())).read())
    streamed = read_stream(await (await client.post(PATH, json=body(stream=True))).read())
    assert whole.text in GOOD
    assert streamed.text in GOOD
    assert whole.model == streamed.model == "small"


async def test_an_unreadable_request_is_a_400(client: TestClient) -> None:
    response = await client.post(PATH, data=b"nonsense")
    assert response.status == 400
    assert (await response.json())["error"]["type"] == "invalid_request_error"


async def test_errors_are_503s_and_resets_and_the_time_of_the_first_is_recorded(client: TestClient) -> None:
    before = unix_ms()
    await client.put("/control/fault", json={"fault": "errors"})
    seen: list[int | str] = []
    for _ in range(20):
        try:
            seen.append((await client.post(PATH, json=body())).status)
        except aiohttp.ClientError:
            seen.append("reset")
    assert set(seen) == {503, "reset"}
    state = await (await client.get("/control/state")).json()
    assert before <= state["first_bad_ms"] <= unix_ms()
    assert state["bad"] == 20


@pytest.mark.slow
async def test_a_quality_fault_gives_well_formed_bad_answers(client: TestClient) -> None:
    await client.put("/control/fault", json={"fault": "quality"})
    reads = [read_json(await (await client.post(PATH, json=body())).read()) for _ in range(20)]
    assert not any(read.problem for read in reads)
    assert not any(read.text in GOOD for read in reads)
    assert any(read.text in REFUSALS for read in reads)


async def test_a_fault_can_have_a_share_of_the_answers(client: TestClient) -> None:
    await client.put("/control/fault", json={"fault": "errors", "share": 0.25})
    seen = []
    for _ in range(60):
        try:
            seen.append((await client.post(PATH, json=body())).status)
        except aiohttp.ClientError:
            seen.append(0)
    state = await (await client.get("/control/state")).json()
    assert 0 < state["bad"] == sum(status != 200 for status in seen) < 30


@pytest.mark.parametrize("share", [0, -1, 1.5, "x", None, []])
async def test_a_wrong_share_is_refused(client: TestClient, share: object) -> None:
    response = await client.put("/control/fault", json={"fault": "errors", "share": share})
    assert response.status == 400
    assert "at most 1" in (await response.json())["error"]["message"]


async def test_a_removed_fault_no_longer_acts(client: TestClient) -> None:
    await client.put("/control/fault", json={"fault": "errors"})
    await client.put("/control/fault", json={"fault": "none"})
    assert (await client.post(PATH, json=body())).status == 200
    assert (await (await client.get("/control/state")).json())["first_bad_ms"] == 0


async def test_an_unknown_fault_is_refused_with_the_allowed_values(client: TestClient) -> None:
    response = await client.put("/control/fault", json={"fault": "behaviour"})
    assert response.status == 400
    assert "none, errors, latency, quality" in (await response.json())["error"]["message"]


def test_a_slow_backend_takes_three_times_as_long() -> None:
    normal = PACE.times(10, random.Random(5))
    slow = PACE.times(10, random.Random(5), SLOW_FACTOR)
    assert [b / a for a, b in zip(normal, slow, strict=True)] == pytest.approx([3.0] * 10)


@pytest.mark.slow
async def test_a_forwarded_answer_keeps_its_bytes() -> None:
    upstream = backend()
    async with TestServer(upstream.app()) as llama, aiohttp.ClientSession() as session:
        rng = random.Random(1)
        written = WrittenTexts(Side.CANDIDATE, "small", PACE, rng)
        passing = BackendServer("small", LlamaCpp(str(llama.make_url("")).rstrip("/"), session, written), rng)
        async with TestClient(TestServer(passing.app())) as client:
            read = read_stream(await (await client.post(PATH, json=body(stream=True))).read())
            assert read.text in GOOD
            await client.put("/control/fault", json={"fault": "latency"})
            assert (await client.post(PATH, json=body())).status == 200
            assert (await (await client.get("/control/state")).json())["bad"] == 1


@pytest.mark.parametrize(("own", "sent"), [(None, 0), (0.15, 0.15)])
async def test_a_source_with_a_temperature_of_its_own_replaces_only_that_of_the_request(
    own: float | None, sent: float
) -> None:
    seen: list[dict[str, object]] = []

    async def record(request: web.Request) -> web.Response:
        seen.append(await request.json())
        return web.json_response({})

    llama = web.Application()
    llama.router.add_post(PATH, record)
    async with TestServer(llama) as upstream, aiohttp.ClientSession() as session:
        rng = random.Random(1)
        url = str(upstream.make_url("")).rstrip("/")
        source = LlamaCpp(url, session, WrittenTexts(Side.CANDIDATE, "small", PACE, rng), own)
        given = {**body(), "temperature": 0}
        async with TestClient(TestServer(BackendServer("small", source, rng).app())) as client:
            await client.post(PATH, json=given)
    assert seen == [{**given, "temperature": sent}]


async def run_clients(server: TestServer, profile: Profile, until: int) -> Clients:
    clients, stop = Clients(str(server.make_url("")).rstrip("/"), profile, random.Random(2)), asyncio.Event()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(clients.run(stop))
        while True:
            if clients.stats.requests + clients.stats.skipped >= until:
                break
            await asyncio.sleep(0.01)
        stop.set()
    return clients


async def test_clients_send_plain_and_streaming_requests_and_check_every_answer() -> None:
    async with TestServer(backend().app()) as server:
        profile = Profile(rate=200, prompts=[text.prompt for text in texts()])
        stats = (await run_clients(server, profile, until=40)).stats
    assert stats.answered == stats.requests >= 40
    assert stats.errors == 0
    assert stats.models == {"small": stats.requests}
    assert stats.p50_ms() is not None


async def test_clients_count_failures_by_kind() -> None:
    one = backend()
    one.state.fault = InjectedFault.ERRORS
    async with TestServer(one.app()) as server:
        stats = (await run_clients(server, Profile(rate=200, prompts=["Why?"]), until=30)).stats
    assert stats.errors == stats.requests
    assert set(stats.error_kinds) == {"status 503", "ServerDisconnectedError"}


async def test_clients_skip_requests_above_the_limit_in_flight() -> None:
    async with TestServer(backend().app()) as server:
        stats = (await run_clients(server, Profile(rate=500, prompts=["Why?"], max_in_flight=1), until=60)).stats
    assert stats.skipped > 0
    assert stats.errors == 0


@pytest.mark.parametrize("stream", [False, True])
async def test_broken_bodies_have_status_200_and_no_client_can_use_them(client: TestClient, stream: bool) -> None:
    await client.put("/control/fault", json={"fault": "body"})
    kinds = set()
    for _ in range(30):
        response = await client.post(PATH, json=body(stream=stream))
        data = await response.read()
        assert response.status == 200
        assert (read_stream if stream else read_json)(data).problem
        fault = failed_answer(200, response.headers["content-type"], data)
        assert fault is not None
        kinds.add(fault.kind.value)
    streamed, whole = {"error_event", "unfinished_stream", "no_answer"}, {"web_page", "error_body", "empty_body"}
    assert kinds == (streamed if stream else whole)
    assert (await (await client.get("/control/state")).json())["bad"] == 30
