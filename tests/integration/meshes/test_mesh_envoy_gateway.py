"""Tests of the resources for Envoy Gateway, in a real Envoy with the configuration that Envoy Gateway generates.

``make test-mesh`` tests them on the real Envoy Gateway.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from extproc.ext_proc_messages import read
from glidepath import envoy_names, runtime_keys
from glidepath.config import parse_config
from glidepath_ops.local.child_process import free_ports
from scorer.steering.envoy.rtds_leases import LeaseService
from scorer.steering.envoy.rtds_server import RtdsServer
from tests.support.chat_config import CHAT_CONFIG
from tests.support.envoy_with_backends import PATH
from tests.support.meshes.constant_rtds_server import rtds_server, served_by
from tests.support.meshes.gateway_with_backends import BASELINE, gateway_with_backends
from tests.support.meshes.mesh_setup import MeshSetup
from tests.support.waiting import eventually

TEAM = {"x-team": "search"}  # a SecurityPolicy on the user's HTTPRoute requires this header
CLIENT = {**TEAM, "authorization": "Bearer client", "x-drop": "1"}
OWN_ROUTE = "httproute/default/app/rule/2/match/0/*"
NEW_ROUTE = "httproute/default/glidepath-chat/rule/0/match/0/*"
PLACES = [(False, OWN_ROUTE, BASELINE), (True, NEW_ROUTE, "cloud")]


@pytest.mark.parametrize(("new_route", "route", "baseline"), PLACES)
async def test_calls_are_split_by_runtime_keys_captured_and_logged(
    tmp_path: Path, new_route: bool, route: str, baseline: str
) -> None:
    async with gateway_with_backends(tmp_path, new_route=new_route) as mesh:
        setup = mesh.setup
        assert json.loads((await setup.post(headers=CLIENT)).body)["model"] == "cloud"
        setup.set_share(100)
        assert json.loads((await setup.post(headers=CLIENT)).body)["model"] == "onprem"
        assert "authorization" not in setup.onprem.last.headers
        assert setup.onprem.last.model == "onprem-model"
        log = setup.collector.entries
        await eventually(lambda: len(log.get(envoy_names.LIVE_LOG, [])) == 2)
        entries = log[envoy_names.LIVE_LOG]
        assert {entry.common_properties.route_name for entry in entries} == {route}
        assert {entry.common_properties.custom_tags[envoy_names.WORKLOAD_TAG] for entry in entries} == {"chat"}
        await eventually(lambda: len(setup.collector.streams) == 2)
        events = [read(stream[0]) for stream in setup.collector.streams]
        assert {event.cluster for event in events} == {baseline, "onprem-or-cloud"}  # type: ignore[union-attr]


async def test_a_copy_for_the_baseline_has_the_header_rules_of_the_users_rule(tmp_path: Path) -> None:
    async with gateway_with_backends(tmp_path) as mesh:
        reply = await mesh.setup.tee("cloud", **{"authorization": "Bearer client", "x-drop": "1"})
        assert reply.status == 200
        copy = mesh.setup.cloud.last
        assert (copy.headers["authorization"], copy.path) == ("Bearer route", PATH)
        assert "x-drop" not in copy.headers


async def baseline_gets(mesh: MeshSetup, **request: Any) -> tuple[Any, ...]:
    reply = await mesh.setup.post(headers=CLIENT, **request)
    last = mesh.setup.cloud.last
    headers = {name: value for name, value in last.headers.items() if name not in ("x-request-id", "host")}
    return reply.status, last.path, last.body, headers


async def test_the_baseline_gets_the_same_with_and_without_the_patches_also_after_a_failed_candidate(
    tmp_path: Path,
) -> None:
    async with gateway_with_backends(tmp_path, patched=False) as mesh:
        before = await baseline_gets(mesh)
    async with gateway_with_backends(tmp_path) as mesh:
        assert await baseline_gets(mesh) == before
        mesh.setup.set_share(100)
        mesh.setup.onprem.behaviour = "status"
        status, path, body, headers = await baseline_gets(mesh)
        assert mesh.setup.onprem.received
    assert (status, path, body, headers) == before
    assert before[3]["authorization"] == "Bearer route"
    assert "x-drop" not in before[3]


@pytest.mark.parametrize("share", [0, 50, 100])
async def test_a_policy_on_the_users_route_holds_for_the_split(tmp_path: Path, share: int) -> None:
    async with gateway_with_backends(tmp_path) as mesh:
        mesh.setup.set_share(share)
        assert [(await mesh.setup.post()).status for _ in range(5)] == [403] * 5
        assert mesh.setup.cloud.received == mesh.setup.onprem.received == []


async def test_other_methods_and_paths_go_where_they_went(tmp_path: Path) -> None:
    async with gateway_with_backends(tmp_path) as mesh:
        setup = mesh.setup
        setup.set_share(100)
        body = b'{"model": "mine"}'
        await setup.post(body, CLIENT, path="/cart")
        assert (mesh.service.last.body, mesh.service.last.headers["authorization"]) == (body, "Bearer client")
        await setup.post(body, CLIENT, path="/v1/embeddings")
        assert (setup.cloud.last.path, setup.cloud.last.body) == ("/v1/embeddings", body)
        seen = len(setup.onprem.received)
        async with setup.session.options(setup.envoy.live + PATH, headers=TEAM) as reply:
            await reply.read()
        assert len(setup.onprem.received) == seen == 0


async def test_a_new_route_without_patches_serves_the_baseline(tmp_path: Path) -> None:
    async with gateway_with_backends(tmp_path, new_route=True, patched=False) as mesh:
        mesh.setup.set_share(100)
        reply = await mesh.setup.post(headers=CLIENT)
        assert json.loads(reply.body)["model"] == "cloud"
        assert mesh.setup.onprem.received == []


@pytest.mark.parametrize("new_route", [False, True])
async def test_a_failing_candidate_is_rescued_and_capture_is_a_runtime_key(tmp_path: Path, new_route: bool) -> None:
    chat, onprem = {"shadow": {"sample": 0}}, {"first_byte_timeout": "300ms"}
    async with gateway_with_backends(tmp_path, new_route=new_route, chat=chat, onprem=onprem) as mesh:
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


async def test_a_candidate_that_is_a_cluster_of_the_gateway_serves_and_is_rescued(tmp_path: Path) -> None:
    async with gateway_with_backends(tmp_path, in_mesh=True) as mesh:
        setup = mesh.setup
        setup.set_share(100)
        assert json.loads((await setup.post(headers=CLIENT)).body)["model"] == "onprem"
        got = setup.onprem.last
        assert (got.headers["host"], got.model) == ("vllm.example.com", "onprem-model")
        assert "authorization" not in got.headers
        setup.onprem.behaviour = "status"
        assert json.loads((await setup.post(headers=CLIENT)).body)["model"] == "cloud"
        await setup.onprem.__aexit__()
        assert json.loads((await setup.post(headers=CLIENT)).body)["model"] == "cloud"
        rescued = [(one.headers["authorization"], one.model) for one in setup.cloud.received]
        assert rescued == [("Bearer route", "client-model")] * 2


async def test_copies_reach_their_backend_through_the_added_listener(tmp_path: Path) -> None:
    async with gateway_with_backends(tmp_path) as mesh:
        for target in ("onprem", "cloud"):
            assert json.loads((await mesh.setup.tee(target)).body)["model"] == target
        assert mesh.setup.cloud.last.model == "cloud-model"
        log = mesh.setup.collector.entries
        await eventually(lambda: len(log.get(envoy_names.SHADOW_LOG, [])) == 2)


async def test_the_scorer_steers_by_rtds_and_a_manual_override_wins(tmp_path: Path) -> None:
    layer = {"glidepath.chat.weight.onprem-or-cloud": 10000, f"glidepath.chat.weight.{BASELINE}": 0}
    async with rtds_server(layer) as where, gateway_with_backends(tmp_path, rtds=where) as mesh:
        assert await served_by(mesh.setup, "onprem", TEAM)
        mesh.setup.set_share(0)
        assert json.loads((await mesh.setup.post(headers=TEAM)).body)["model"] == "cloud"


async def test_the_split_is_in_force_only_with_a_lease_and_the_users_own_rule_is_below(tmp_path: Path) -> None:
    listen = f"127.0.0.1:{free_ports(1)[0]}"
    leases = LeaseService(parse_config(CHAT_CONFIG + "    if_lost: baseline\n"), lambda: True)
    async with gateway_with_backends(tmp_path, chat={"if_lost": "baseline"}, rtds=listen) as mesh:
        setup = mesh.setup
        setup.set_share(100)
        assert json.loads((await setup.post(headers=CLIENT)).body)["model"] == "cloud"
        assert setup.cloud.last.headers["authorization"] == "Bearer route"
        log = setup.collector.entries
        await eventually(lambda: len(log.get(envoy_names.LIVE_LOG, [])) == 1)
        assert log[envoy_names.LIVE_LOG][0].common_properties.route_name.startswith("httproute/default/app/rule/0/")
        serving = asyncio.create_task(RtdsServer(listen, lambda: True, [leases]).run())
        try:
            assert await served_by(setup, "onprem", CLIENT)
        finally:
            serving.cancel()
            await asyncio.wait({serving})
