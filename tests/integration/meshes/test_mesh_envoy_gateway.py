"""Tests of the resources for Envoy Gateway, applied to its generated configuration, in a real Envoy."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from extproc.ext_proc_messages import read
from glidepath import envoy_names, runtime_keys
from tests.support.meshes.constant_rtds_server import rtds_server, served_by
from tests.support.meshes.mesh_with_backends import mesh_with_backends
from tests.support.waiting import eventually

TEAM = {"x-team": "search"}  # the policy on the Gateway requires this header


@pytest.mark.parametrize("capture", ["patch", "policy"])
async def test_calls_are_split_by_runtime_keys_captured_and_logged(tmp_path: Path, capture: str) -> None:
    async with mesh_with_backends(tmp_path, capture) as mesh:
        setup = mesh.setup
        forged = {**TEAM, "authorization": "Bearer client", envoy_names.HEADER_CLUSTER: "onprem"}
        reply = await setup.post(headers=forged)
        assert json.loads(reply.body)["model"] == "cloud"
        setup.set_share(100)
        reply = await setup.post(headers={**forged, envoy_names.HEADER_CLUSTER: "cloud"})
        assert json.loads(reply.body)["model"] == "onprem"
        assert "authorization" not in setup.onprem.last.headers
        assert setup.onprem.last.model == "onprem-model"
        assert not [n for n in [*setup.onprem.last.headers, *setup.cloud.last.headers] if n.startswith("x-glidepath")]
        log = setup.collector.entries
        await eventually(lambda: len(log.get(envoy_names.LIVE_LOG, [])) == 2)
        assert {entry.common_properties.route_name for entry in log[envoy_names.LIVE_LOG]} == {
            "glidepath/chat/captured"
        }
        await eventually(lambda: len(setup.collector.streams) == 2)
        events = [read(stream[0]) for stream in setup.collector.streams]
        assert [event.cluster for event in events] == ["cloud", "onprem-or-cloud"]  # type: ignore[union-attr]
        assert {event.route for event in events} == {"glidepath/chat/captured"}  # type: ignore[union-attr]


@pytest.mark.parametrize("capture", ["patch", "policy"])
async def test_the_users_routes_and_policies_work_as_before(tmp_path: Path, capture: str) -> None:
    async with mesh_with_backends(tmp_path, capture) as mesh:
        setup = mesh.setup
        body = b'{"model": "mine"}'
        reply = await setup.post(body, {**TEAM, "authorization": "Bearer mine"}, path="/cart")
        assert reply.status == 200
        assert (mesh.service.last.body, mesh.service.last.headers["authorization"]) == (body, "Bearer mine")
        await eventually(lambda: bool(setup.collector.entries.get(envoy_names.LIVE_LOG)))
        assert (await setup.post()).status == 403  # also on Glidepath's routes
        assert setup.cloud.received == setup.onprem.received == []


@pytest.mark.parametrize("capture", ["patch", "policy"])
async def test_a_failing_candidate_is_rescued_and_capture_is_a_runtime_key(tmp_path: Path, capture: str) -> None:
    chat = {"shadow": {"sample": 0}}
    async with mesh_with_backends(tmp_path, capture, chat=chat, onprem={"first_byte_timeout": 0.3}) as mesh:
        setup = mesh.setup
        setup.set_share(100)
        for behaviour in ("status", "hang"):
            setup.onprem.behaviour = behaviour  # type: ignore[assignment]
            replies = await asyncio.gather(*(setup.post(headers=TEAM) for _ in range(10)))
            assert {json.loads(reply.body)["model"] for reply in replies} == {"cloud"}
        assert setup.collector.streams == []
        setup.envoy.modify({runtime_keys.shadow_key("chat"): 100})
        await setup.post(headers=TEAM)
        await eventually(lambda: len(setup.collector.streams) == 1)


async def test_the_policys_timeout_ends_no_stream(tmp_path: Path) -> None:
    async with mesh_with_backends(tmp_path, "policy") as mesh:
        setup = mesh.setup
        setup.cloud.behaviour = "slow_stream"
        reply = await setup.post(headers=TEAM)
        assert reply.seconds > 1.1
        await eventually(lambda: any(message.response_body.end_of_stream for message in setup.collector.streams[0]))
        body = b"".join(message.response_body.body for message in setup.collector.streams[0])
        assert body == reply.body


async def test_copies_reach_their_backend_through_the_added_listener(tmp_path: Path) -> None:
    async with mesh_with_backends(tmp_path, "patch") as mesh:
        reply = await mesh.setup.tee("onprem")
        assert json.loads(reply.body)["model"] == "onprem"
        log = mesh.setup.collector.entries
        await eventually(lambda: bool(log.get(envoy_names.SHADOW_LOG)))


async def test_the_scorer_steers_by_rtds_and_a_manual_override_wins(tmp_path: Path) -> None:
    layer = {"glidepath.chat.weight.onprem-or-cloud": 10000, "glidepath.chat.weight.cloud": 0}
    async with rtds_server(layer) as where, mesh_with_backends(tmp_path, "patch", rtds=where) as mesh:
        assert await served_by(mesh.setup, "onprem", TEAM)
        mesh.setup.set_share(0)
        assert json.loads((await mesh.setup.post(headers=TEAM)).body)["model"] == "cloud"
