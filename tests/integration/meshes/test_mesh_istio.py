"""Tests of the EnvoyFilter and the VirtualServices, applied to configuration that Istio pushes, in a real Envoy."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from glidepath import envoy_names, runtime_keys
from glidepath.config import parse_config
from glidepath_ops.envoyconfig.mesh.istio import Context
from glidepath_ops.local.child_process import free_ports
from scorer.steering.envoy.rtds_leases import LeaseService
from scorer.steering.envoy.rtds_server import RtdsServer
from tests.support.chat_config import CHAT_CONFIG
from tests.support.envoy_with_backends import BODY, PATH, EnvoySetup
from tests.support.meshes.constant_rtds_server import rtds_server, served_by
from tests.support.meshes.istio_with_backends import CLUSTER, LLM, VLLM, istio_with_backends
from tests.support.recording_backend import Recorder
from tests.support.waiting import eventually

HOST = {"host": LLM}
CONTEXTS: tuple[Context, ...] = ("gateway", "sidecar")
FALLBACK = "onprem-or-cloud"


def set_share(setup: EnvoySetup, percent: float) -> None:
    points = round(percent * 100)
    keys = {
        runtime_keys.weight_key("chat", FALLBACK): points,
        runtime_keys.weight_key("chat", CLUSTER): 10_000 - points,
    }
    setup.envoy.modify(keys)


@pytest.mark.parametrize("context", CONTEXTS)
async def test_calls_are_split_by_runtime_keys_captured_and_logged(tmp_path: Path, context: Context) -> None:
    async with istio_with_backends(tmp_path, context) as mesh:
        setup = mesh.setup
        reply = await setup.post(headers={**HOST, "authorization": "Bearer client"})
        assert json.loads(reply.body)["model"] == "cloud"
        set_share(setup, 100)
        reply = await setup.post(headers={**HOST, "authorization": "Bearer client"})
        assert json.loads(reply.body)["model"] == "onprem"
        assert "authorization" not in setup.onprem.last.headers
        assert setup.onprem.last.model == "onprem-model"
        assert setup.cloud.last.headers["authorization"] == "Bearer client"
        assert not [name for name in setup.onprem.last.headers if name.startswith("x-glidepath")]
        log = setup.collector.entries
        await eventually(lambda: len(log.get(envoy_names.LIVE_LOG, [])) == 2)
        entries = [entry.common_properties for entry in log[envoy_names.LIVE_LOG]]
        assert {entry.route_name for entry in entries} == {"glidepath-chat"}
        assert {entry.custom_tags[envoy_names.WORKLOAD_TAG] for entry in entries} == {"chat"}
        assert {entry.custom_tags[envoy_names.CHOSEN_CLUSTER_TAG] for entry in entries} == {CLUSTER, FALLBACK}
        assert {entry.custom_tags.get(envoy_names.BACKEND_TAG, "") for entry in entries} == {"", "onprem"}
        await eventually(lambda: len(setup.collector.streams) == 2)
        first = setup.collector.streams[-1][0]
        assert "authorization" not in {header.key for header in first.request_headers.headers.headers}


async def test_a_copy_for_the_baseline_has_the_header_rules_of_the_users_route(tmp_path: Path) -> None:
    async with istio_with_backends(tmp_path, "gateway") as mesh:
        assert (await mesh.setup.post(headers=HOST)).status == 200
        usual = mesh.setup.cloud.last
        assert usual.headers["x-tenant"] == "blue"
        assert (await mesh.setup.tee("cloud")).status == 200
        assert len(mesh.setup.cloud.received) == 2
        copy = mesh.setup.cloud.last
        assert (copy.headers["x-tenant"], copy.headers["host"], copy.path) == ("blue", LLM, usual.path)


async def test_the_baseline_gets_unchanged_requests_at_a_share_of_0_and_after_a_failure_of_the_candidate(
    tmp_path: Path,
) -> None:
    sent = {**HOST, "authorization": "Bearer client", "x-api-key": "key", "cookie": "a=b", "x-request-id": "1"}

    async def seen(split: bool, share: float, name: str) -> tuple[bytes, dict[str, str]]:
        folder = tmp_path / name
        folder.mkdir()
        async with istio_with_backends(folder, "gateway", split=split) as mesh:
            if split:
                set_share(mesh.setup, share)
            mesh.setup.onprem.behaviour = "status"
            reply = await mesh.setup.post(headers=sent)
            assert reply.status == 200
            assert reply.headers["x-served"] == "models"
            got = mesh.setup.cloud.last
            own = ("x-request-id", "x-envoy-expected-rq-timeout-ms")
            return got.body, {name: value for name, value in got.headers.items() if name not in own}

    before = await seen(False, 0, "before")
    assert before[1]["x-tenant"] == "blue"
    assert await seen(True, 0, "no-share") == before
    body, headers = await seen(True, 100, "rescued")
    assert body == before[0]
    assert {**headers, "x-envoy-attempt-count": "1"} == before[1]


async def test_a_preflight_is_answered_as_before(tmp_path: Path) -> None:
    headers = {"origin": "https://app.example", "access-control-request-method": "POST"}
    async with istio_with_backends(tmp_path, "gateway") as mesh:
        set_share(mesh.setup, 100)
        async with mesh.setup.session.options(mesh.setup.envoy.live + PATH, headers=headers) as response:
            assert response.status == 200
            assert response.headers["access-control-allow-origin"] == "https://app.example"
        assert mesh.setup.onprem.received == mesh.setup.cloud.received == []


@pytest.mark.parametrize(("context", "host"), [("gateway", "shop.example.com"), ("sidecar", "other.models")])
async def test_the_users_other_routes_answer_as_before(tmp_path: Path, context: Context, host: str) -> None:
    async with istio_with_backends(tmp_path, context) as mesh:
        setup = mesh.setup
        path = "/v1/chat/completions" if context == "sidecar" else "/cart"
        body = b'{"model": "mine"}'
        reply = await setup.post(body, {"host": host, "authorization": "Bearer mine"}, path=path)
        assert reply.status == 200
        assert (mesh.service.last.body, mesh.service.last.headers["authorization"]) == (body, "Bearer mine")
        await eventually(lambda: bool(setup.collector.entries.get(envoy_names.LIVE_LOG)))
        assert setup.collector.streams == []
        assert setup.cloud.received == setup.onprem.received == []


async def test_other_paths_of_the_continued_route_go_where_they_went(tmp_path: Path) -> None:
    async with istio_with_backends(tmp_path, "gateway") as mesh:
        set_share(mesh.setup, 100)
        await mesh.setup.post(headers=HOST, path="/v1/embeddings")
        assert mesh.setup.cloud.last.headers["x-tenant"] == "blue"
        assert mesh.setup.onprem.received == []


async def test_a_path_that_a_backend_may_read_otherwise_goes_where_it_went(tmp_path: Path) -> None:
    async with istio_with_backends(tmp_path, "gateway", chat={"match": {"path_prefix": "/v1/"}}) as mesh:
        set_share(mesh.setup, 100)
        for path in ("/v1//chat", "/v1/..%2Fadmin", "/v1/x%5C..%5Cadmin"):
            reply = await mesh.setup.post(headers=HOST, path=path)
            assert (reply.status, mesh.setup.cloud.last.path) == (200, path)
        assert mesh.setup.onprem.received == []
        assert (await mesh.setup.post(headers=HOST)).status == 200
        assert mesh.setup.onprem.last.path == PATH


async def test_a_failing_candidate_is_rescued_and_capture_is_a_runtime_key(tmp_path: Path) -> None:
    async with istio_with_backends(tmp_path, "gateway", chat={"shadow": {"sample": 0}}) as mesh:
        setup = mesh.setup
        set_share(setup, 100)
        setup.onprem.behaviour = "status"
        replies = await asyncio.gather(*(setup.post() for _ in range(20)))
        assert {json.loads(reply.body)["model"] for reply in replies} == {"cloud"}
        assert setup.collector.streams == []
        setup.envoy.modify({runtime_keys.shadow_key("chat"): 100})
        await setup.post()
        await eventually(lambda: len(setup.collector.streams) == 1)


@pytest.mark.parametrize("context", CONTEXTS)
async def test_a_silent_candidate_is_rescued_at_its_time_limit(tmp_path: Path, context: Context) -> None:
    async with istio_with_backends(tmp_path, context, onprem={"first_byte_timeout": "300ms"}) as mesh:
        set_share(mesh.setup, 100)
        mesh.setup.onprem.behaviour = "hang"
        reply = await mesh.setup.post(headers=HOST)
        assert json.loads(reply.body)["model"] == "cloud"
        assert 0.25 < reply.seconds < 5


@pytest.mark.parametrize("context", CONTEXTS)
async def test_a_candidate_that_is_a_service_of_the_mesh_serves_and_is_rescued(
    tmp_path: Path, context: Context
) -> None:
    sent = {**HOST, "authorization": "Bearer client"}
    async with istio_with_backends(tmp_path, context, in_mesh=True) as mesh:
        setup = mesh.setup
        set_share(setup, 100)
        assert json.loads((await setup.post(headers=sent)).body)["model"] == "onprem"
        got = setup.onprem.last
        assert (got.headers["host"], got.headers.get("authorization"), got.model) == (VLLM, None, "onprem-model")
        for fail in (answer_503, stop):
            await fail(setup.onprem)
            assert json.loads((await setup.post(headers=sent)).body)["model"] == "cloud"
            rescued = setup.cloud.last
            assert (rescued.headers["host"], rescued.headers["authorization"]) == (LLM, "Bearer client")
            assert rescued.model == "client-model"


async def answer_503(backend: Recorder) -> None:
    backend.behaviour = "status"


async def stop(backend: Recorder) -> None:
    await backend.__aexit__()


async def test_copies_reach_their_backend_through_the_added_listener(tmp_path: Path) -> None:
    async with istio_with_backends(tmp_path, "gateway") as mesh:
        reply = await mesh.setup.tee("onprem")
        assert json.loads(reply.body)["model"] == "onprem"
        reply = await mesh.setup.tee("cloud")
        assert json.loads(reply.body)["model"] == "cloud"
        assert mesh.setup.cloud.last.headers["host"] == LLM
        log = mesh.setup.collector.entries
        await eventually(lambda: bool(log.get(envoy_names.SHADOW_LOG)))
        assert log[envoy_names.SHADOW_LOG][0].common_properties.custom_tags[envoy_names.HEADER_TARGET] == "onprem"


async def test_calls_with_the_same_request_id_are_captured_under_different_ids(tmp_path: Path) -> None:
    async with istio_with_backends(tmp_path, "sidecar") as mesh:
        setup = mesh.setup
        for _ in range(2):
            await setup.post(BODY, {**HOST, "x-request-id": "one-for-all"})
        await eventually(lambda: len(setup.collector.metadata) == 2)
        ids = {one[envoy_names.HEADER_REQUEST_ID] for one in setup.collector.metadata}
        assert len(ids) == 2
        assert all(len(one) == 36 for one in ids)
        assert [got.headers["x-request-id"] for got in setup.cloud.received] == ["one-for-all"] * 2


async def test_the_scorer_steers_by_rtds_and_overrides_istios_admin_layer(tmp_path: Path) -> None:
    layer = {f"glidepath.chat.weight.{FALLBACK}": 10000, f"glidepath.chat.weight.{CLUSTER}": 0}
    async with rtds_server(layer) as where, istio_with_backends(tmp_path, "gateway", rtds=where) as mesh:
        assert await served_by(mesh.setup, "onprem")
        set_share(mesh.setup, 0)
        assert json.loads((await mesh.setup.post()).body)["model"] == "onprem"


@pytest.mark.parametrize("context", CONTEXTS)
async def test_the_split_is_in_force_only_with_a_lease_and_the_users_own_route_is_below(
    tmp_path: Path, context: Context
) -> None:
    listen = f"127.0.0.1:{free_ports(1)[0]}"
    leases = LeaseService(parse_config(CHAT_CONFIG + "    if_lost: baseline\n"), lambda: True)
    async with istio_with_backends(tmp_path, context, chat={"if_lost": "baseline"}, rtds=listen) as mesh:
        setup = mesh.setup
        set_share(setup, 100)
        reply = await setup.post(headers=HOST)
        assert json.loads(reply.body)["model"] == "cloud"
        log = setup.collector.entries
        await eventually(lambda: len(log.get(envoy_names.LIVE_LOG, [])) == 1)
        assert log[envoy_names.LIVE_LOG][0].common_properties.route_name != "glidepath-chat"
        serving = asyncio.create_task(RtdsServer(listen, lambda: True, [leases]).run())
        try:
            assert await served_by(setup, "onprem", HOST)
        finally:
            serving.cancel()
            await asyncio.wait({serving})
