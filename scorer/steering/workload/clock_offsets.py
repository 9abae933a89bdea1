"""Convert every host's timestamps to the clock of Redis.

Hosts' clocks differ, by up to a minute if they are not synchronised, but a step begins at an exact millisecond. So the
steer loop uses the time of the Redis that holds the streams: for its own present time (``RedisClock``) and for the time
stamps of each extproc (``SourceClocks``). Redis writes its own time into the id of every stream entry. An entry is
stamped first and written afterwards, so the smallest difference between id and stamp is the offset of the clocks plus
the shortest delay (Cristian 1989).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from scorer.steering.workload.seen_flushes import MAX_SOURCES

WINDOW_MS = 10_000  # a clock that was set back is noticed after two windows, a clock that was set forward at once
LIKELY_MS = 20  # a smaller change of the offset is ignored
RECENT_MS = 600_000  # a source that was silent for longer is not used to estimate the present offsets
WARN_MS = 1_000


class ClockWindow(NamedTuple):
    """The smallest differences of one source, in the window with the index ``number`` and in the window before it."""

    number: int
    least_ms: int
    previous_least_ms: int

    @property
    def ahead_ms(self) -> int:
        return min(self.least_ms, self.previous_least_ms)


@dataclass(frozen=True, slots=True)
class SourceClocks:
    """The offset of Redis' clock from each source's clock, in milliseconds, for at most ``most`` sources.

    An offset is positive if Redis' clock is ahead.
    """

    windows: Mapping[str, ClockWindow] = field(default_factory=dict)
    most: int = MAX_SOURCES

    def learn(self, stamps: Iterable[tuple[str, int, int]]) -> SourceClocks:
        """Return the offsets after these entries: (source, its last time stamp, Redis' time of the entry or 0)."""
        windows = dict(self.windows)
        for source, stamped_ms, arrived_ms in stamps:
            if arrived_ms <= 0 or stamped_ms == 0:  # one of the two times is missing
                continue
            windows[source] = _learn(windows.pop(source, None), stamped_ms, arrived_ms)
            if len(windows) > self.most:
                del windows[next(iter(windows))]
        return SourceClocks(windows, self.most)

    def ahead_ms(self, source: str) -> int:
        """Return the milliseconds to add to a time stamp of ``source``; 0 for an unknown source."""
        window = self.windows.get(source)
        return 0 if window is None else window.ahead_ms

    def least_ms(self) -> int:
        """Return the milliseconds to add to a time stamp whose source is unknown: the smallest recent offset.

        With the smallest offset, the converted time is never later than the true time.
        """
        newest = max((window.number for window in self.windows.values()), default=0)
        recent = [w.ahead_ms for w in self.windows.values() if (newest - w.number) * WINDOW_MS <= RECENT_MS]
        return min(recent, default=0)

    def worst(self, scorer_ahead_ms: int = 0) -> tuple[str, int]:
        """Return the host whose clock differs most from Redis' clock, and how many milliseconds it is ahead.

        ``scorer_ahead_ms``: the milliseconds by which this scorer's own clock is ahead.
        """
        skews = {"this scorer": scorer_ahead_ms, **{source: -self.ahead_ms(source) for source in self.windows}}
        return max(skews.items(), key=lambda item: abs(item[1]))

    def to_json(self) -> dict[str, list[int]]:
        return {source: list(window) for source, window in self.windows.items()}

    @classmethod
    def from_json(cls, raw: Mapping[str, Sequence[int]], most: int = MAX_SOURCES) -> SourceClocks:
        """Parse the result of ``to_json``. Raises TypeError or ValueError for anything else."""
        windows = {
            source: ClockWindow(int(number), int(least), int(before)) for source, (number, least, before) in raw.items()
        }
        return cls(windows, most)


def _learn(window: ClockWindow | None, stamped_ms: int, arrived_ms: int) -> ClockWindow:
    ahead_ms, number = arrived_ms - stamped_ms, arrived_ms // WINDOW_MS
    if window is None:
        return ClockWindow(number, ahead_ms, ahead_ms)
    if number != window.number:
        return ClockWindow(number, ahead_ms, window.least_ms)
    return ClockWindow(number, min(window.least_ms, ahead_ms), window.previous_least_ms)


class RedisClock:
    """The offset of Redis' clock from this process's clock, in milliseconds; positive if Redis' clock is ahead.

    A slow answer measures the offset less precisely, so it changes the offset only if the difference exceeds its delay.
    """

    def __init__(self) -> None:
        self.ahead_ms = 0

    def measured(self, redis_ms: int, before_ms: int, after_ms: int) -> None:
        """Fold in a measurement: Redis answered ``redis_ms`` between this process's ``before_ms`` and ``after_ms``."""
        ahead = redis_ms - (before_ms + after_ms) // 2
        if abs(ahead - self.ahead_ms) > max(LIKELY_MS, after_ms - before_ms):
            self.ahead_ms = ahead


class RedisClocks:
    """The ``RedisClock`` of each workload. In a cluster, the streams of different workloads are on different nodes."""

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
        """Return Redis' time when this process's clock shows ``here_ms``."""
        return here_ms + self._clocks[name].ahead_ms


def skew_warning(worst: tuple[str, int]) -> str:
    """Return a warning for people if the clocks differ by more than a second, else ""."""
    name, ahead_ms = worst
    if abs(ahead_ms) <= WARN_MS:
        return ""
    direction = "ahead of" if ahead_ms > 0 else "behind"
    return f"the clock of {name} is {abs(ahead_ms) / 1000:.1f} s {direction} Redis' clock"
