"""The steer loop with a real Envoy and a real Redis; only the evidence is scripted."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from glidepath.config import Config
from glidepath.config.connections import RedisSection
from glidepath.outcome_summaries import Outcomes
from glidepath.protobuf_codec import encode_outcomes
from glidepath.sides import Origin
from glidepath.status_and_decisions import CommandKind
from glidepath_ops.local.child_process import Child, free_ports
from glidepath_ops.local.redis_and_envoy import start_envoy, start_redis
from tests.support.chat_config import CHAT_CONFIG
from tests.support.running_envoy import RunningEnvoy, running_envoy
from tests.support.steering_client import AUTOPILOT, BASELINE, CANDIDATE, SteeringClient, steering
from tests.support.waiting import eventually

YAML = (
    CHAT_CONFIG + "    ramp: {steps: [5, 25, 100], hold: 300ms, min_samples: 2, cool_down: 1h, unjudged_limit: 100}\n"
)


@dataclass
class Fleet:
    """One or two Envoys that can be stopped and started again at the same place."""

    envoys: list[RunningEnvoy]
    folders: list[Path]
    again: list[Child]

    def start_again(self, index: int) -> None:
        envoy, folder = self.envoys[index], self.folders[index]
        self.again.append(start_envoy(folder / "envoy.yaml", envoy.admin, folder / "again.log", concurrency=1))


@pytest.fixture
def envoy(tmp_path: Path) -> Iterator[Fleet]:
    with running_envoy(YAML, tmp_path) as one:
        fleet = Fleet([one], [tmp_path], [])
        yield fleet
        for child in fleet.again:
            child.stop()


@pytest.fixture
def two_envoys(tmp_path: Path) -> Iterator[Fleet]:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    with running_envoy(YAML, folders[0]) as one, running_envoy(YAML, folders[1]) as two:
        fleet = Fleet([one, two], folders, [])
        yield fleet
        for child in fleet.again:
            child.stop()


def fleet_config(fleet: Fleet, redis_url: str, *more: str) -> Config:
    config = fleet.envoys[0].config
    admin = (*(e.admin for e in fleet.envoys), *more)
    envoy = config.envoy.model_copy(update={"admin": admin})
    return config.model_copy(update={"envoy": envoy, "redis": RedisSection(url=redis_url)})


async def test_the_share_rises_on_proof_and_falls_on_a_failed_guard(envoy: Fleet, redis_url: str) -> None:
    admin = envoy.envoys[0].admin
    async with steering(fleet_config(envoy, redis_url)) as client:
        await eventually(lambda: client.stands("shadow", 0, 1))
        assert await client.weights(admin) == (0, 10_000)
        await client.score(0.95)
        await client.outcomes(3, 0, Origin.SHADOW)
        await eventually(lambda: client.stands("baking", 5, 1))
        assert await client.weights(admin) == (500, 9500)
        await client.outcomes(3, 3)
        await eventually(lambda: client.has(admin, 0))
        await eventually(lambda: client.stands("cooling_down", 0, 1))
        decision = await client.logged("rollback")
        assert decision is not None
        assert (decision.trigger, decision.from_percent, decision.to_percent) == ("errors_fast", 5, 0)
        assert decision.verdicts
        assert decision.model_versions["candidate"] == "onprem"


async def test_a_restarted_envoy_is_written_again(envoy: Fleet, redis_url: str) -> None:
    admin = envoy.envoys[0].admin
    async with steering(fleet_config(envoy, redis_url)) as client:
        await eventually(lambda: client.stands("shadow", 0, 1))
        await client.order(CommandKind.PROMOTE)
        await eventually(lambda: client.has(admin, 500))
        envoy.envoys[0].child.kill()
        envoy.start_again(0)
        await eventually(lambda: client.has(admin, 500))
        await eventually(lambda: client.logged("restore_weights"))
        assert await client.stands("baking", 5)


async def test_weights_set_by_a_person_are_adopted_and_held(envoy: Fleet, redis_url: str) -> None:
    admin = envoy.envoys[0].admin
    async with steering(fleet_config(envoy, redis_url)) as client:
        await eventually(lambda: client.stands("shadow", 0, 1))
        await client.curl(admin, candidate=3000, baseline=7000)
        await eventually(lambda: client.stands("held", 30, 1))
        await client.score(0.95)
        await client.outcomes(5, 0)
        decision = await client.logged("adopt_weights")
        assert decision is not None
        assert "glidepath resume chat" in decision.reason
        assert await client.weights(admin) == (3000, 7000)
        await client.curl(admin, autopilot=1)
        await eventually(lambda: client.has(admin, 10_000))  # all steps passed, so the share goes on to the last one


async def test_all_traffic_that_a_person_returns_to_the_baseline_stays_there(envoy: Fleet, redis_url: str) -> None:
    admin = envoy.envoys[0].admin
    async with steering(fleet_config(envoy, redis_url)) as client:
        await eventually(lambda: client.stands("shadow", 0, 1))
        await client.order(CommandKind.PROMOTE)
        await eventually(lambda: client.has(admin, 500))
        await client.curl(admin, candidate=0)
        await eventually(lambda: client.stands("held", 0, 1))
        assert await client.weights(admin) == (0, 10_000)


async def test_invalid_weights_give_the_candidate_nothing_and_are_explained(envoy: Fleet, redis_url: str) -> None:
    admin = envoy.envoys[0].admin
    async with steering(fleet_config(envoy, redis_url)) as client:
        await eventually(lambda: client.stands("shadow", 0, 1))
        await client.order(CommandKind.PROMOTE)
        await client.order(CommandKind.PROMOTE)
        await eventually(lambda: client.has(admin, 2500))
        await client.curl(admin, baseline=100)
        await eventually(lambda: client.stands("held", 25, 1))
        assert await client.has(admin, 2500)
        await client.curl(admin, candidate=1000, baseline="9000.0")
        await eventually(lambda: client.stands("held", 10, 1))
        assert await client.has(admin, 1000)
        for values in ({"candidate": "99%", "baseline": "1%"}, {"candidate": 0, "baseline": 0}, {"baseline": 10_000}):
            await client.curl(admin, **values)
            await eventually(lambda: _settled(client, admin))
        assert await client.has(admin, 0)
        adopted = await client.logged("adopt_weights")
        assert adopted is not None
        assert "glidepath.chat.weight.cloud=9000.0" in adopted.reason
        assert all(d.to_percent <= 25 for d in await client.log())
        await client.curl(admin, autopilot="false")
        await eventually(lambda: client.logged("autopilot_off"))
        assert not await client.logged("autopilot_on")


async def _settled(client: SteeringClient, admin: str) -> bool:
    weights = await client.admin_layer(admin)
    return weights[CANDIDATE].isdigit() and weights[BASELINE].isdigit() and sum(await client.weights(admin)) == 10_000


async def test_without_autopilot_no_step_is_taken_and_with_autopilot_again_the_ramp_continues(
    envoy: Fleet, redis_url: str
) -> None:
    admin = envoy.envoys[0].admin
    async with steering(fleet_config(envoy, redis_url)) as client:
        await eventually(lambda: client.stands("shadow", 0, 1))
        await client.curl(admin, autopilot=0)
        await eventually(lambda: client.logged("autopilot_off"))
        await client.score(0.95)
        await client.outcomes(3, 0, Origin.SHADOW)

        async def proved() -> bool:
            status = await client.status()
            assert status is not None
            assert status.percent == 0
            return status.verdicts[0].outcome == "pass" and status.candidate.requests == 3

        await eventually(proved)
        assert not await client.logged("promote")
        await client.curl(admin, autopilot=1)
        await eventually(lambda: client.has(admin, 500))

        async def override_is_adopted() -> bool:
            return AUTOPILOT not in await client.admin_layer(admin)

        await eventually(override_is_adopted)  # so that the next manual 1 is a change again


async def test_an_unreachable_envoy_shows_as_k_of_n_and_is_written_to_when_it_is_back(
    two_envoys: Fleet, redis_url: str
) -> None:
    first, second = (e.admin for e in two_envoys.envoys)
    async with steering(fleet_config(two_envoys, redis_url)) as client:
        await eventually(lambda: client.stands("shadow", 0, 2))
        two_envoys.envoys[1].child.kill()
        await client.order(CommandKind.PROMOTE)
        await eventually(lambda: client.stands("baking", 5, 1))
        assert await client.has(first, 500)
        status = await client.status()
        assert status is not None
        assert (status.confirmed, status.envoys) == (1, 2)
        assert "1 of 2 Envoys" in status.message or "bakes" in status.message
        two_envoys.start_again(1)
        await eventually(lambda: client.has(second, 500))
        await eventually(lambda: client.stands("baking", 5, 2))


async def test_a_failure_lowers_the_share_before_the_next_regular_tick_although_an_envoy_hangs(
    envoy: Fleet, redis_url: str
) -> None:
    with socket.socket() as deaf:  # accepts connections in the kernel, answers nothing
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        admin = envoy.envoys[0].admin
        config = fleet_config(envoy, redis_url, f"http://127.0.0.1:{deaf.getsockname()[1]}")
        seldom = config.scorer.model_copy(update={"tick": 60.0})  # only news can cause a tick before the deadline
        async with steering(config.model_copy(update={"scorer": seldom})) as client:
            await eventually(lambda: client.stands("shadow", 0))
            await client.order(CommandKind.PROMOTE)
            await eventually(lambda: client.has(admin, 500))
            await client.outcomes(3, 3)
            await eventually(lambda: client.has(admin, 0))
            await eventually(lambda: client.stands("rolling_back", 0))


async def test_a_drill_rolls_back_and_restores_the_share(envoy: Fleet, redis_url: str) -> None:
    admin = envoy.envoys[0].admin
    async with steering(fleet_config(envoy, redis_url)) as client:
        await eventually(lambda: client.stands("shadow", 0, 1))
        await client.order(CommandKind.PROMOTE)
        await eventually(lambda: client.has(admin, 500))
        await client.order(CommandKind.DRILL)
        await eventually(lambda: client.has(admin, 0))
        await eventually(lambda: client.has(admin, 500))
        await eventually(lambda: client.logged("drill_finished"))
        decision = await client.logged("drill_finished")
        assert decision is not None
        assert decision.details["passed"] is True
        assert 0 <= decision.details["confirmed_after_ms"] < 20_000


async def test_a_new_leader_continues_the_state_and_its_weights_are_not_taken_for_an_override(
    envoy: Fleet, redis_url: str
) -> None:
    admin = envoy.envoys[0].admin
    config = fleet_config(envoy, redis_url)
    async with steering(config, "first") as client:
        await eventually(lambda: client.stands("shadow", 0, 1))
        await client.order(CommandKind.PROMOTE)
        await eventually(lambda: client.has(admin, 500))
        await eventually(lambda: client.stands("baking", 5, 1))
        await client.outcomes(7, 1)
    async with steering(config, "second") as client:

        async def second_leads() -> bool:
            status = await client.status()
            return status is not None and status.leader == "second" and status.candidate.requests == 7

        await eventually(second_leads)
        assert await client.stands("baking", 5)
        assert [d.event for d in await client.log()] == ["promote"]


async def test_dns_names_stand_for_all_their_addresses(envoy: Fleet, redis_url: str) -> None:
    port = envoy.envoys[0].admin.rpartition(":")[2]
    config = fleet_config(envoy, redis_url)
    config = config.model_copy(
        update={"envoy": config.envoy.model_copy(update={"admin": (f"dns://localhost:{port}",)})}
    )
    async with steering(config) as client:
        await eventually(lambda: client.stands("shadow", 0, 1))
        await client.order(CommandKind.PROMOTE)
        await eventually(lambda: client.has(envoy.envoys[0].admin, 500))


async def test_a_bug_and_bad_records_in_one_workload_do_not_stop_another(tmp_path: Path, redis_url: str) -> None:
    other = (
        YAML
        + """
  batch:
    match: {path: /v1/batch}
    baseline: cloud
    candidate: onprem
"""
    )
    with running_envoy(other, tmp_path) as one:
        config = fleet_config(Fleet([one], [tmp_path], []), redis_url)
        async with steering(config) as client:
            await eventually(lambda: client.stands("shadow", 0, 1))
            await client.redis.set("glidepath:{batch}:results", "a string where a stream should be")
            await client.redis.xadd("glidepath:{batch}:outcomes", {"o": b"\xff\xff no record"})
            await client.redis.xadd("glidepath:{batch}:commands", {"c": b"{"})
            poison = Outcomes("batch", "poison", 1, 2**41, 2**41)
            await client.redis.xadd("glidepath:{batch}:outcomes", {"o": encode_outcomes(poison)})
            await client.order(CommandKind.PROMOTE)
            await eventually(lambda: client.has(one.admin, 500))
            assert await client.stands("baking", 5)


async def test_without_redis_weights_stay_and_steering_continues_when_redis_is_back(
    envoy: Fleet, tmp_path: Path
) -> None:
    admin, port = envoy.envoys[0].admin, free_ports(1)[0]
    config = fleet_config(envoy, f"redis://127.0.0.1:{port}/0")
    first = start_redis(tmp_path / "redis", port)
    try:
        async with steering(config) as client:
            await eventually(lambda: client.stands("shadow", 0, 1))
            await client.order(CommandKind.PROMOTE)
            await eventually(lambda: client.has(admin, 500))
            first.stop()
            assert await client.has(admin, 500)
            first = start_redis(tmp_path / "redis", port)
            await client.redis.connection_pool.disconnect()
            await client.order(CommandKind.ROLLBACK)
            await eventually(lambda: client.has(admin, 0))
    finally:
        first.stop()
