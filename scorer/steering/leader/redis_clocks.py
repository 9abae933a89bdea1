"""Measurement of the offset between this process's clock and the clock of each workload's Redis."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

LIKELY_MS = 20  # a smaller change of the offset is ignored


class RedisClock:
    """The offset of one Redis' clock from this process's clock, in milliseconds; positive if Redis' clock is ahead.

    The longer Redis' answer takes, the less precise the measured offset is. So a measured offset is used only if it
    differs from the present one by more than the duration of the answer, and by more than LIKELY_MS.
    """

    def __init__(self) -> None:
        self.ahead_ms = 0

    def measured(self, redis_ms: int, before_ms: int, after_ms: int) -> None:
        """Update the offset: Redis' clock showed ``redis_ms`` at a time between ``before_ms`` and ``after_ms``.

        ``before_ms``, ``after_ms``: this process's clock before the question to Redis and after the answer.
        """
        ahead = redis_ms - (before_ms + after_ms) // 2
        if abs(ahead - self.ahead_ms) > max(LIKELY_MS, after_ms - before_ms):
            self.ahead_ms = ahead


class RedisClocks:
    """The ``RedisClock`` of each workload. In a cluster, workloads may have their streams on different nodes."""

    def __init__(self, workloads: Iterable[str], clock_ms: Callable[[], int]) -> None:
        self._clocks = {name: RedisClock() for name in workloads}
        self._clock_ms = clock_ms

    async def ask(self, read_clocks: Callable[[Sequence[str]], Awaitable[Mapping[str, int]]]) -> None:
        """Measure the clock of every workload's Redis. Raises the errors of ``read_clocks``."""
        before_ms = self._clock_ms()
        answers = await read_clocks(list(self._clocks))
        after_ms = self._clock_ms()
        for name, redis_ms in answers.items():
            self._clocks[name].measured(redis_ms, before_ms, after_ms)

    def at(self, name: str, here_ms: int) -> int:
        """Return the time of the workload's Redis when this process's clock shows ``here_ms``."""
        return here_ms + self._clocks[name].ahead_ms
