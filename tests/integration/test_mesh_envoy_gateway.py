"""Our resources for Envoy Gateway, on the configuration that it makes of them, in a real Envoy."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from extproc.ext_proc_messages import read
from glidepath import keys
from tests.support.meshes.rtds import fleet, served_by
from tests.support.meshes.stage import on_mesh
from tests.support.stage import until

TEAM = {"x-team": "search"}  # what the policy on the Gateway asks of everybody


@pytest.mark.parametrize("capture", ["patch", "policy"])
async def test_calls_are_split_by_runtime_keys_captured_and_logged(tmp_path: Path, capture: str) -> None:
    async with on_mesh(tmp_path, capture) as mesh:
        stage = mesh.stage
        forged = {**TEAM, "authorization": "Bearer client", keys.HEADER_CLUSTER: "onprem"}
        reply = await stage.post(headers=forged)
        assert json.loads(reply.body)["model"] == "cloud"
        stage.weigh(100)
        reply = await stage.post(headers={**forged, keys.HEADER_CLUSTER: "cloud"})
        assert json.loads(reply.body)["model"] == "onprem"
        assert "authorization" not in stage.onprem.last.headers
        assert stage.onprem.last.model == "onprem-model"
        assert not [n for n in [*stage.onprem.last.headers, *stage.cloud.last.headers] if n.startswith("x-glidepath")]
        log = stage.collector.entries
        await until(lambda: len(log.get(keys.LIVE_LOG, [])) == 2)
        assert {entry.common_properties.route_name for entry in log[keys.LIVE_LOG]} == {"glidepath/chat/captured"}
        await until(lambda: len(stage.collector.streams) == 2)
        events = [read(stream[0]) for stream in stage.collector.streams]
        assert [event.cluster for event in events] == ["cloud", "onprem-or-cloud"]  # type: ignore[union-attr]
        assert {event.route for event in events} == {"glidepath/chat/captured"}  # type: ignore[union-attr]


@pytest.mark.parametrize("capture", ["patch", "policy"])
async def test_the_users_routes_and_policies_hold_as_before(tmp_path: Path, capture: str) -> None:
    async with on_mesh(tmp_path, capture) as mesh:
        stage = mesh.stage
        body = b'{"model": "mine"}'
        reply = await stage.post(body, {**TEAM, "authorization": "Bearer mine"}, path="/cart")
        assert reply.status == 200
        assert (mesh.service.last.body, mesh.service.last.headers["authorization"]) == (body, "Bearer mine")
        await until(lambda: bool(stage.collector.entries.get(keys.LIVE_LOG)))
        assert (await stage.post()).status == 403  # on our routes as well
        assert stage.cloud.received == stage.onprem.received == []


@pytest.mark.parametrize("capture", ["patch", "policy"])
async def test_a_failing_candidate_is_rescued_and_capture_is_a_runtime_key(tmp_path: Path, capture: str) -> None:
    chat = {"shadow": {"sample": 0}}
    async with on_mesh(tmp_path, capture, chat=chat, onprem={"first_byte_timeout": 0.3}) as mesh:
        stage = mesh.stage
        stage.weigh(100)
        for mood in ("status", "hang"):
            stage.onprem.mood = mood  # type: ignore[assignment]
            replies = await asyncio.gather(*(stage.post(headers=TEAM) for _ in range(10)))
            assert {json.loads(reply.body)["model"] for reply in replies} == {"cloud"}
        assert stage.collector.streams == []
        stage.envoy.modify({keys.shadow_key("chat"): 100})
        await stage.post(headers=TEAM)
        await until(lambda: len(stage.collector.streams) == 1)


async def test_the_policys_timeout_ends_no_stream(tmp_path: Path) -> None:
    async with on_mesh(tmp_path, "policy") as mesh:
        stage = mesh.stage
        stage.cloud.mood = "slow_stream"
        reply = await stage.post(headers=TEAM)
        assert reply.seconds > 1.1
        await until(lambda: any(message.response_body.end_of_stream for message in stage.collector.streams[0]))
        body = b"".join(message.response_body.body for message in stage.collector.streams[0])
        assert body == reply.body


async def test_copies_reach_their_backend_by_the_added_listener(tmp_path: Path) -> None:
    async with on_mesh(tmp_path, "patch") as mesh:
        reply = await mesh.stage.tee("onprem")
        assert json.loads(reply.body)["model"] == "onprem"
        log = mesh.stage.collector.entries
        await until(lambda: bool(log.get(keys.SHADOW_LOG)))


async def test_the_scorer_steers_by_rtds_and_a_persons_curl_wins(tmp_path: Path) -> None:
    layer = {"glidepath.chat.weight.onprem-or-cloud": 10000, "glidepath.chat.weight.cloud": 0}
    async with fleet(layer) as where, on_mesh(tmp_path, "patch", rtds=where) as mesh:
        assert await served_by(mesh.stage, "onprem", TEAM)
        mesh.stage.weigh(0)
        assert json.loads((await mesh.stage.post(headers=TEAM)).body)["model"] == "cloud"
