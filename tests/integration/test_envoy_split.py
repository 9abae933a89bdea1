"""Weights, stickiness, capture and matching in a real Envoy, turned by runtime keys alone."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from glidepath import keys
from tests.support.stage import PATH, Stage, on_stage, until

STEPS = (0, 1, 5, 10, 25, 50, 75, 100)


async def candidates_users(stage: Stage, users: list[dict[str, str]]) -> set[int]:
    """Which of the users the candidate serves now."""
    stage.forget()
    replies = await asyncio.gather(*(stage.post(headers=user) for user in users))
    return {n for n, reply in enumerate(replies) if json.loads(reply.body)["model"] == "onprem"}


@pytest.mark.parametrize("sticky", [{"header": "X-User-Id"}, {"cookie": "session"}], ids=["header", "cookie"])
async def test_the_ramp_is_sticky_and_monotone_and_keeps_its_shares(tmp_path: Path, sticky: dict[str, Any]) -> None:
    users = [{"x-user-id": f"user-{n}", "cookie": f"a=b; session=s{n}"} for n in range(300)]
    async with on_stage(tmp_path, chat={"sticky": sticky}) as stage:
        before: set[int] = set()
        for percent in STEPS:
            stage.weigh(percent)
            now = await candidates_users(stage, users)
            assert before <= now, f"somebody moved back at {percent} %"
            assert abs(len(now) / 3 - percent) <= 9, f"{len(now) / 3:.0f} % at {percent} %"
            before = now
        stage.weigh(0)
        assert await candidates_users(stage, users) == set()


async def test_one_address_stays_on_one_side_when_sticky_by_source_ip(tmp_path: Path) -> None:
    async with on_stage(tmp_path, chat={"sticky": {"source_ip": True}}) as stage:
        stage.weigh(50)
        assert len(await candidates_users(stage, [{}] * 50)) in (0, 50)


async def test_without_stickiness_requests_are_dealt_out_one_by_one(tmp_path: Path) -> None:
    async with on_stage(tmp_path) as stage:
        stage.weigh(50)
        assert 60 <= len(await candidates_users(stage, [{"x-user-id": "same"}] * 200)) <= 140


async def test_start_sets_the_share_before_anybody_steers(tmp_path: Path) -> None:
    async with on_stage(tmp_path, chat={"start": 100, "fallback": False}) as stage:
        assert json.loads((await stage.post()).body)["model"] == "onprem"
        stage.weigh(0, candidate="onprem")
        assert json.loads((await stage.post()).body)["model"] == "cloud"


async def test_the_capture_share_is_a_runtime_key(tmp_path: Path) -> None:
    async with on_stage(tmp_path, chat={"shadow": {"sample": 0}}) as stage:

        async def captured(requests: int) -> int:
            stage.collector.streams.clear()
            log = stage.collector.entries.setdefault(keys.LIVE_LOG, [])
            log.clear()
            await asyncio.gather(*(stage.post() for _ in range(requests)))
            await until(lambda: len(log) == requests)
            routes = [entry.common_properties.route_name for entry in log]
            expected = routes.count("glidepath/chat/captured")
            await until(lambda: len(stage.collector.streams) == expected)
            return expected

        assert await captured(20) == 0
        stage.envoy.modify({keys.shadow_key("chat"): 100})
        assert await captured(20) == 20
        stage.envoy.modify({keys.shadow_key("chat"): 50})
        assert 60 <= await captured(200) <= 140


async def test_a_fraction_of_a_percent_can_be_captured(tmp_path: Path) -> None:
    async with on_stage(tmp_path, chat={"shadow": {"sample": 99.5}}) as stage:
        await asyncio.gather(*(stage.post() for _ in range(60)))
        await until(lambda: len(stage.collector.streams) >= 50)


async def test_the_most_specific_workload_takes_the_request(tmp_path: Path) -> None:
    both = {"baseline": "cloud", "candidate": "onprem"}
    workloads = {
        "all": {**both, "match": {"path_prefix": "/v1"}},
        "batch": {**both, "match": {"path": PATH, "headers": {"X-Kind": "batch"}}},
        "team": {**both, "match": {"path_prefix": "/", "host": "team.example.com"}},
        "anyteam": {**both, "match": {"path_prefix": "/", "host": "*.teams.example.com"}},
    }
    async with on_stage(tmp_path, workloads=workloads) as stage:
        cases: list[tuple[str, dict[str, str], str]] = [
            (PATH, {}, "chat"),
            (PATH + "?stream=1", {}, "chat"),
            (PATH, {"x-kind": "batch"}, "batch"),
            (PATH, {"x-kind": "batches"}, "chat"),
            ("/v1/embeddings", {}, "all"),
            ("/v1/chat", {"host": "TEAM.example.com:8443"}, "team"),
            ("/v1/chat", {"host": "teamXexample.com"}, "all"),
            ("/x", {"host": "a.teams.example.com"}, "anyteam"),
        ]
        log = stage.collector.entries.setdefault(keys.LIVE_LOG, [])
        for number, (path, headers, _) in enumerate(cases, 1):
            await stage.post(headers=headers, path=path)
            await until(lambda n=number: len(log) == n)  # type: ignore[misc]
        found = [keys.workload_of_route(entry.common_properties.route_name) for entry in log]
        assert found == [workload for *_, workload in cases]
        assert (await stage.post(path="/v1beta")).status == 404


async def test_a_stranger_gets_a_404_that_says_why(tmp_path: Path) -> None:
    async with on_stage(tmp_path) as stage:
        reply = await stage.post(path="/v1/models")
        assert reply.status == 404
        assert "no workload matches" in json.loads(reply.body)["error"]["message"]
        assert reply.headers["content-type"] == "application/json"


async def test_a_stranger_goes_to_the_default_backend_untouched_and_uncaptured(tmp_path: Path) -> None:
    async with on_stage(tmp_path, cloud={"model": None}, envoy={"default_backend": "cloud"}) as stage:
        body = b'{"model": "mine"}'
        reply = await stage.post(body, {"authorization": "Bearer mine"}, path="/v1/files?x=%20y")
        assert reply.status == 200
        got = stage.cloud.last
        assert (got.path, got.body, got.headers["authorization"]) == ("/v1/files?x=%20y", body, "Bearer mine")
        await until(lambda: bool(stage.collector.entries.get(keys.LIVE_LOG)))
        assert stage.collector.streams == []


async def test_nobody_speaks_in_the_tees_name_and_request_ids_are_ours(tmp_path: Path) -> None:
    async with on_stage(tmp_path) as stage:
        ours = {"x-glidepath-origin": "probe", "X-Glidepath-Target": "onprem", "x-request-id": "mine"}
        reply = await stage.post(headers=ours)
        got = stage.cloud.last.headers
        assert not [name for name in got if name.startswith(("x-glidepath", "x-envoy"))]
        assert got["x-request-id"] != "mine"
        assert not [name for name in reply.headers if name.lower().startswith("x-")]
        assert "aiohttp" in reply.headers["server"]


async def test_envoy_serves_from_the_files_weights_while_nobody_answers_rtds(tmp_path: Path) -> None:
    envoy = {"actuator": "rtds", "rtds_listen": "127.0.0.1:1"}
    async with on_stage(tmp_path, chat={"start": 100}, envoy=envoy) as stage:
        assert json.loads((await stage.post()).body)["model"] == "onprem"
        stage.weigh(0)
        assert json.loads((await stage.post()).body)["model"] == "cloud"
