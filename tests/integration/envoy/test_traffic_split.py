"""Tests of weights, stickiness, capture and matching in a real Envoy, changed only by runtime keys."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from glidepath import envoy_names, runtime_keys
from tests.support.envoy_with_backends import PATH, EnvoySetup, envoy_with_backends
from tests.support.waiting import eventually

STEPS = (0, 1, 5, 10, 25, 50, 75, 100)


async def candidates_users(setup: EnvoySetup, users: list[dict[str, str]]) -> set[int]:
    """Return the users whom the candidate serves now."""
    setup.clear_received()
    replies = await asyncio.gather(*(setup.post(headers=user) for user in users))
    return {n for n, reply in enumerate(replies) if json.loads(reply.body)["model"] == "onprem"}


@pytest.mark.parametrize("sticky", [{"header": "X-User-Id"}, {"cookie": "session"}], ids=["header", "cookie"])
async def test_the_split_is_sticky_and_monotone_and_matches_its_shares(tmp_path: Path, sticky: dict[str, Any]) -> None:
    users = [{"x-user-id": f"user-{n}", "cookie": f"a=b; session=s{n}"} for n in range(300)]
    async with envoy_with_backends(tmp_path, chat={"sticky": sticky}) as setup:
        before: set[int] = set()
        for percent in STEPS:
            setup.set_share(percent)
            now = await candidates_users(setup, users)
            assert before <= now, f"somebody moved back at {percent} %"
            assert abs(len(now) / 3 - percent) <= 9, f"{len(now) / 3:.0f} % at {percent} %"
            before = now
        setup.set_share(0)
        assert await candidates_users(setup, users) == set()


async def test_one_address_stays_on_one_side_when_sticky_by_source_ip(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, chat={"sticky": {"source_ip": True}}) as setup:
        setup.set_share(50)
        assert len(await candidates_users(setup, [{}] * 50)) in (0, 50)


async def test_without_stickiness_each_request_is_assigned_at_random(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path) as setup:
        setup.set_share(50)
        assert 60 <= len(await candidates_users(setup, [{"x-user-id": "same"}] * 200)) <= 140


async def test_start_sets_the_share_before_a_scorer_steers(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, chat={"start": 100, "fallback": False}) as setup:
        assert json.loads((await setup.post()).body)["model"] == "onprem"
        setup.set_share(0, candidate="onprem")
        assert json.loads((await setup.post()).body)["model"] == "cloud"


async def test_the_capture_share_is_a_runtime_key(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, chat={"shadow": {"sample": 0}}) as setup:

        def started() -> int:
            return sum(setup.envoy.stats(r"ext_proc\.streams_started$").values())

        async def captured(requests: int) -> int:
            setup.collector.streams.clear()
            before = started()
            log = setup.collector.entries.setdefault(envoy_names.LIVE_LOG, [])
            log.clear()
            await asyncio.gather(*(setup.post() for _ in range(requests)))
            await eventually(lambda: len(log) == requests)
            expected = started() - before
            await eventually(lambda: len(setup.collector.streams) == expected)
            return expected

        assert await captured(20) == 0
        setup.envoy.modify({runtime_keys.shadow_key("chat"): 100})
        assert await captured(20) == 20
        setup.envoy.modify({runtime_keys.shadow_key("chat"): 50})
        assert 60 <= await captured(200) <= 140


async def test_a_fraction_of_a_percent_can_be_captured(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, chat={"shadow": {"sample": 99.5}}) as setup:
        await asyncio.gather(*(setup.post() for _ in range(60)))
        await eventually(lambda: len(setup.collector.streams) >= 50)


async def test_the_most_specific_workload_gets_the_request(tmp_path: Path) -> None:
    both = {"baseline": "cloud", "candidate": "onprem"}
    workloads = {
        "all": {**both, "match": {"path_prefix": "/v1"}},
        "batch": {**both, "match": {"path": PATH, "headers": {"X-Kind": "batch"}}},
        "team": {**both, "match": {"path_prefix": "/", "host": "team.example.com"}},
        "anyteam": {**both, "match": {"path_prefix": "/", "host": "*.teams.example.com"}},
    }
    async with envoy_with_backends(tmp_path, workloads=workloads) as setup:
        cases: list[tuple[str, dict[str, str], str]] = [
            (PATH, {}, "chat"),
            (PATH + "?stream=1", {}, "chat"),
            (PATH, {"x-kind": "batch"}, "batch"),
            (PATH, {"x-kind": "batches"}, "chat"),
            ("/v1/embeddings", {}, "all"),
            ("/v2/chat", {"host": "TEAM.example.com:8443"}, "team"),
            ("/v1/messages", {"host": "teamXexample.com"}, "all"),
            ("/x/embed", {"host": "a.teams.example.com"}, "anyteam"),
        ]
        log = setup.collector.entries.setdefault(envoy_names.LIVE_LOG, [])
        for number, (path, headers, _) in enumerate(cases, 1):
            await setup.post(headers=headers, path=path)
            await eventually(lambda n=number: len(log) == n)  # type: ignore[misc]
        found = [entry.common_properties.custom_tags[envoy_names.WORKLOAD_TAG] for entry in log]
        assert found == [workload for *_, workload in cases]
        assert (await setup.post(path="/v1beta/messages")).status == 404


async def test_an_unmatched_request_gets_a_404_that_says_why(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path) as setup:
        reply = await setup.post(path="/v1/models")
        assert reply.status == 404
        assert "no workload matches" in json.loads(reply.body)["error"]["message"]
        assert reply.headers["content-type"] == "application/json"


async def test_an_unmatched_request_goes_to_the_default_backend_unchanged_and_uncaptured(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, cloud={"model": None}, envoy={"default_backend": "cloud"}) as setup:
        body = b'{"model": "mine"}'
        reply = await setup.post(body, {"authorization": "Bearer mine"}, path="/v1/files?x=%20y")
        assert reply.status == 200
        got = setup.cloud.last
        assert (got.path, got.body, got.headers["authorization"]) == ("/v1/files?x=%20y", body, "Bearer mine")
        await eventually(lambda: bool(setup.collector.entries.get(envoy_names.LIVE_LOG)))
        assert setup.collector.streams == []


async def test_a_request_for_the_default_backend_carries_its_credential(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("cloud-key")
    cloud = {"credential": {"file": str(key)}}
    async with envoy_with_backends(tmp_path, cloud=cloud, envoy={"default_backend": "cloud"}) as setup:
        await setup.post(headers={"authorization": "Bearer mine"}, path="/v1/files")
        assert setup.cloud.last.headers["authorization"] == "Bearer cloud-key"


async def test_clients_cannot_send_the_tees_headers_and_keep_their_request_id(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path) as setup:
        ours = {"x-glidepath-origin": "probe", "X-Glidepath-Target": "onprem", "x-request-id": "mine"}
        reply = await setup.post(headers=ours)
        got = setup.cloud.last.headers
        assert not [name for name in got if name.startswith(("x-glidepath", "x-envoy"))]
        assert got["x-request-id"] == "mine"  # the client's id is kept
        assert [name.lower() for name in reply.headers if name.lower().startswith("x-")] == ["x-request-id"]
        assert "aiohttp" in reply.headers["server"]


async def test_without_an_rtds_server_envoy_uses_the_configured_weights(tmp_path: Path) -> None:
    envoy = {"actuator": "rtds", "rtds_listen": "127.0.0.1:1"}
    async with envoy_with_backends(tmp_path, chat={"start": 100}, envoy=envoy) as setup:
        assert json.loads((await setup.post()).body)["model"] == "onprem"
        setup.set_share(0)
        assert json.loads((await setup.post()).body)["model"] == "cloud"
