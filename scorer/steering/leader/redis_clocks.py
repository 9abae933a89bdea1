"""Read all clocks that the steer loop needs, and notice a clock that was set.

Redis' clock is known by its offset from this host's monotonic clock, which is measured several times a second. So the
loop's reading of Redis' clock does not change if this host's wall clock is set.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from scorer.steering.leader.host_clocks import HostClocks, HostTime
from scorer.steering.workload.steady_time import ClockReadings

LIKELY_MS = 20  # a smaller change of the offset is ignored
JUMP_MS = 1_000  # a larger change of the offset, within a second, is a clock that was set
DRIFT = 0.001  # two clocks that nobody sets drift apart by less than this share of the time


@dataclass(frozen=True, slots=True)
class ClockJump:
    """A clock was set. ``clock``: its name; ``by_ms``: by how many milliseconds, positive if it was set forward."""

    clock: str
    by_ms: int


class ClockOffset:
    """The offset of one clock from this host's monotonic clock, in milliseconds; positive if that clock is ahead.

    The longer a clock's answer takes, the less precise the measured offset is. So a measured offset is used only if it
    differs from the present one by more than the duration of the answer, and by more than LIKELY_MS.
    """

    def __init__(self) -> None:
        self.ahead_ms: int | None = None  # None: not measured yet
        self._measured_ms = 0  # the monotonic time of the last measurement

    def measured(self, shown_ms: int, before_ms: int, after_ms: int) -> int:
        """Update the offset: the clock showed ``shown_ms`` at a monotonic time from ``before_ms`` to ``after_ms``.

        Return by how many milliseconds the clock was set since the last measurement; 0 if it was not.
        """
        ahead_ms, took_ms, past_ms = shown_ms - (before_ms + after_ms) // 2, after_ms - before_ms, self._measured_ms
        self._measured_ms = after_ms
        if self.ahead_ms is None:
            self.ahead_ms = ahead_ms
            return 0
        change = ahead_ms - self.ahead_ms
        if abs(change) > max(LIKELY_MS, took_ms):
            self.ahead_ms = ahead_ms
        return change if abs(change) > max(JUMP_MS, took_ms, (after_ms - past_ms) * DRIFT) else 0


class RedisClocks:
    """This host's clock, and the clock of each workload's Redis. In a cluster, workloads may be on different nodes."""

    def __init__(self, workloads: Iterable[str], host: HostClocks) -> None:
        self._host = host
        self._redis = {name: ClockOffset() for name in workloads}
        self._wall = ClockOffset()

    def now(self) -> HostTime:
        return self._host.now()

    async def ask(self, read_clocks: Callable[[Sequence[str]], Awaitable[Mapping[str, int]]]) -> tuple[ClockJump, ...]:
        """Measure the clock of every workload's Redis, and return the clocks that were set since the last call.

        Raises the errors of ``read_clocks``.
        """
        before = self._host.now()
        answers = await read_clocks(list(self._redis))
        after_ms = self._host.monotonic_ms()
        jumps = {"this scorer": self._wall.measured(before.wall_ms, before.monotonic_ms, before.monotonic_ms)}
        for name, redis_ms in answers.items():
            by_ms = self._redis[name].measured(redis_ms, before.monotonic_ms, after_ms)
            jumps[f"the Redis of {name}"] = by_ms
        return tuple(ClockJump(clock, by_ms) for clock, by_ms in jumps.items() if by_ms)

    def at(self, name: str, here: HostTime) -> ClockReadings:
        """Return the readings of all clocks of the workload at the moment when this host's clocks show ``here``."""
        ahead_ms = self._redis[name].ahead_ms
        redis_ms = here.wall_ms if ahead_ms is None else here.monotonic_ms + ahead_ms
        return ClockReadings(here.monotonic_ms, self._host.boot, here.wall_ms, redis_ms)
