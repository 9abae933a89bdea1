"""Tests of the EnvoyFilters, applied to configuration that Istio pushes, in a real Envoy."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from glidepath import envoy_names, runtime_keys
from tests.support.envoy_with_backends import BODY
from tests.support.meshes.constant_rtds_server import rtds_server, served_by
from tests.support.meshes.mesh_with_backends import mesh_with_backends
from tests.support.waiting import eventually

HOST = {"host": "llm.models.svc.cluster.local"}


@pytest.mark.parametrize("context", ["gateway", "sidecar"])
async def test_calls_are_split_by_runtime_keys_captured_and_logged(tmp_path: Path, context: str) -> None:
    async with mesh_with_backends(tmp_path, context) as mesh:
        setup = mesh.setup
        reply = await setup.post(headers={**HOST, "authorization": "Bearer client"})
        assert json.loads(reply.body)["model"] == "cloud"
        setup.set_share(100)
        reply = await setup.post(headers={**HOST, "authorization": "Bearer client"})
        assert json.loads(reply.body)["model"] == "onprem"
        assert "authorization" not in setup.onprem.last.headers
        assert setup.onprem.last.model == "onprem-model"
        assert setup.cloud.last.headers["authorization"] == "Bearer client"
        assert not [name for name in setup.onprem.last.headers if name.startswith("x-glidepath")]
        log = setup.collector.entries
        await eventually(lambda: len(log.get(envoy_names.LIVE_LOG, [])) == 2)
        names = {entry.common_properties.route_name for entry in log[envoy_names.LIVE_LOG]}
        assert names == {"glidepath/chat/captured"}
        clusters = {entry.common_properties.upstream_cluster for entry in log[envoy_names.LIVE_LOG]}
        assert clusters == {"cloud", "onprem"}
        await eventually(lambda: len(setup.collector.streams) == 2)
        first = setup.collector.streams[-1][0]
        (attributes,) = first.attributes.values()
        assert attributes.fields["xds.cluster_name"].string_value == "onprem-or-cloud"
        assert "authorization" not in {header.key for header in first.request_headers.headers.headers}


@pytest.mark.parametrize(("context", "host"), [("gateway", "shop.example.com"), ("sidecar", "other.models")])
async def test_the_users_other_routes_answer_as_before(tmp_path: Path, context: str, host: str) -> None:
    async with mesh_with_backends(tmp_path, context) as mesh:
        setup = mesh.setup
        path = "/v1/chat/completions" if context == "sidecar" else "/cart"
        body = b'{"model": "mine"}'
        reply = await setup.post(body, {"host": host, "authorization": "Bearer mine"}, path=path)
        assert reply.status == 200
        assert (mesh.service.last.body, mesh.service.last.headers["authorization"]) == (body, "Bearer mine")
        await eventually(lambda: bool(setup.collector.entries.get(envoy_names.LIVE_LOG)))
        assert setup.collector.streams == []
        assert setup.cloud.received == setup.onprem.received == []


async def test_a_failing_candidate_is_rescued_and_capture_is_a_runtime_key(tmp_path: Path) -> None:
    async with mesh_with_backends(tmp_path, "gateway", chat={"shadow": {"sample": 0}}) as mesh:
        setup = mesh.setup
        setup.set_share(100)
        setup.onprem.behaviour = "status"
        replies = await asyncio.gather(*(setup.post() for _ in range(20)))
        assert {json.loads(reply.body)["model"] for reply in replies} == {"cloud"}
        assert setup.collector.streams == []
        setup.envoy.modify({runtime_keys.shadow_key("chat"): 100})
        await setup.post()
        await eventually(lambda: len(setup.collector.streams) == 1)


@pytest.mark.parametrize("context", ["gateway", "sidecar"])
async def test_a_silent_candidate_is_rescued_at_its_time_limit(tmp_path: Path, context: str) -> None:
    async with mesh_with_backends(tmp_path, context, onprem={"first_byte_timeout": 0.3}) as mesh:
        mesh.setup.set_share(100)
        mesh.setup.onprem.behaviour = "hang"
        reply = await mesh.setup.post(headers=HOST)
        assert json.loads(reply.body)["model"] == "cloud"
        assert 0.25 < reply.seconds < 5
        assert mesh.setup.cloud.last.model == "cloud-model"


async def test_copies_reach_their_backend_through_the_added_listener(tmp_path: Path) -> None:
    async with mesh_with_backends(tmp_path, "gateway") as mesh:
        reply = await mesh.setup.tee("onprem")
        assert json.loads(reply.body)["model"] == "onprem"
        log = mesh.setup.collector.entries
        await eventually(lambda: bool(log.get(envoy_names.SHADOW_LOG)))
        assert log[envoy_names.SHADOW_LOG][0].common_properties.custom_tags[envoy_names.HEADER_TARGET] == "onprem"


async def test_calls_with_the_same_request_id_get_different_ids(tmp_path: Path) -> None:
    async with mesh_with_backends(tmp_path, "sidecar") as mesh:
        setup = mesh.setup
        for _ in range(2):
            await setup.post(BODY, {**HOST, "x-request-id": "one-for-all"})
        log = setup.collector.entries
        await eventually(lambda: len(log.get(envoy_names.LIVE_LOG, [])) == 2)
        logged = [entry.request.request_id for entry in log[envoy_names.LIVE_LOG]]
        await eventually(lambda: len(setup.collector.streams) == 2)
        seen = [
            header.raw_value.decode()
            for stream in setup.collector.streams
            for header in stream[0].request_headers.headers.headers
            if header.key == "x-request-id"
        ]
        assert len(set(logged)) == 2
        assert sorted(logged) == sorted(seen)
        assert sorted(got.headers["x-request-id"] for got in setup.cloud.received) == sorted(logged)


async def test_the_scorer_steers_by_rtds_and_overrides_istios_admin_layer(tmp_path: Path) -> None:
    layer = {"glidepath.chat.weight.onprem-or-cloud": 10000, "glidepath.chat.weight.cloud": 0}
    async with rtds_server(layer) as where, mesh_with_backends(tmp_path, "gateway", rtds=where) as mesh:
        assert await served_by(mesh.setup, "onprem")
        mesh.setup.set_share(0)
        assert json.loads((await mesh.setup.post()).body)["model"] == "onprem"
