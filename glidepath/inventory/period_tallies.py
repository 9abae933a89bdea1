"""The tallies of the current periods: an hour and a day, each with a limited number of groups of calls.

Pure: the time is an argument. extproc adds to the tallies, takes the changed groups and writes them to Redis.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from glidepath.call_classes import CallClass
from glidepath.inventory.tally import OTHER, GroupKey, Tally

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
MOST_WAITING = 6  # periods that wait for Redis; the oldest is dropped
_SHARE_OF_OTHERS = 4  # at most one in this many groups may contain calls that are not inference


@dataclass(frozen=True, slots=True)
class Level:
    """Periods of one length. ``number`` returns the number of the period that contains a time."""

    name: str
    length_ms: int

    def number(self, at_ms: int) -> int:
        return at_ms // self.length_ms


HOURS, DAYS = Level("hour", HOUR_MS), Level("day", DAY_MS)
LEVELS = (HOURS, DAYS)


@dataclass(frozen=True, slots=True)
class Period:
    level: Level
    number: int

    @property
    def start_ms(self) -> int:
        return self.number * self.level.length_ms

    @property
    def end_ms(self) -> int:
        return self.start_ms + self.level.length_ms


@dataclass(slots=True)
class PeriodGroups:
    """The groups of calls of one period in this process.

    ``part`` is different for each such object of a process, so that no object overwrites the counts of another one in
    Redis.
    """

    period: Period
    part: int
    tallies: dict[GroupKey, Tally] = field(default_factory=dict)
    changed: set[GroupKey] = field(default_factory=set)  # since the last write
    others: int = 0  # groups of calls that are not inference


class PeriodTallies:
    """The tallies of this process.

    ``groups``: the maximum number of groups of a period. Requests of further groups count in groups with the path
    ``other``.
    ``overflow``: the number of these requests.
    ``dropped``: the number of groups that were lost because Redis did not answer.
    """

    def __init__(self, groups: int) -> None:
        self._most = groups
        self._periods: dict[Period, PeriodGroups] = {}
        self._parts = 0
        self.overflow = 0
        self.dropped = 0

    def tallies(self, key: GroupKey, at_ms: int) -> tuple[Tally, ...]:
        """Return the group's tallies of the hour and of the day that contain ``at_ms``. The caller adds to them."""
        return tuple(self._tally(Period(level, level.number(at_ms)), key) for level in LEVELS)

    def _tally(self, period: Period, key: GroupKey) -> Tally:
        groups = self._periods.get(period) or self._begin(period)
        known = groups.tallies.get(key)
        if known is None:
            key = self._admitted(groups, key)
            known = groups.tallies.setdefault(key, Tally())
        groups.changed.add(key)
        return known

    def _begin(self, period: Period) -> PeriodGroups:
        self._parts += 1
        groups = self._periods[period] = PeriodGroups(period, self._parts)
        if len(self._periods) > MOST_WAITING:
            oldest = min((one for one in self._periods if one != period), key=lambda one: one.end_ms)
            self.dropped += len(self._periods.pop(oldest).changed)
        return groups

    def _admitted(self, groups: PeriodGroups, key: GroupKey) -> GroupKey:
        """Return ``key`` if there is room for a new group, else the key of the group that counts all further groups."""
        other_call = key.call is not CallClass.INFERENCE
        full = len(groups.tallies) >= self._most or (other_call and groups.others * _SHARE_OF_OTHERS >= self._most)
        if full:
            self.overflow += groups.period.level is HOURS
            return GroupKey(key.source, OTHER, key.call, "", OTHER)
        groups.others += other_call
        return key

    def take_changed(self) -> list[tuple[PeriodGroups, list[GroupKey]]]:
        """Return the groups that have changed since the last call, by period, the oldest period first.

        The tallies in the result are not copies: counts may still be added to them. The next call returns such groups
        again.
        """
        found = []
        for groups in sorted(self._periods.values(), key=lambda one: one.period.end_ms):
            if groups.changed:
                found.append((groups, list(groups.changed)))
                groups.changed = set()
        return found

    def put_back(self, taken: Iterable[tuple[PeriodGroups, list[GroupKey]]]) -> None:
        """Make the next ``take_changed`` return these groups again, because Redis did not accept them."""
        for groups, keys in taken:
            if self._periods.get(groups.period) is groups:
                groups.changed.update(keys)

    def forget_closed(self, now_ms: int) -> None:
        """Forget periods that ended more than an hour ago, unless they have changes that are not written yet."""
        for one in [p for p, g in self._periods.items() if not g.changed and p.end_ms + HOUR_MS <= now_ms]:
            del self._periods[one]
