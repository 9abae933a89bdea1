"""Two steering processes, one Redis, one Envoy: the leader is killed, paused and resumed. At most one writes."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from glidepath.config import Config, load_config
from glidepath.redis_keys import FENCE, LEASE
from glidepath.status_and_decisions import CommandKind
from glidepath_ops.local.child_process import Child
from scorer.steering.leader.lease import LONGEST_S, Lease
from scorer.steering.leader.redis_store import RedisSteeringStore
from scorer.steering.store_protocol import FencedError, Record
from tests.support.chat_config import CHAT_CONFIG
from tests.support.notification_inbox import inbox
from tests.support.running_envoy import RunningEnvoy, running_envoy
from tests.support.steering_client import SteeringClient, steering_client
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[3]
YAML = CHAT_CONFIG + "    ramp: {steps: [5, 25, 100]}\n"


@pytest.fixture
def envoy(tmp_path: Path) -> Iterator[RunningEnvoy]:
    with running_envoy(YAML, tmp_path) as one:
        yield one


@pytest.fixture
def file(envoy: RunningEnvoy, redis_url: str, tmp_path: Path) -> Path:
    data = yaml.safe_load(YAML) | {"envoy": {"admin": envoy.admin}, "redis": {"url": redis_url}}
    path = tmp_path / "glidepath.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


@contextmanager
def scorer(file: Path, owner: str) -> Iterator[Child]:
    command = [sys.executable, "-m", "tests.support.steering_process", str(file), owner]
    with Child(owner, command, file.parent / f"{owner}.log", cwd=ROOT) as child:
        yield child


async def leads(client: SteeringClient, owner: str) -> bool:
    status = await client.status()
    holder = await client.redis.get(LEASE)
    return status is not None and status.leader == owner and holder == owner.encode()


async def the_lease_ends_by_itself(client: SteeringClient) -> bool:
    """Return whether the leader's present lease, if there is one, expires within the configured time."""
    left_ms = await client.redis.pttl(LEASE)  # -2: there is no lease; -1: it never ends
    return left_ms == -2 or 0 <= left_ms <= client.config.scorer.lease * 1000


def settings(file: Path) -> Config:
    return load_config(file)


def notify_by(file: Path, url: str) -> None:
    data = yaml.safe_load(file.read_text()) | {"notify": [{"kind": "webhook", "url": url}]}
    file.write_text(yaml.safe_dump(data))


async def test_a_killed_leader_is_replaced_when_its_lease_ends(file: Path, envoy: RunningEnvoy) -> None:
    async with steering_client(settings(file)) as client:
        with scorer(file, "first") as first:
            await eventually(lambda: leads(client, "first"))
            with scorer(file, "second"):
                await client.order(CommandKind.PROMOTE)
                await eventually(lambda: client.has(envoy.admin, 500))
                first.kill()
                assert await the_lease_ends_by_itself(client)
                await eventually(lambda: leads(client, "second"))
                await client.order(CommandKind.PROMOTE)
                await eventually(lambda: client.has(envoy.admin, 2500))
                assert [d.event for d in await client.log()] == ["promote", "promote"]


async def test_what_a_killed_leader_could_not_deliver_is_delivered_once_by_the_next_one(file: Path) -> None:
    async with inbox(failures=10**6) as box, steering_client(settings(file)) as client:
        notify_by(file, box.url)
        with scorer(file, "first") as first:
            await eventually(lambda: client.redis.keys("glidepath:delivered:*"))
            await client.order(CommandKind.PROMOTE)
            await eventually(lambda: box.failures < 10**6)
            first.kill()
        box.failures = 0
        with scorer(file, "second"):
            await eventually(lambda: [body["data"]["event"] for _, _, body in box.got] == ["promote"])
            await client.order(CommandKind.ABORT)
            await eventually(lambda: [body["data"]["event"] for _, _, body in box.got] == ["promote", "abort"])


async def test_a_frozen_leader_is_replaced_and_writes_nothing_after_it_resumes(file: Path, envoy: RunningEnvoy) -> None:
    async with steering_client(settings(file)) as client:
        with scorer(file, "first") as first:
            await eventually(lambda: leads(client, "first"))
            with scorer(file, "second"):
                await client.order(CommandKind.PROMOTE)
                await eventually(lambda: client.has(envoy.admin, 500))
                first.signal(signal.SIGSTOP)
                await client.order(CommandKind.PROMOTE)  # the frozen leader reads this after it resumes
                assert await the_lease_ends_by_itself(client)
                await eventually(lambda: leads(client, "second"))
                await eventually(lambda: client.has(envoy.admin, 2500))
                await client.order(CommandKind.ABORT)
                await eventually(lambda: client.stands("aborted", 0, 1))
                first.signal(signal.SIGCONT)
                await eventually(lambda: "lease_lost" in first.log.read_text())
                await eventually(lambda: client.stands("aborted", 0, 1))
                assert await client.has(envoy.admin, 0)
                assert [d.event for d in await client.log()] == ["promote", "promote", "abort"]
                assert await leads(client, "second")


async def test_a_leader_that_ends_cleanly_releases_its_lease_and_is_replaced(file: Path) -> None:
    async with steering_client(settings(file)) as client:
        with scorer(file, "first") as first:
            await eventually(lambda: leads(client, "first"))
            with scorer(file, "second") as second:
                await eventually(lambda: second.alive and (file.parent / "second.log").exists())
                assert first.stop() == 0
                assert await client.redis.get(LEASE) != b"first"
                await eventually(lambda: leads(client, "second"))


async def test_only_one_scorer_acquires_the_lease_and_each_term_has_a_higher_token(file: Path) -> None:
    async with steering_client(settings(file)) as client:
        one, two = Lease(client.redis, "one", 3), Lease(client.redis, "two", 3)
        assert await one.acquire()
        assert not await two.acquire()
        assert not two.held()
        await one.release()
        assert not one.held()
        assert await two.acquire()
        assert two.fence > one.fence
        assert int(await client.redis.get(FENCE)) == two.fence


async def test_a_lease_that_another_scorer_holds_is_neither_renewed_nor_released(file: Path) -> None:
    async with steering_client(settings(file)) as client:
        one = Lease(client.redis, "one", 3)
        assert await one.acquire()
        await client.redis.set(LEASE, "two")
        assert not await one.renew()
        assert not one.held()
        await one.release()
        assert await client.redis.get(LEASE) == b"two"


async def test_a_lease_that_outlives_every_lease_as_redis_clock_was_set_back_ends_within_a_minute(file: Path) -> None:
    async with steering_client(settings(file)) as client:
        await client.redis.set(LEASE, "dead", px=3_600_000)
        assert not await Lease(client.redis, "two", 3).acquire()
        assert 0 < await client.redis.pttl(LEASE) <= LONGEST_S * 1000
        await client.redis.set(LEASE, "alive", px=LONGEST_S * 1000 - 1)
        before = await client.redis.pexpiretime(LEASE)
        assert not await Lease(client.redis, "two", 3).acquire()
        assert await client.redis.pexpiretime(LEASE) == before


async def test_a_holder_stops_trusting_its_lease_before_redis_ends_it(file: Path) -> None:
    clock = [100.0]
    async with steering_client(settings(file)) as client:
        lease = Lease(client.redis, "one", 3, clock=lambda: clock[0])
        assert await lease.acquire()
        clock[0] += 2.3
        assert lease.held()
        clock[0] += 0.2
        assert not lease.held()
        assert await client.redis.get(LEASE) == b"one"


async def test_an_older_token_writes_no_state_no_status_and_no_log(file: Path) -> None:
    async with steering_client(settings(file)) as client:
        store = RedisSteeringStore(client.redis, cluster=False, log_retention=1000)
        assert await store.write(7, {"chat": Record('{"by":"new"}', "{}")}) == {}
        failed = await store.write(6, {"chat": Record('{"by":"old"}', "old")})
        assert isinstance(failed["chat"], FencedError)
        assert await store.load("chat") == {"by": "new"}
        assert await client.redis.get(client.keys.status) == b"{}"


async def test_a_leader_can_write_after_redis_has_lost_the_token_counter(file: Path) -> None:
    """After FLUSHALL during a write, or a failover of the counter's node, the state's token is above the counter."""
    async with steering_client(settings(file)) as client:
        await client.redis.hset(client.keys.state, "fence", "5000")
        with scorer(file, "first"):
            await eventually(lambda: leads(client, "first"))
        assert int(await client.redis.get(FENCE)) > 5000


async def test_the_token_counter_never_decreases(file: Path) -> None:
    async with steering_client(settings(file)) as client:
        lease = Lease(client.redis, "one", 3)
        await lease.catch_up(9)
        await lease.catch_up(4)
        assert await lease.acquire()
        assert lease.fence == 10


async def test_a_leader_whose_redis_was_flushed_continues_where_the_ramp_was(file: Path, envoy: RunningEnvoy) -> None:
    async with steering_client(settings(file)) as client:
        with scorer(file, "first"):
            await eventually(lambda: leads(client, "first"))
            await client.order(CommandKind.PROMOTE)
            await client.order(CommandKind.PROMOTE)
            await eventually(lambda: client.stands("baking", 25, 1))
            await client.redis.flushall()
            await eventually(lambda: leads(client, "first"))
            await eventually(lambda: client.stands("baking", 25, 1))
            assert await client.has(envoy.admin, 2500)
            assert not await client.log()  # no scorer decided anything
            await client.order(CommandKind.ABORT)
            await eventually(lambda: client.has(envoy.admin, 0))
