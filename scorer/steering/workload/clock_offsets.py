"""One clock for what several hosts stamp: Redis'.

Hosts' clocks differ, by a minute where nobody looks after them, and a step begins in milliseconds. So everything is
told in the time of the Redis that the streams lie in: the steer loop's own now (``RedisTime``), and what each extproc
stamped (``SourceClocks``). Every entry of a stream carries Redis' time in its id; an entry is stamped first and then
written, so the least of what its id is later than its stamp is the skew and the shortest way (Cristian 1989).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

WINDOW_MS = 10_000  # a clock that was set back is known after two of these; one that was set forward, at once
LIKELY_MS = 20  # clocks that agree this well are one
RECENT_MS = 600_000  # a source that was silent for longer says nothing about the clocks of today
WARN_MS = 1_000


class SourceClocks:
    """How far Redis' clock is ahead of each source's, in milliseconds; state is a few numbers a source."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._windows: dict[str, tuple[int, int, int]] = {}  # source → window's number, its least, the least before

    def learn(self, source: str, stamped_ms: int, arrived_ms: int) -> None:
        """An entry that ``source`` stamped last at ``stamped_ms`` got its id at ``arrived_ms`` (0: not known)."""
        if arrived_ms <= 0 or stamped_ms == 0:  # a record without a time
            return
        ahead, number = arrived_ms - stamped_ms, arrived_ms // WINDOW_MS
        at, least, before = self._windows.pop(source, (number, ahead, ahead))
        if number != at:
            at, least, before = number, ahead, least
        self._windows[source] = (at, min(least, ahead), before)
        while len(self._windows) > self._most:
            self._windows.pop(next(iter(self._windows)))

    def ahead_ms(self, source: str) -> int:
        """What must be added to a stamp of ``source``; 0 where nothing is known."""
        window = self._windows.get(source)
        return 0 if window is None else min(window[1:])

    def least_ms(self) -> int:
        """What must at least be added to a stamp of nobody knows which source: none is made younger than it is."""
        newest = max((at for at, _, _ in self._windows.values()), default=0)
        recent = [w for w in self._windows.values() if (newest - w[0]) * WINDOW_MS <= RECENT_MS]
        return min((min(least, before) for _, least, before in recent), default=0)

    def worst(self, here_ms: int = 0) -> tuple[str, int]:
        """Whose clock is farthest from Redis', and by how much it is ahead of it; ``here_ms``: this scorer's own."""
        skews = {"this scorer": here_ms, **{source: -self.ahead_ms(source) for source in self._windows}}
        return max(skews.items(), key=lambda item: abs(item[1]))

    def to_json(self) -> dict[str, list[int]]:
        return {source: list(window) for source, window in self._windows.items()}

    def load(self, raw: Mapping[str, Sequence[int]]) -> None:
        """Raises TypeError or ValueError for what ``to_json`` did not write."""
        self._windows = {source: (int(at), int(least), int(before)) for source, (at, least, before) in raw.items()}


class RedisTime:
    """A process's clock → Redis', by what Redis said. A slow answer tells little and changes little."""

    def __init__(self) -> None:
        self.ahead_ms = 0  # Redis' clock is ahead of this process's by so much

    def measured(self, redis_ms: int, before_ms: int, after_ms: int) -> None:
        """Redis said ``redis_ms`` between ``before_ms`` and ``after_ms`` of this process's clock."""
        ahead = redis_ms - (before_ms + after_ms) // 2
        if abs(ahead - self.ahead_ms) > max(LIKELY_MS, after_ms - before_ms):
            self.ahead_ms = ahead


class RedisTimes:
    """``RedisTime`` of each workload: in a cluster, their streams lie in several."""

    def __init__(self, workloads: Iterable[str], clock_ms: Callable[[], int]) -> None:
        self._times = {name: RedisTime() for name in workloads}
        self._clock_ms = clock_ms

    async def ask(self, clocks: Callable[[Sequence[str]], Awaitable[Mapping[str, int]]]) -> None:
        """What belongs to a step is told in Redis' time, whatever the hosts' clocks say."""
        before_ms = self._clock_ms()
        said = await clocks(list(self._times))
        after_ms = self._clock_ms()
        for name, redis_ms in said.items():
            self._times[name].measured(redis_ms, before_ms, after_ms)

    def at(self, name: str, here_ms: int) -> int:
        """Redis' time when it is ``here_ms`` by this process's clock."""
        return here_ms + self._times[name].ahead_ms


def skew_warning(worst: tuple[str, int]) -> str:
    """A sentence for people where clocks differ by more than a second, else ""."""
    name, ahead_ms = worst
    if abs(ahead_ms) <= WARN_MS:
        return ""
    word = "ahead of" if ahead_ms > 0 else "behind"
    return f"clock of {name} is {abs(ahead_ms) / 1000:.1f} s {word} Redis'"
