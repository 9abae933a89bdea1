"""Convert every host's timestamps to steady time (steady_time.py).

Hosts' clocks differ, by up to a minute if they are not synchronised, but a step begins at an exact millisecond. So the
ramp compares all times as steady times: its own times, and the time stamps of each extproc (``SourceClocks``). Redis
writes its own time into the id of every stream entry, and this time is converted to steady time when the entry is read.
An entry is stamped first and written afterwards, so the smallest difference between the entry's steady time and its
stamp is the offset of the clocks plus the shortest delay (Cristian 1989).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from scorer.steering.workload.flush_deduplication import MAX_SOURCES
from scorer.steering.workload.steady_time import SteadyTime

WINDOW_MS = 10_000
SET_BACK_MS = 1_000  # stamps come in order, so a stamp older than the last one by more than this shows a clock set back
RECENT_MS = 600_000  # a source that was silent for longer is not used to estimate the present offsets
WARN_MS = 1_000


class ClockWindow(NamedTuple):
    """The smallest differences between steady time and the clock of one source, in two windows of WINDOW_MS.

    - ``number``: the index of the latest window
    - ``least_ms``: the smallest difference in the latest window
    - ``previous_least_ms``: the smallest difference in the previous window that had an entry
    - ``stamped_ms``: the latest time stamp, by the source's clock
    """

    number: int
    least_ms: int
    previous_least_ms: int
    stamped_ms: int

    @property
    def ahead_ms(self) -> int:
        return min(self.least_ms, self.previous_least_ms)


@dataclass(frozen=True, slots=True)
class SourceClocks:
    """The offset of steady time from the clock of each source (an extproc process), for at most MAX_SOURCES sources.

    An offset is in milliseconds and is positive if steady time is ahead.
    """

    windows: Mapping[str, ClockWindow] = field(default_factory=dict)

    def learn(self, stamps: Iterable[tuple[str, int, int]]) -> SourceClocks:
        """Return the offsets, updated with the time stamps of new stream entries.

        An element of ``stamps`` is the entry's source, its latest time stamp by the clock of the source, and the steady
        time at which Redis got it. Times are milliseconds; 0 if unknown.
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

    def worst(self, now: SteadyTime) -> tuple[str, int]:
        """Return the host whose clock differs most from Redis' clock, and how many milliseconds it is ahead."""
        sources = {source: -self.ahead_ms(source) - now.redis_ahead_ms for source in self.windows}
        return max({"this scorer": now.scorer_ahead_ms, **sources}.items(), key=lambda item: abs(item[1]))

    def to_json(self) -> dict[str, list[int]]:
        return {source: list(window) for source, window in self.windows.items()}

    @classmethod
    def from_json(cls, raw: Mapping[str, Sequence[int]]) -> SourceClocks:
        """Parse the result of ``to_json``. Raises TypeError or ValueError for anything else."""
        windows = {
            source: ClockWindow(int(number), int(least), int(before), int(stamped))
            for source, (number, least, before, stamped) in raw.items()
        }
        return cls(windows)


def _learn(window: ClockWindow | None, stamped_ms: int, arrived_ms: int) -> ClockWindow:
    ahead_ms, number = arrived_ms - stamped_ms, arrived_ms // WINDOW_MS
    if window is None or stamped_ms < window.stamped_ms - SET_BACK_MS:
        return ClockWindow(number, ahead_ms, ahead_ms, stamped_ms)
    if number != window.number:
        return ClockWindow(number, ahead_ms, window.least_ms, stamped_ms)
    return ClockWindow(number, min(window.least_ms, ahead_ms), window.previous_least_ms, stamped_ms)


def skew_warning(worst: tuple[str, int]) -> str:
    """Return a warning for people if the clock of ``worst`` differs from Redis' clock by more than a second, else "".

    ``worst``: the result of ``SourceClocks.worst``.
    """
    name, ahead_ms = worst
    if abs(ahead_ms) <= WARN_MS:
        return ""
    direction = "ahead of" if ahead_ms > 0 else "behind"
    return f"the clock of {name} is {abs(ahead_ms) / 1000:.1f} s {direction} Redis' clock"
