"""Convert every host's timestamps to the clock of Redis.

Hosts' clocks differ, by up to a minute if they are not synchronised, but a step begins at an exact millisecond. So the
steer loop uses the time of the Redis that holds the streams: for its own present time (leader/redis_clocks.py) and for
the time stamps of each extproc (``SourceClocks``). Redis writes its own time into the id of every stream entry. An
entry is stamped first and written afterwards, so the smallest difference between id and stamp is the offset of the
clocks plus the shortest delay (Cristian 1989).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from scorer.steering.workload.flush_deduplication import MAX_SOURCES

WINDOW_MS = 10_000  # a clock that was set back is noticed after two windows, a clock that was set forward at once
RECENT_MS = 600_000  # a source that was silent for longer is not used to estimate the present offsets
WARN_MS = 1_000


class ClockWindow(NamedTuple):
    """The smallest differences between Redis' clock and the clock of one source, in two windows of WINDOW_MS.

    - ``number``: the index of the latest window
    - ``least_ms``: the smallest difference in the latest window
    - ``previous_least_ms``: the smallest difference in the previous window that had an entry
    """

    number: int
    least_ms: int
    previous_least_ms: int

    @property
    def ahead_ms(self) -> int:
        return min(self.least_ms, self.previous_least_ms)


@dataclass(frozen=True, slots=True)
class SourceClocks:
    """The offset of Redis' clock from the clock of each source (an extproc process), for at most MAX_SOURCES sources.

    An offset is in milliseconds and is positive if Redis' clock is ahead.
    """

    windows: Mapping[str, ClockWindow] = field(default_factory=dict)

    def learn(self, stamps: Iterable[tuple[str, int, int]]) -> SourceClocks:
        """Return the offsets, updated with the time stamps of new stream entries.

        An element of ``stamps`` is the entry's source, its latest time stamp by the clock of the source, and its time
        by Redis' clock. Times are Unix milliseconds; 0 if unknown.
        """
        windows = dict(self.windows)
        for source, stamped_ms, arrived_ms in stamps:
            if arrived_ms <= 0 or stamped_ms == 0:  # one of the two times is missing
                continue
            windows[source] = _learn(windows.pop(source, None), stamped_ms, arrived_ms)
            if len(windows) > MAX_SOURCES:
                del windows[next(iter(windows))]
        return SourceClocks(windows)

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

        ``scorer_ahead_ms``: how many milliseconds this scorer's own clock is ahead.
        """
        skews = {"this scorer": scorer_ahead_ms, **{source: -self.ahead_ms(source) for source in self.windows}}
        return max(skews.items(), key=lambda item: abs(item[1]))

    def to_json(self) -> dict[str, list[int]]:
        return {source: list(window) for source, window in self.windows.items()}

    @classmethod
    def from_json(cls, raw: Mapping[str, Sequence[int]]) -> SourceClocks:
        """Parse the result of ``to_json``. Raises TypeError or ValueError for anything else."""
        windows = {
            source: ClockWindow(int(number), int(least), int(before)) for source, (number, least, before) in raw.items()
        }
        return cls(windows)


def _learn(window: ClockWindow | None, stamped_ms: int, arrived_ms: int) -> ClockWindow:
    ahead_ms, number = arrived_ms - stamped_ms, arrived_ms // WINDOW_MS
    if window is None:
        return ClockWindow(number, ahead_ms, ahead_ms)
    if number != window.number:
        return ClockWindow(number, ahead_ms, window.least_ms)
    return ClockWindow(number, min(window.least_ms, ahead_ms), window.previous_least_ms)


def skew_warning(worst: tuple[str, int]) -> str:
    """Return a warning for people if the clock of ``worst`` differs from Redis' clock by more than a second, else "".

    ``worst``: the result of ``SourceClocks.worst``.
    """
    name, ahead_ms = worst
    if abs(ahead_ms) <= WARN_MS:
        return ""
    direction = "ahead of" if ahead_ms > 0 else "behind"
    return f"the clock of {name} is {abs(ahead_ms) / 1000:.1f} s {direction} Redis' clock"
