"""Parse a cron line of five fields, and compute the moments at which it matches in a time zone, as Debian's cron does.

The two clock changes of daylight saving time need rules. A line with a fixed time of day (neither minute nor hour
begins with ``*``) matches once a day. If the clock skips that time, the line matches at the end of the gap. If the
clock repeats that time, the line matches the first time only. Any other line follows the clock: it matches twice in a
repeated hour and never in a skipped hour. Source: cron(8) of Debian, "daylight saving time". See ADR 0114.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

EXAMPLE = "five cron fields such as '0 17 * * FRI' (minute hour day month weekday)"
MAX_CHARS = 200
_MINUTE, _DAY_MS = timedelta(minutes=1), 86_400_000


@dataclass(frozen=True, slots=True)
class Cron:
    """A parsed cron line. ``fixed`` is true if neither its minute nor its hour begins with ``*``."""

    text: str
    fixed: bool
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    calendar: CronSim = field(compare=False, repr=False)

    def falls_on(self, day: date) -> bool:
        return day.month in self.calendar.months and self.calendar.match_day(day)


def _calendar(fields: Sequence[str]) -> CronSim | None:
    """Return the parsed cron fields, or None if the date in them does not exist (for example February 30).

    Raises ValueError for an invalid field. cronsim raises the same error for an invalid field and for a date that
    does not exist. To find out which it is, this function parses the day separately from the month.
    """
    start = datetime(2000, 1, 1)  # noqa: DTZ001 - used for its calendar only, which has no zone
    try:
        return CronSim(" ".join(fields), start)
    except CronSimError as error:
        try:
            CronSim(" ".join((*fields[:3], "*", fields[4])), start)
            CronSim(" ".join(("0 0 1", *fields[3:])), start)
        except CronSimError:
            raise ValueError(f"must be {EXAMPLE}: {str(error).lower()}") from error
        return None


@lru_cache(maxsize=256)
def parse_cron(text: str) -> Cron:
    """Parse a cron line of five fields. Raises ValueError for a line that is invalid or never matches."""
    fields = text.split()
    if len(text) > MAX_CHARS:
        raise ValueError(f"must be {EXAMPLE}, at most {MAX_CHARS} characters")
    if len(fields) != 5:
        raise ValueError(f"must be {EXAMPLE}, found {len(fields)}")
    found = _calendar(fields)
    if found is None or next(found, None) is None:
        raise ValueError("never matches: no year has that day")
    fixed = not fields[0].startswith("*") and not fields[1].startswith("*")
    return Cron(text, fixed, tuple(sorted(found.minutes)), tuple(sorted(found.hours)), found)


def parse_zone(name: str) -> str:
    """Return ``name`` unchanged if it is an IANA time zone. Raises ValueError if it is not."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: a directory, or a name that is too long
        raise ValueError("must be an IANA time zone such as Europe/Berlin or UTC") from error
    return name


def latest_match(text: str, zone: str, now_ms: int, within_ms: int) -> int | None:
    """Return the last match of the cron line ``text`` at or before ``now_ms``, in Unix milliseconds.

    Returns None if the last match was ``within_ms`` ago or more. ``text`` and ``zone`` must be valid. The search
    goes back day by day, beginning with tomorrow: if the clock was set back over midnight, a match on tomorrow's
    date can already be in the past. For the same reason, the search examines one more day after the first day with
    a match.
    """
    today = datetime.fromtimestamp(now_ms / 1000, ZoneInfo(zone)).date()
    best: int | None = None
    for back in range(-1, within_ms // _DAY_MS + 3):
        hit = best is not None
        moments = _matches(text, zone, today - timedelta(days=back))
        past = bisect_right(moments, now_ms)
        if past and (best is None or moments[past - 1] > best):
            best = moments[past - 1]
        if hit:
            break
    return best if best is not None and now_ms - best < within_ms else None


@lru_cache(maxsize=4096)
def _matches(text: str, zone: str, day: date) -> tuple[int, ...]:
    """Return the moments at which the cron line matches on one day, in Unix milliseconds, in ascending order."""
    cron = parse_cron(text)
    if not cron.falls_on(day):
        return ()
    of = _first_time if cron.fixed else _every_time
    return tuple(sorted(at for hour in cron.hours for minute in cron.minutes for at in of(day, hour, minute, zone)))


def _first_time(day: date, hour: int, minute: int, zone: str) -> Iterator[int]:
    wall = datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(zone))
    if _exists(wall):
        yield _ms(wall)
    else:
        yield _end_of_gap(wall)


def _every_time(day: date, hour: int, minute: int, zone: str) -> Iterator[int]:
    wall = datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(zone))
    if _exists(wall):
        yield from {_ms(wall), _ms(wall.replace(fold=1))}


def _exists(wall: datetime) -> bool:
    return wall.astimezone(UTC).astimezone(wall.tzinfo).replace(tzinfo=None) == wall.replace(tzinfo=None)


def _end_of_gap(wall: datetime) -> int:
    """Return the end of the gap in local time that contains ``wall``, in Unix milliseconds.

    A gap is a range of local times that the clock skips at the start of daylight saving time.
    """
    while not _exists(wall):
        wall += _MINUTE
    return _ms(wall)


def _ms(wall: datetime) -> int:
    return round(wall.timestamp() * 1000)
