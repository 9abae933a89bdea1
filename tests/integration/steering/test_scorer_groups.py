"""Groups of scorers with their own files on one Redis: each steers its workloads, and mistakes are reported."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from glidepath import scorer_groups
from glidepath.config import Config, parse_config
from glidepath.redis_keys import WorkloadKeys, fence_key, lease_key
from glidepath.redisio import RedisClient, connect
from glidepath.scorer_groups import LIVE_S, LastSteering
from glidepath.status_and_decisions import Command, CommandKind, to_json
from glidepath_ops.cli.steering_client import read_status
from glidepath_ops.doctor.gather_facts import gather_redis
from scorer.steering.leader.group_ownership import CHECK_S, GroupOwnership
from scorer.steering.leader.lease import Lease
from scorer.steering.leader.redis_store import RedisSteeringStore
from scorer.steering.leader.steer_metrics import SteerMetrics
from scorer.steering.leader.wiring import steer_loop
from scorer.steering.store_protocol import OwnedError, Record
from tests.support.running_envoy import RunningEnvoy, running_envoy
from tests.support.scripted_evidence import ScriptedEvidenceKind
from tests.support.steering_client import steering_client
from tests.support.waiting import eventually

BACKENDS = {"cloud": {"url": "http://127.0.0.1:9001"}, "onprem": {"url": "http://127.0.0.1:9002"}}


def workload(path: str) -> dict[str, Any]:
    ramp = {"steps": [5, 25, 100]}
    return {"match": {"path": path}, "baseline": "cloud", "candidate": "onprem", "ramp": ramp}


BOTH = {"backends": BACKENDS, "workloads": {"chat": workload("/v1/chat"), "batch": workload("/v1/batch")}}


def team(redis_url: str, group: str, *names: str, admin: str = "http://127.0.0.1:1") -> Config:
    mine = {name: BOTH["workloads"][name] for name in names}
    head = {"redis": {"url": redis_url}, "envoy": {"admin": admin}, "scorer": {"group": group}}
    return parse_config(yaml.safe_dump({**BOTH, **head, "workloads": mine}))


@asynccontextmanager
async def leading(config: Config, owner: str) -> AsyncIterator[CollectorRegistry]:
    redis, stop, registry = connect(config.redis), asyncio.Event(), CollectorRegistry()
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(steer_loop(config, redis, owner, registry, ScriptedEvidenceKind()).run(stop))
            try:
                yield registry
            finally:
                stop.set()
    finally:
        await redis.aclose()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisClient]:
    client = connect(parse_config(yaml.safe_dump({**BOTH, "redis": {"url": redis_url}})).redis)
    yield client
    await client.aclose()


@pytest.fixture
def envoy(tmp_path: Path) -> Iterator[RunningEnvoy]:
    with running_envoy(yaml.safe_dump(BOTH), tmp_path) as one:
        yield one


async def order(redis: RedisClient, name: str, kind: CommandKind) -> None:
    await redis.xadd(WorkloadKeys(name).commands, {"c": to_json(Command(kind, "test"))})


async def led_by(redis: RedisClient, name: str, owner: str) -> bool:
    status = await read_status(redis, name)
    return status is not None and status.leader == owner


async def stands(redis: RedisClient, name: str, percent: float) -> bool:
    status = await read_status(redis, name)
    return status is not None and status.percent == percent


def long_ago() -> str:
    """Return a time so long ago that the group that wrote it no longer counts as steering."""
    return str(round((time.time() - LIVE_S - 1) * 1000))


async def test_two_groups_steer_their_own_workloads_at_the_same_time(
    redis_url: str, redis: RedisClient, envoy: RunningEnvoy
) -> None:
    a = team(redis_url, "team-a", "chat", admin=envoy.admin)
    b = team(redis_url, "Team_2", "batch", admin=envoy.admin)
    async with steering_client(a) as client, leading(a, "a"), leading(b, "b"):
        await eventually(lambda: led_by(redis, "chat", "a"))
        await eventually(lambda: led_by(redis, "batch", "b"))
        await order(redis, "chat", CommandKind.PROMOTE)
        await order(redis, "batch", CommandKind.PROMOTE)

        async def served(name: str) -> bool:
            runtime = await client.runtime(envoy.admin)
            return runtime.get(f"glidepath.{name}.weight.onprem-or-cloud") == "500"

        await eventually(lambda: served("chat"))
        await eventually(lambda: served("batch"))
        assert (await scorer_groups.leader(redis, "team-a"), await scorer_groups.leader(redis, "Team_2")) == ("a", "b")
        assert await scorer_groups.leader(redis, "") == ""
        for config, name, group in ((a, "chat", "team-a"), (b, "batch", "Team_2")):
            facts = await gather_redis(config)
            assert facts.last_steering[name].group == facts.group == group
            assert scorer_groups.group_problem(name, group, facts.leader, facts.last_steering[name]) is None


async def test_a_workload_of_two_groups_is_steered_by_one_and_taken_over_when_that_group_ends(
    redis_url: str, redis: RedisClient
) -> None:
    first, second = team(redis_url, "a", "chat"), team(redis_url, "b", "chat", "batch")
    with capture_logs() as logs:
        async with AsyncExitStack() as later:
            async with leading(first, "a"):
                await eventually(lambda: led_by(redis, "chat", "a"))
                registry = await later.enter_async_context(leading(second, "b"))
                await eventually(lambda: led_by(redis, "batch", "b"))
                await eventually(lambda: registry.get_sample_value("glidepath_workloads_not_steered") == 1)
                await order(redis, "chat", CommandKind.PROMOTE)
                await eventually(lambda: stands(redis, "chat", 5))
                assert await led_by(redis, "chat", "a")
            assert await led_by(redis, "chat", "a")
            await redis.hset(WorkloadKeys("chat").state, "at_ms", long_ago())
            await eventually(lambda: led_by(redis, "chat", "b"))
            assert await stands(redis, "chat", 5)
            await eventually(lambda: registry.get_sample_value("glidepath_workloads_not_steered") == 0)
    (said,) = [line for line in logs if line["event"] == "workload_not_steered"]
    assert said["workload"] == "chat"
    assert said["reason"] == "chat is steered by group 'a', this file belongs to group 'b'"
    assert not [line for line in logs if line["event"] == "workload_failed"]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def standby(redis: RedisClient, group: str, *names: str) -> tuple[GroupOwnership, Clock, CollectorRegistry]:
    clock, registry = Clock(), CollectorRegistry()
    lease = Lease(redis, "standby", 3, group=group)
    return GroupOwnership(redis, lease, names, SteerMetrics(registry), clock), clock, registry


async def test_a_standby_reports_once_that_the_leader_does_not_steer_one_of_its_workloads(
    redis_url: str, redis: RedisClient
) -> None:
    """Two scorers of one group have different files: groups exist to prevent this mistake."""
    async with leading(team(redis_url, "", "chat"), "leader"):
        await eventually(lambda: led_by(redis, "chat", "leader"))
        ownership, clock, registry = standby(redis, "", "chat", "batch")
        with capture_logs() as logs:
            await ownership.check_as_standby()
            assert not ownership.problems  # the leader may have begun just now
            for _ in range(3):
                clock.now += LIVE_S + 3
                await ownership.check_as_standby()
        assert [(line["event"], line["workload"]) for line in logs] == [("workload_not_steered", "batch")]
        assert logs[0]["reason"] == "leader holds the lease of the group without a name but does not steer batch"
        assert "scorer.group of its own" in logs[0]["remedy"]
        assert registry.get_sample_value("glidepath_workloads_not_steered") == 1
    with capture_logs() as logs:
        clock.now += CHECK_S
        await ownership.check_as_standby()  # without a leader: reported elsewhere
    assert [(line["event"], line["workload"]) for line in logs] == [("workload_steered", "batch")]
    assert registry.get_sample_value("glidepath_workloads_not_steered") == 0


async def test_status_and_doctor_name_a_workload_that_the_leader_does_not_steer(
    redis_url: str, redis: RedisClient, tmp_path: Path
) -> None:
    file = tmp_path / "glidepath.yaml"
    file.write_text(team(redis_url, "x", "chat", "batch").model_dump_json(exclude_unset=True))

    async def output_of(*arguments: str) -> str:
        line = [sys.executable, "-m", "glidepath_ops", *arguments, "-c", str(file)]
        return (await asyncio.to_thread(subprocess.run, line, capture_output=True, text=True, timeout=60)).stdout

    async with leading(team(redis_url, "x", "chat"), "leader"):
        await eventually(lambda: led_by(redis, "chat", "leader"))
        shown = " ".join((await output_of("status")).split())
        found = " ".join((await output_of("doctor", "--json")).split())
    for text in (shown, found):
        assert "leader holds the lease of group 'x' but does not steer batch" in text
        assert "scorer.group of its own" in text
        assert "does not steer chat" not in text


async def test_a_dead_leader_whose_lease_has_not_expired_is_not_reported(redis: RedisClient) -> None:
    await redis.set(lease_key(""), "dead")
    age = (LIVE_S + 1) * 1000
    await redis.hset(WorkloadKeys("chat").state, mapping={"group": "", "at_ms": round(time.time() * 1000 - age)})
    ownership, clock, _ = standby(redis, "", "chat")
    await ownership.check_as_standby()
    clock.now += LIVE_S + 3
    await ownership.check_as_standby()
    assert not ownership.problems
    await redis.hset(WorkloadKeys("chat").state, "at_ms", round(time.time() * 1000 - age - 3000))
    clock.now += CHECK_S
    await ownership.check_as_standby()
    assert set(ownership.problems) == {"chat"}


async def test_a_state_without_a_time_and_a_workload_without_a_state_were_never_steered(redis: RedisClient) -> None:
    await redis.hset(WorkloadKeys("chat").state, "fence", "7")
    found = await scorer_groups.last_steering(redis, ["chat", "batch"])
    assert found == {"chat": LastSteering("", None), "batch": LastSteering("", None)}


async def test_a_write_of_another_group_is_refused_and_changes_nothing_while_the_first_group_steers(
    redis: RedisClient,
) -> None:
    a, b = (RedisSteeringStore(redis, cluster=False, log_retention=1000, group=g) for g in ("", "b"))
    assert await a.write(3, {"chat": Record('{"by":"a"}', "{}")}) == {}
    failed = await b.write(99, {"chat": Record('{"by":"b"}', "b"), "batch": Record('{"by":"b"}')})
    assert set(failed) == {"chat"}
    assert isinstance(failed["chat"], OwnedError)
    assert failed["chat"].group == ""
    assert (await a.load("chat"), await a.load("batch")) == ({"by": "a"}, {"by": "b"})
    await redis.hset(WorkloadKeys("chat").state, "at_ms", long_ago())
    assert await b.write(99, {"chat": Record('{"by":"b"}')}) == {}
    assert isinstance((await a.write(4, {"chat": Record('{"by":"a"}')}))["chat"], OwnedError)


async def test_each_group_has_its_own_lease_and_the_unnamed_group_has_the_plain_keys(
    redis: RedisClient,
) -> None:
    one, two, other = Lease(redis, "one", 3), Lease(redis, "two", 3), Lease(redis, "other", 3, group="b")
    assert await one.acquire()
    assert not await two.acquire()
    assert await other.acquire()
    assert await redis.get("glidepath:lease") == b"one"
    assert await redis.get("glidepath:lease:b") == b"other"
    assert (fence_key(""), fence_key("b")) == ("glidepath:fence", "glidepath:fence:b")
    assert (await two.holder(), await other.holder()) == ("one", "other")
    await other.release()
    assert await one.renew()
    assert await other.holder() == ""


async def test_a_write_in_the_future_as_redis_clock_was_set_back_counts_from_now_on(redis: RedisClient) -> None:
    key, hour_ms = WorkloadKeys("chat").state, 3_600_000
    await redis.hset(key, mapping={"group": "gone", "at_ms": str(round(time.time() * 1000) + hour_ms)})
    assert (await scorer_groups.last_steering(redis, ["chat"]))["chat"] == LastSteering("gone", 0.0)
    assert abs(int(await redis.hget(key, "at_ms")) - time.time() * 1000) < hour_ms / 2
