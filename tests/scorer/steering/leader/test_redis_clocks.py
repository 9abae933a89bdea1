"""The offsets of the clocks from this host's monotonic clock, and clocks that are set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.steering.leader.host_clocks import HostClocks, boot_id
from scorer.steering.leader.redis_clocks import JUMP_MS, LIKELY_MS, ClockJump, ClockOffset, RedisClocks
from scorer.steering.workload.steady_time import ClockReadings


def test_an_answer_of_redis_corrects_the_clock_only_within_its_precision() -> None:
    clock = ClockOffset()
    assert clock.measured(1010, 1000, 1004) == 0
    assert clock.ahead_ms == 8
    assert clock.measured(1010 + LIKELY_MS, 1000, 1004) == 0
    assert clock.ahead_ms == 8
    assert clock.measured(61_000, 1000, 1004) == 59_990
    assert clock.ahead_ms == 59_998
    assert clock.measured(62_000, 1000, 3000) == 0
    assert clock.ahead_ms == 59_998


@given(st.integers(-(10**9), 10**9), st.integers(0, 500), st.integers(0, 2000))
def test_a_change_that_the_answers_duration_or_drift_explains_is_no_jump(
    by_ms: int, took_ms: int, past_ms: int
) -> None:
    clock = ClockOffset()
    clock.measured(5_000, 0, 0)
    found = clock.measured(5_000 + past_ms + by_ms + took_ms // 2, past_ms, past_ms + took_ms)
    assert found == (by_ms if abs(by_ms) > JUMP_MS else 0)


def test_two_clocks_that_drift_apart_in_an_hour_are_not_taken_for_clocks_that_were_set() -> None:
    clock = ClockOffset()
    clock.measured(0, 0, 0)
    assert clock.measured(3_600_000 + 2_000, 3_600_000, 3_600_000) == 0
    assert clock.measured(3_601_000 + 60_000, 3_601_000, 3_601_000) == 58_000


@dataclass(slots=True)
class Hosts:
    """A scorer's host, and the Redis of two workloads. All clocks can be set."""

    monotonic: int = 1_000
    wall: int = 50_000
    redis: dict[str, int] = field(default_factory=lambda: {"chat": 61_000, "mail": 50_000})

    def clocks(self) -> RedisClocks:
        return RedisClocks(list(self.redis), HostClocks(lambda: self.wall, lambda: self.monotonic, "boot"))

    async def read(self, workloads: Sequence[str]) -> Mapping[str, int]:
        return {name: self.redis[name] for name in workloads}

    def pass_time(self, ms: int) -> None:
        self.monotonic, self.wall = self.monotonic + ms, self.wall + ms
        self.redis = {name: at + ms for name, at in self.redis.items()}


async def test_each_workload_has_the_clock_of_its_own_redis() -> None:
    hosts = Hosts()
    clocks = hosts.clocks()
    assert await clocks.ask(hosts.read) == ()
    hosts.pass_time(1_000)
    here = clocks.now()
    assert clocks.at("chat", here) == ClockReadings(2_000, "boot", 51_000, 62_000)
    assert clocks.at("mail", here) == ClockReadings(2_000, "boot", 51_000, 51_000)


@pytest.mark.parametrize("by_ms", [7_200_000, -3_600_000])
async def test_a_step_of_this_hosts_wall_clock_changes_nothing_in_redis_time_and_is_noticed(by_ms: int) -> None:
    hosts = Hosts()
    clocks = hosts.clocks()
    await clocks.ask(hosts.read)
    hosts.wall += by_ms
    assert clocks.at("chat", clocks.now()).redis_ms == 61_000
    assert await clocks.ask(hosts.read) == (ClockJump("this scorer", by_ms),)
    assert await clocks.ask(hosts.read) == ()


@pytest.mark.parametrize("by_ms", [7_200_000, -3_600_000])
async def test_a_step_of_the_clock_of_one_redis_is_noticed_and_named(by_ms: int) -> None:
    hosts = Hosts()
    clocks = hosts.clocks()
    await clocks.ask(hosts.read)
    hosts.redis["mail"] += by_ms
    assert await clocks.ask(hosts.read) == (ClockJump("the Redis of mail", by_ms),)
    assert clocks.at("mail", clocks.now()).redis_ms == 50_000 + by_ms


def test_the_id_of_a_boot_is_the_same_for_every_process_of_the_host() -> None:
    assert boot_id() == HostClocks().boot != ""
