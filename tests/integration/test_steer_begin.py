"""A state that is gone or cannot be read, and a command stream that is not: history is not lived again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from glidepath.clock import unix_ms
from glidepath.config import parse_config
from glidepath.domain import Origin, Outcomes, Side, SideOutcomes
from glidepath.keys import WorkloadKeys
from glidepath.records import Command, CommandKind, Decision, WorkloadStatus, from_json, to_json
from glidepath.redisio import RedisClient, connect
from glidepath.wire import encode_outcomes
from scorer.steering.envoy.actuator import MemoryActuator
from scorer.steering.leader.lease import Lease
from scorer.steering.leader.steer_loop import SteerLoop
from scorer.steering.leader.steer_metrics import SteerMetrics
from scorer.steering.leader.steering_store import RedisStore
from tests.support.steering import Scripted
from tests.support.steering_client import BASELINE, CANDIDATE, until

KEYS = WorkloadKeys("chat")
DAY_MS = 86_400_000
YAML = """
redis: {{url: "{url}"}}
backends:
  cloud: {{url: "http://127.0.0.1:9001"}}
  onprem: {{url: "http://127.0.0.1:9002"}}
workloads:
  chat: {{match: {{path: /v1}}, baseline: cloud, candidate: onprem, ramp: {{steps: [1, 5, 25, 50, 100]}}}}
"""
UP = (
    Command(CommandKind.PROMOTE, "ann", force=True),
    Command(CommandKind.PROMOTE, "ann", percent=50.0, force=True),
    Command(CommandKind.RETRY, "ann", force=True),
    Command(CommandKind.APPROVE, "ann", force=True),
    Command(CommandKind.RESUME, "ann"),
    Command(CommandKind.SHADOW, "ann", percent=3.0),
    Command(CommandKind.DRILL, "ann", force=True),
)
ABORT = Command(CommandKind.ABORT, "ann")


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisClient]:
    client = connect(parse_config(YAML.format(url=redis_url)).redis)
    yield client
    await client.aclose()


@pytest.fixture
def envoys() -> MemoryActuator:
    """At 1 %, in the admin layer."""
    two = MemoryActuator(2)
    for envoy in two.runtime:
        two.set_runtime(envoy, {CANDIDATE: "100", BASELINE: "9900", "glidepath.chat.shadow": "100"})
    return two


async def say(redis: RedisClient, *commands: Command, ago_ms: int = 0) -> None:
    for number, command in enumerate(commands):
        entry: Any = f"{unix_ms() - ago_ms}-{number}" if ago_ms else "*"
        await redis.xadd(KEYS.commands, {"c": to_json(command)}, id=entry)


async def unreadable(redis: RedisClient) -> None:
    """A leader of another version wrote a moment ago, after all that was said."""
    await redis.hset(KEYS.state, mapping={"blob": '{"ramp": "another"}', "fence": "0", "group": "", "at_ms": unix_ms()})


@asynccontextmanager
async def client(redis: RedisClient, envoys: MemoryActuator, url: str) -> AsyncIterator[None]:
    stop = asyncio.Event()
    loop = SteerLoop(
        parse_config(YAML.format(url=url)),
        RedisStore(redis, cluster=False, log_retention=100),
        Lease(redis, "leader", 3.0),
        lambda _: envoys,
        Scripted(),
        SteerMetrics(CollectorRegistry()),
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(loop.run(stop))
        await until(lambda: redis.exists(KEYS.status))
        yield
        stop.set()


async def status(redis: RedisClient) -> WorkloadStatus:
    raw = await redis.get(KEYS.status)
    assert raw is not None
    return from_json(WorkloadStatus, raw)


async def log(redis: RedisClient) -> list[Decision]:
    return [from_json(Decision, fields[b"d"]) for _, fields in await redis.xrange(KEYS.log)]


async def answered(redis: RedisClient, command: Command) -> Decision:
    """Says it, and waits for the answer: everything of before was read then."""
    entry = (await redis.xadd(KEYS.commands, {"c": to_json(command)})).decode()

    async def found() -> list[Decision]:
        return [d for d in await log(redis) if d.details.get("command_id") == entry]

    await until(found)
    return (await found())[0]


def candidate(envoys: MemoryActuator) -> set[str]:
    return {values.get(CANDIDATE, "") for values in envoys.runtime.values()}


@pytest.mark.parametrize("rtds", [False, True])
async def test_a_state_that_cannot_be_read_holds_the_weights_whatever_was_once_said_and_is_kept(
    redis: RedisClient, redis_url: str, envoys: MemoryActuator, rtds: bool
) -> None:
    if rtds:  # what the Envoys serve is not known
        envoys.unknown_weights = set(envoys.runtime)
        envoys.runtime = {envoy: {} for envoy in envoys.runtime}
    await say(redis, *UP, ABORT, ago_ms=60_000)
    await unreadable(redis)
    async with client(redis, envoys, redis_url):
        hold = await answered(redis, Command(CommandKind.HOLD, "bob"))
        assert (hold.event, hold.phase) == ("hold", "held")
        decisions = await log(redis)
        assert [d.event for d in decisions] == (["hold", "hold"] if rtds else ["hold", "adopt_weights", "hold"])
        assert candidate(envoys) == ({""} if rtds else {"100"})
        assert (await status(redis)).autopilot
        assert await redis.hget(KEYS.state, "unreadable") == b'{"ramp": "another"}'
        assert await redis.hget(KEYS.state, "blob") != b'{"ramp": "another"}'
        assert (await answered(redis, Command(CommandKind.PROMOTE, "bob", percent=5.0))).to_percent == 5


async def test_what_was_said_while_nobody_steered_only_ever_lowers(
    redis: RedisClient, redis_url: str, envoys: MemoryActuator
) -> None:
    await unreadable(redis)
    await redis.hset(KEYS.state, "at_ms", str(unix_ms() - 60_000))
    await say(redis, *UP, ago_ms=30_000)
    await say(redis, Command(CommandKind.ROLLBACK, "ann"), ago_ms=20_000)
    await say(redis, *UP, ago_ms=10_000)
    async with client(redis, envoys, redis_url):
        await until(lambda: candidate(envoys) == {"0"})
        await answered(redis, Command(CommandKind.ANNOTATE, "bob"))
        assert candidate(envoys) == {"0"}
        refused = [d for d in await log(redis) if d.event == "refused"]
        assert len(refused) == 2 * len(UP)
        assert {d.reason for d in refused} == {"the command was given before the present state began; give it again"}


async def test_a_state_that_is_gone_does_not_bring_back_what_was_answered_or_is_long_ago(
    redis: RedisClient, redis_url: str, envoys: MemoryActuator
) -> None:
    await say(redis, *UP, ABORT, ago_ms=DAY_MS + 60_000)
    await say(redis, ABORT, ago_ms=60_000)
    entry = (await redis.xrevrange(KEYS.commands, count=1))[0][0].decode()
    done = Decision(1, "chat", "abort", 5, 0, "aborted", "by command", "command:abort", details={"command_id": entry})
    await redis.xadd(KEYS.log, {"d": to_json(done)})
    async with client(redis, envoys, redis_url):
        await answered(redis, Command(CommandKind.ANNOTATE, "bob"))
        assert [d.event for d in await log(redis)] == ["abort", "adopt_weights", "annotate"]
        assert candidate(envoys) == {"100"}


async def test_a_hold_that_was_said_before_the_first_scorer_began_holds_and_a_promote_does_not_promote(
    redis: RedisClient, redis_url: str
) -> None:
    await say(redis, Command(CommandKind.HOLD, "ann"), *UP)
    async with client(redis, MemoryActuator(1), redis_url):
        await answered(redis, Command(CommandKind.ANNOTATE, "bob"))
        now = await status(redis)
        assert (now.phase, now.percent, now.held_by) == ("held", 0, "ann")
        assert [d.event for d in await log(redis)] == ["hold", *["refused"] * len(UP), "annotate"]


async def test_evidence_of_before_is_counted_and_says_nothing_about_the_state_that_begins(
    redis: RedisClient, redis_url: str, envoys: MemoryActuator
) -> None:
    bad = SideOutcomes(Side.CANDIDATE, Origin.LIVE, requests=50, errors=50)
    for number in range(5):
        then = unix_ms() - 60_000 + number
        flush = Outcomes("chat", "x", number, then, then + 1, (bad,))
        await redis.xadd(KEYS.outcomes, {"o": encode_outcomes(flush)}, id=f"{then + 2}-0")
    await unreadable(redis)
    async with client(redis, envoys, redis_url):
        await answered(redis, Command(CommandKind.ANNOTATE, "bob"))
        assert [d.event for d in await log(redis)] == ["hold", "adopt_weights", "annotate"]
        assert candidate(envoys) == {"100"}
