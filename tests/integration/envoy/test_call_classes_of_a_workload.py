"""Tests of calls that are not inference, in a real Envoy: WebSocket, management, state."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import WSServerHandshakeError

from tests.support.envoy_with_backends import PATH, EnvoySetup, envoy_with_backends

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOTH = {"baseline": "cloud", "candidate": "onprem"}
WORKLOADS: dict[str, Any] = {
    "responses": {"match": {"path": "/v1/responses"}, **BOTH},
    "ollama": {"match": {"path_prefix": "/api"}, **BOTH},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EnvoySetup]:
    folder = tmp_path_factory.mktemp("setup")
    async with envoy_with_backends(folder, workloads=WORKLOADS, envoy={"default_backend": "cloud"}) as setup:
        for workload in ("chat", *WORKLOADS):
            setup.set_share(100, workload)
        yield setup


@pytest_asyncio.fixture(loop_scope="module")
async def setup(shared: EnvoySetup) -> EnvoySetup:
    shared.clear_received()
    return shared


async def send(setup: EnvoySetup, method: str, path: str, body: bytes = b"") -> int:
    headers = {"content-type": "application/json"}
    async with setup.session.request(method, setup.envoy.live + path, data=body or None, headers=headers) as reply:
        await reply.read()
        return reply.status


@pytest.mark.parametrize("path", ["/v1/realtime?model=x", "/v1/responses", PATH, "/api/chat"])
async def test_a_websocket_is_passed_through_to_the_baseline(setup: EnvoySetup, path: str) -> None:
    async with setup.session.ws_connect(setup.envoy.live + path) as socket:
        await socket.send_str("hello")
        assert await socket.receive_str(timeout=60) == "cloud: hello"
    assert setup.onprem.received == []


async def test_the_listener_for_copies_opens_no_websocket(setup: EnvoySetup) -> None:
    with pytest.raises(WSServerHandshakeError):
        await setup.session.ws_connect(setup.envoy.shadow + PATH)
    assert setup.cloud.received == setup.onprem.received == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/api/delete"),
        ("POST", "/api/pull"),
        ("POST", "/api/create"),
        ("GET", "/api/tags"),
        ("POST", "/v1/files"),
        ("POST", "/v1/batches"),
        ("DELETE", "/v1/models/m"),
        ("POST", "/v1/responses/r1/cancel"),
        ("POST", "/v1/messages/batches"),
        ("POST", "/v1/messages/count_tokens"),
    ],
)
async def test_other_calls_than_inference_reach_the_baseline_as_they_were_sent(
    setup: EnvoySetup, method: str, path: str
) -> None:
    body = b'{"model": "old-experiment", "n": 1}'
    assert await send(setup, method, path, body) == 200
    assert setup.onprem.received == []
    (received,) = setup.cloud.received
    assert (received.method, received.path, received.body) == (method, path, body)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_request_for_a_stored_response_goes_to_the_baseline(setup: EnvoySetup, method: str) -> None:
    assert await send(setup, method, "/v1/responses/resp_1") == 200
    assert [one.path for one in setup.cloud.received] == ["/v1/responses/resp_1"]
    assert setup.onprem.received == []


@pytest.mark.parametrize("path", [PATH, "/api/chat", "/api/generate?x=1"])
async def test_inference_is_split_and_renamed(setup: EnvoySetup, path: str) -> None:
    assert await send(setup, "POST", path, b'{"model": "m"}') == 200
    assert [one.model for one in setup.onprem.received] == ["onprem-model"]


async def test_inference_without_a_workload_gets_the_model_of_the_default_backend(setup: EnvoySetup) -> None:
    assert await send(setup, "POST", "/v1/embeddings", b'{"model": "m"}') == 200
    assert [one.model for one in setup.cloud.received] == ["cloud-model"]
