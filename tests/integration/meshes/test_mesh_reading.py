"""Envoy reads requests before it splits them, on routes of Istio and of Envoy Gateway too.

``make test-mesh`` tests the same on the real control planes.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from glidepath import envoy_names, runtime_keys
from glidepath_ops.local.child_process import free_ports
from scorer.steering.envoy.rtds_leases import LeaseService
from scorer.steering.envoy.rtds_server import RtdsServer
from tests.support.envoy_with_backends import PATH, EnvoySetup
from tests.support.meshes.gateway_with_backends import BASELINE, gateway_with_backends
from tests.support.meshes.istio_with_backends import CLUSTER, LLM, istio_with_backends
from tests.support.waiting import eventually

MESHES = ("istio gateway", "istio sidecar", "envoy gateway", "new route")
PREFIX = {"match": {"path_prefix": "/v1"}, "sticky": None}
meshes = pytest.mark.parametrize("mesh", MESHES)
one_of_each = pytest.mark.parametrize("mesh", ["istio gateway", "envoy gateway"])


class Client:
    """Sends requests through a mesh's Envoy, and returns the backend that served each of them."""

    def __init__(self, mesh: str, setup: EnvoySetup, baseline: str) -> None:
        self.setup = setup
        self.headers = {"host": LLM} if mesh.startswith("istio") else {"x-team": "search"}
        self._baseline = {"envoy gateway": baseline, "new route": "cloud"}.get(mesh, CLUSTER)

    def share(self, percent: float) -> None:
        points = round(percent * 100)
        weights = {"onprem-or-cloud": points, self._baseline: 10_000 - points}
        self.setup.envoy.modify({runtime_keys.weight_key("chat", name): one for name, one in weights.items()})

    async def served(self, body: Any, path: str = PATH, **headers: str) -> str:
        reply = await self.setup.post(body, {**self.headers, **headers}, path=path)
        assert reply.status == 200, reply.body
        return str(json.loads(reply.body)["model"])


@asynccontextmanager
async def client(
    mesh: str, folder: Path, chat: Mapping[str, Any] = PREFIX, baseline: str = BASELINE, **settings: Any
) -> AsyncIterator[Client]:
    """Run a mesh's Envoy. ``baseline``: on Envoy Gateway, the cluster of the rule that gets the split."""
    running: AbstractAsyncContextManager[Any]
    if mesh.startswith("istio"):
        context = "gateway" if mesh.endswith("gateway") else "sidecar"
        running = istio_with_backends(folder, context, chat=chat, **settings)  # type: ignore[arg-type]
    else:
        running = gateway_with_backends(folder, new_route=mesh == "new route", chat=chat, baseline=baseline, **settings)
    async with running as found:
        yield Client(mesh, found.setup, baseline)


def conversation(number: int, turns: int = 1) -> dict[str, Any]:
    said = [{"role": "user", "content": f"question {number}"}]
    said += [{"role": "assistant", "content": "answer"}, {"role": "user", "content": "and now?"}] * (turns - 1)
    return {"model": "m", "messages": said}


@meshes
async def test_a_conversation_stays_on_its_side_without_any_header(tmp_path: Path, mesh: str) -> None:
    async with client(mesh, tmp_path) as one:
        one.share(50)
        first = [await one.served(conversation(number)) for number in range(40)]
        assert 5 <= Counter(first)["onprem"] <= 35
        assert [await one.served(conversation(number, 3)) for number in range(40)] == first
        received = [*one.setup.cloud.received, *one.setup.onprem.received]
        assert [name for got in received for name in got.headers if name.startswith("x-glidepath-conv")] == []


@meshes
async def test_what_needs_or_makes_state_stays_at_the_baseline(tmp_path: Path, mesh: str) -> None:
    async with client(mesh, tmp_path) as one:
        one.share(100)
        path, plain = "/v1/responses", {"model": "m", "input": "hello"}
        assert await one.served({**plain, "store": False}, path) == "onprem"
        assert await one.served({**plain, "previous_response_id": "r", "store": False}, path) == "cloud"
        assert await one.served(plain, path) == "cloud"
        log = one.setup.collector.entries
        await eventually(lambda: len(log.get(envoy_names.LIVE_LOG, [])) == 3)
        tags = [entry.common_properties.custom_tags for entry in log[envoy_names.LIVE_LOG]]
        pinned = [(tag.get(envoy_names.PINNED_TAG), tag.get(envoy_names.PINNED_WHY_TAG)) for tag in tags]
        assert Counter(why for workload, why in pinned if workload == "chat") == {"previous_response_id": 1, "store": 1}


@meshes
@pytest.mark.parametrize("chat", [PREFIX, {**PREFIX, "stateless": True, "sticky": {"random": True}}])
async def test_below_a_prefix_only_inference_calls_are_split(
    tmp_path: Path, mesh: str, chat: Mapping[str, Any]
) -> None:
    async with client(mesh, tmp_path, chat) as one:
        one.share(100)
        assert await one.served(conversation(1)) == "onprem"
        for path in ("/v1/files", "/v1/batches", "/v1/threads/t/runs", "/v1/models/m"):
            assert await one.served({"model": "m"}, path) == "cloud", path
        assert one.setup.cloud.last.path == "/v1/models/m"


@one_of_each
async def test_bodies_that_cannot_be_read_stay_at_the_baseline_as_they_were_sent(tmp_path: Path, mesh: str) -> None:
    async with client(mesh, tmp_path) as one:
        one.share(100)
        body = json.dumps(conversation(1)).encode("utf-16")
        assert await one.served(body) == "cloud"
        assert one.setup.cloud.last.body == body


@one_of_each
async def test_only_the_model_of_the_workload_is_split(tmp_path: Path, mesh: str) -> None:
    chat = {"match": {"path": PATH, "model": "small"}, "sticky": {"random": True}}
    async with client(mesh, tmp_path, chat) as one:
        one.share(100)
        body = {**conversation(1), "model": "small"}
        assert await one.served(body) == "onprem"
        assert await one.served({**body, "model": "large"}) == "cloud"
        assert await one.served({**body, "model": "large"}) == "cloud"


@meshes
async def test_requests_that_the_candidate_declares_too_long_stay_at_the_baseline(tmp_path: Path, mesh: str) -> None:
    onprem = {"max_body": "2KiB"}
    behind = BASELINE.replace("/rule/2/", "/rule/3/")  # the rule for such requests comes before that of the split
    async with client(mesh, tmp_path, onprem=onprem, baseline=behind) as one:
        one.share(100)
        assert await one.served(conversation(1)) == "onprem"
        assert await one.served(conversation(1, turns=200)) == "cloud"


@one_of_each
async def test_a_client_cannot_choose_its_side_by_a_header(tmp_path: Path, mesh: str) -> None:
    async with client(mesh, tmp_path) as one:
        one.share(50)
        forged = [
            await one.served(conversation(1), **{"x-glidepath-conversation": str(number)}) for number in range(20)
        ]
        assert len(set(forged)) == 1


@pytest.mark.parametrize("mesh", ["istio gateway", "istio sidecar", "envoy gateway"])
async def test_without_a_lease_nothing_is_read_and_the_users_own_route_serves(tmp_path: Path, mesh: str) -> None:
    listen = f"127.0.0.1:{free_ports(1)[0]}"
    async with client(mesh, tmp_path, {**PREFIX, "if_lost": "baseline"}, rtds=listen) as one:
        one.share(100)
        assert await one.served(conversation(1)) == "cloud"
        log = one.setup.collector.entries
        await eventually(lambda: len(log.get(envoy_names.LIVE_LOG, [])) == 1)
        assert "glidepath" not in log[envoy_names.LIVE_LOG][0].common_properties.route_name
        leases = LeaseService(one.setup.envoy.config, lambda: True)
        serving = asyncio.create_task(RtdsServer(listen, lambda: True, [leases]).run())
        try:
            await eventually(lambda: is_served_by(one, "onprem"))
        finally:
            serving.cancel()
            await asyncio.wait({serving})


async def is_served_by(one: Client, backend: str) -> bool:
    return await one.served(conversation(1)) == backend
