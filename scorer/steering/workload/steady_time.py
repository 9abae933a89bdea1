"""Steady time: the time by which a workload's ramp measures how long something has lasted.

A wall clock can be set: then it seems that two hours pass between two ticks, or that an hour is repeated. A hold that
is measured with such a clock could end early. So the ramp's times (``since_ms``, ``cool_until_ms`` …) are steady times.
Steady time never goes back, and never advances by more than the time that has certainly passed:

- within a term of leadership, it advances with the monotonic clock of the scorer's host
- between two terms, it advances by the least time that any of the clocks shows: Redis' clock, the wall clocks of the
  two scorers and, if both ran on one host since its last start, that host's monotonic clock

Steady time begins as the Unix time of Redis' clock. It falls behind that clock if a clock is set forward, or if a host
sleeps. People see Unix times; ``SteadyTime.unix_ms`` converts them. See ADR 0147.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from scorer.steering.stored_fields import dataclass_fields


@dataclass(frozen=True, slots=True)
class ClockReadings:
    """The readings of several clocks at one moment, in milliseconds.

    - ``monotonic_ms``: the monotonic clock of the scorer's host, comparable only if ``boot`` is the same
    - ``boot``: identifies the host, and its last start
    - ``wall_ms``: the Unix time by the scorer's host
    - ``redis_ms``: the Unix time by the Redis that holds the workload's streams
    """

    monotonic_ms: int = 0
    boot: str = ""
    wall_ms: int = 0
    redis_ms: int = 0

    def since(self, earlier: ClockReadings) -> dict[str, int]:
        """Return, for each clock that can be compared, the milliseconds since ``earlier``."""
        passed = {"redis": self.redis_ms - earlier.redis_ms, "wall": self.wall_ms - earlier.wall_ms}
        if self.boot == earlier.boot:
            passed["monotonic"] = self.monotonic_ms - earlier.monotonic_ms
        return passed


@dataclass(frozen=True, slots=True)
class SteadyTime:
    """A moment: its steady time ``ms`` in milliseconds, and the readings of the clocks."""

    ms: int = 0
    clocks: ClockReadings = field(default_factory=ClockReadings)

    @classmethod
    def begin(cls, clocks: ClockReadings) -> SteadyTime:
        """Return the first moment of a workload without a stored state."""
        return cls(clocks.redis_ms, clocks)

    def later_in_term(self, clocks: ClockReadings) -> SteadyTime:
        """Return the moment at which the clocks show ``clocks``, in the same term of the same leader."""
        return SteadyTime(self.ms + max(clocks.monotonic_ms - self.clocks.monotonic_ms, 0), clocks)

    def at_takeover(self, clocks: ClockReadings) -> SteadyTime:
        """Return the moment at which the next leader's clocks show ``clocks``.

        This object is the moment of the last store.
        """
        return SteadyTime(self.ms + max(min(clocks.since(self.clocks).values()), 0), clocks)

    @property
    def redis_ahead_ms(self) -> int:
        """The milliseconds by which the Unix time of Redis' clock is ahead of steady time."""
        return self.clocks.redis_ms - self.ms

    @property
    def scorer_ahead_ms(self) -> int:
        """The milliseconds by which the scorer's wall clock is ahead of Redis' clock."""
        return self.clocks.wall_ms - self.clocks.redis_ms

    def unix_ms(self, steady_ms: int) -> int:
        """Return the steady time ``steady_ms`` as Unix time, for people: by Redis' clock as it is set now."""
        return steady_ms + self.redis_ahead_ms

    def steady_ms(self, redis_ms: int, *, after_ms: int = 0) -> int:
        """Return the steady time at which Redis' clock showed ``redis_ms``; at least ``after_ms``, and at most now.

        Redis' clock may have been set since. Then the two bounds limit the error.
        """
        return min(max(redis_ms - self.redis_ahead_ms, after_ms), self.ms)

    def to_json(self) -> dict[str, Any]:
        return {"ms": self.ms, **asdict(self.clocks)}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> SteadyTime:
        """Parse the result of ``to_json``. Raises InputError, KeyError, TypeError or ValueError for anything else."""
        numbers = {name: value if name == "boot" else int(value) for name, value in raw.items()}
        ms = numbers.pop("ms")
        return cls(ms, ClockReadings(**dataclass_fields(ClockReadings, numbers, "clock")))
