"""A start without a usable state: earlier commands and evidence are not used again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from glidepath.clock import unix_ms
from glidepath.config import parse_config
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.protobuf_codec import encode_outcomes
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient, connect
from glidepath.sides import Origin, Side
from glidepath.status_and_decisions import Command, CommandKind, Decision, WorkloadStatus, from_json, to_json
from scorer.steering.envoy.actuator import MemoryActuator
from scorer.steering.leader.lease import Lease
from scorer.steering.leader.redis_store import RedisSteeringStore
from scorer.steering.leader.steer_loop import SteerLoop
from scorer.steering.leader.steer_metrics import SteerMetrics
from scorer.steering.workload.workload_state_codec import SCHEMA
from tests.support.scripted_evidence import ScriptedEvidenceKind
from tests.support.steering_client import BASELINE, CANDIDATE
from tests.support.waiting import eventually

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
    """Two Envoys that serve 1 % by values in their admin layer."""
    two = MemoryActuator(2)
    for envoy in two.runtime:
        two.set_runtime(envoy, {CANDIDATE: "100", BASELINE: "9900", "glidepath.chat.shadow": "100"})
    return two


async def send(redis: RedisClient, *commands: Command, ago_ms: int = 0) -> None:
    for number, command in enumerate(commands):
        entry: Any = f"{unix_ms() - ago_ms}-{number}" if ago_ms else "*"
        await redis.xadd(KEYS.commands, {"c": to_json(command)}, id=entry)


UNREADABLE = json.dumps({"schema": SCHEMA, "ramp": "another"})
OTHER_SCHEMA = json.dumps({"ramp": {"phase": "baking", "percent": 1}})


async def store(redis: RedisClient, state: str) -> None:
    """Store a state, as if a leader that has read all commands had written it."""
    await redis.hset(KEYS.state, mapping={"blob": state, "fence": "0", "group": "", "at_ms": unix_ms()})


@asynccontextmanager
async def steered(redis: RedisClient, envoys: MemoryActuator, url: str) -> AsyncIterator[None]:
    stop = asyncio.Event()
    loop = SteerLoop(
        parse_config(YAML.format(url=url)),
        RedisSteeringStore(redis, cluster=False, log_retention=100),
        Lease(redis, "leader", 3.0),
        lambda _: envoys,
        ScriptedEvidenceKind(),
        SteerMetrics(CollectorRegistry()),
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(loop.run(stop))
        await eventually(lambda: redis.exists(KEYS.status))
        yield
        stop.set()


async def status(redis: RedisClient) -> WorkloadStatus:
    raw = await redis.get(KEYS.status)
    assert raw is not None
    return from_json(WorkloadStatus, raw)


async def log(redis: RedisClient) -> list[Decision]:
    return [from_json(Decision, fields[b"d"]) for _, fields in await redis.xrange(KEYS.log)]


async def answered(redis: RedisClient, command: Command) -> Decision:
    """Send the command, and return its answer. By then, the leader has read all earlier entries."""
    entry = (await redis.xadd(KEYS.commands, {"c": to_json(command)})).decode()

    async def found() -> list[Decision]:
        return [d for d in await log(redis) if d.details.get("command_id") == entry]

    await eventually(found)
    return (await found())[0]


def candidate(envoys: MemoryActuator) -> set[str]:
    return {values.get(CANDIDATE, "") for values in envoys.runtime.values()}


@pytest.mark.parametrize("rtds", [False, True])
async def test_an_unreadable_state_is_kept_and_holds_the_weights_whatever_commands_came_before(
    redis: RedisClient, redis_url: str, envoys: MemoryActuator, rtds: bool
) -> None:
    if rtds:  # the share that the Envoys serve is unknown
        envoys.unknown_weights = set(envoys.runtime)
        envoys.runtime = {envoy: {} for envoy in envoys.runtime}
    await send(redis, *UP, ABORT, ago_ms=60_000)
    await store(redis, UNREADABLE)
    async with steered(redis, envoys, redis_url):
        hold = await answered(redis, Command(CommandKind.HOLD, "bob"))
        assert (hold.event, hold.phase) == ("hold", "held")
        decisions = await log(redis)
        assert [d.event for d in decisions] == (["hold", "hold"] if rtds else ["hold", "adopt_weights", "hold"])
        assert candidate(envoys) == ({""} if rtds else {"100"})
        assert (await status(redis)).autopilot
        assert await redis.hget(KEYS.state, "unreadable") == UNREADABLE.encode()
        assert await redis.hget(KEYS.state, "blob") != UNREADABLE.encode()
        assert (await answered(redis, Command(CommandKind.PROMOTE, "bob", percent=5.0))).to_percent == 5


@pytest.mark.parametrize("rtds", [False, True])
async def test_a_state_of_another_schema_is_kept_and_the_envoys_get_the_baselines_weights(
    redis: RedisClient, redis_url: str, envoys: MemoryActuator, rtds: bool
) -> None:
    if rtds:  # the share that the Envoys serve is unknown
        envoys.unknown_weights = set(envoys.runtime)
        envoys.runtime = {envoy: {} for envoy in envoys.runtime}
    await send(redis, *UP, ago_ms=60_000)
    await store(redis, OTHER_SCHEMA)
    async with steered(redis, envoys, redis_url):
        await eventually(lambda: candidate(envoys) == {"0"})
        await answered(redis, Command(CommandKind.ANNOTATE, "bob"))
        discarded = (await log(redis))[0]
        assert (discarded.event, discarded.trigger) == ("state_discarded", "state_schema")
        assert "the state of chat was stored by an older checkout; this one reads schema" in discarded.reason
        assert {d.event for d in await log(redis)} <= {"state_discarded", "restore_weights", "annotate"}
        now = await status(redis)
        assert (now.phase, now.percent, now.share_known) == ("shadow", 0, True)
        assert "was stored by an older checkout" in now.message
        assert await redis.hget(KEYS.state, "unreadable") == OTHER_SCHEMA.encode()
        promoted = await answered(redis, Command(CommandKind.PROMOTE, "bob"))
        assert (promoted.event, promoted.to_percent) == ("promote", 1)


async def test_commands_given_while_no_scorer_steered_can_only_lower_the_share(
    redis: RedisClient, redis_url: str, envoys: MemoryActuator
) -> None:
    await store(redis, UNREADABLE)
    await redis.hset(KEYS.state, "at_ms", str(unix_ms() - 60_000))
    await send(redis, *UP, ago_ms=30_000)
    await send(redis, Command(CommandKind.ROLLBACK, "ann"), ago_ms=20_000)
    await send(redis, *UP, ago_ms=10_000)
    async with steered(redis, envoys, redis_url):
        await eventually(lambda: candidate(envoys) == {"0"})
        await answered(redis, Command(CommandKind.ANNOTATE, "bob"))
        assert candidate(envoys) == {"0"}
        refused = [d for d in await log(redis) if d.event == "refused"]
        assert len(refused) == 2 * len(UP)
        assert {d.reason for d in refused} == {"the command was given before the present state began; give it again"}


async def test_without_a_state_commands_that_were_answered_or_are_old_are_not_carried_out(
    redis: RedisClient, redis_url: str, envoys: MemoryActuator
) -> None:
    await send(redis, *UP, ABORT, ago_ms=DAY_MS + 60_000)
    await send(redis, ABORT, ago_ms=60_000)
    entry = (await redis.xrevrange(KEYS.commands, count=1))[0][0].decode()
    done = Decision(1, "chat", "abort", 5, 0, "aborted", "by command", "command:abort", details={"command_id": entry})
    await redis.xadd(KEYS.log, {"d": to_json(done)})
    async with steered(redis, envoys, redis_url):
        await answered(redis, Command(CommandKind.ANNOTATE, "bob"))
        assert [d.event for d in await log(redis)] == ["abort", "adopt_weights", "annotate"]
        assert candidate(envoys) == {"100"}


async def test_before_the_first_scorer_starts_a_hold_can_be_commanded_and_a_promote_cannot(
    redis: RedisClient, redis_url: str
) -> None:
    await send(redis, Command(CommandKind.HOLD, "ann"), *UP)
    async with steered(redis, MemoryActuator(1), redis_url):
        await answered(redis, Command(CommandKind.ANNOTATE, "bob"))
        now = await status(redis)
        assert (now.phase, now.percent, now.held_by) == ("held", 0, "ann")
        assert [d.event for d in await log(redis)] == ["hold", *["refused"] * len(UP), "annotate"]


async def test_evidence_from_before_is_left_out_of_a_state_that_begins(
    redis: RedisClient, redis_url: str, envoys: MemoryActuator
) -> None:
    bad = SideOutcomes(Side.CANDIDATE, Origin.LIVE, requests=50, errors=50)
    for number in range(5):
        then = unix_ms() - 60_000 + number
        flush = Outcomes("chat", "x", number, then, then + 1, (bad,))
        await redis.xadd(KEYS.outcomes, {"o": encode_outcomes(flush)}, id=f"{then + 2}-0")
    await store(redis, UNREADABLE)
    async with steered(redis, envoys, redis_url):
        await answered(redis, Command(CommandKind.ANNOTATE, "bob"))
        assert [d.event for d in await log(redis)] == ["hold", "adopt_weights", "annotate"]
        assert candidate(envoys) == {"100"}
