"""The offset of this process's clock from the clock of each workload's Redis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scorer.steering.leader.redis_clocks import RedisClock, RedisClocks


def test_an_answer_of_redis_corrects_the_clock_only_within_its_precision() -> None:
    clock = RedisClock()
    clock.measured(1010, 1000, 1004)
    assert clock.ahead_ms == 0
    clock.measured(61_000, 1000, 1004)
    assert clock.ahead_ms == 59_998
    clock.measured(62_000, 1000, 3000)
    assert clock.ahead_ms == 59_998


async def test_each_workload_has_the_clock_of_its_own_redis() -> None:
    async def read_clocks(workloads: Sequence[str]) -> Mapping[str, int]:
        return {name: {"chat": 61_000, "mail": 1_000}[name] for name in workloads}

    clocks = RedisClocks(["chat", "mail"], lambda: 1000)
    await clocks.ask(read_clocks)
    assert (clocks.at("chat", 2000), clocks.at("mail", 2000)) == (62_000, 2000)
