"""The inventory in Redis: a hash for each hour of two days, and for each day of ``inventory.keep``.

For each group of calls and each period, each process writes its own total and replaces its earlier total. So a repeated
write counts only once, and a reader adds up the totals of all processes.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from glidepath import redis_keys
from glidepath.inventory.period_tallies import DAYS, HOUR_MS, HOURS, Level, Period, PeriodGroups
from glidepath.inventory.tally import GroupKey, Tally
from glidepath.inventory.tally_codec import UnreadableTallyError, decode_group, encode_group
from glidepath.redisio import RedisClient

KEPT_HOURS = 48
KEY_BYTES = 32
_AT_ONCE = 200  # groups that are read from Redis at once
_MARGIN_S = 3600
_BEGIN = "begin"  # the field with the time of the first count in a period
_WRITE_DELAY_MS = 5000  # between a count and its first write


def field_of(source: str, groups: PeriodGroups, key: GroupKey) -> str:
    """Return the name of the hash field for a group of a process. ``source``: the name of the process."""
    digest = hashlib.blake2b("\n".join(key).encode(errors="replace"), digest_size=9).hexdigest()
    return f"{source}.{groups.part}:{digest}"


def encoded(source: str, groups: PeriodGroups, keys: list[GroupKey]) -> dict[str, bytes]:
    return {field_of(source, groups, key): encode_group(key, groups.tallies[key]) for key in keys}


async def write_groups(
    client: RedisClient, period: Period, fields: Mapping[str, bytes], keep_s: float, now_ms: int
) -> None:
    """Write a process's groups of one period. Raises RedisError or OSError if Redis does not accept them."""
    name = redis_keys.inventory_period(period.level.name, period.number)
    kept = KEPT_HOURS * HOUR_MS / 1000 if period.level is HOURS else keep_s
    await client.hsetnx(name, _BEGIN, str(max(period.start_ms, now_ms - _WRITE_DELAY_MS)))
    await client.hset(name, mapping=dict(fields))
    await client.expire(name, round(kept + period.level.length_ms / 1000 + _MARGIN_S))


async def fingerprint_key(client: RedisClient) -> bytes:
    """Return the key for the callers' fingerprints from Redis. Create it if there is none.

    Without this key, nobody can compute the fingerprint of a credential again.
    """
    await client.set(redis_keys.INVENTORY_KEY, secrets.token_bytes(KEY_BYTES), nx=True)
    key: bytes = await client.get(redis_keys.INVENTORY_KEY)
    return key[:64]


@dataclass(frozen=True, slots=True)
class StoredGroup:
    """The counts of one process for a group of calls in a period.

    ``key`` and ``tally`` are None if they cannot be read.
    """

    period: Period
    key: GroupKey | None
    tally: Tally | None


def periods_between(since_ms: int, now_ms: int) -> list[Period]:
    """Return the periods from ``since_ms`` until now: hours if all of them are still stored, else days.

    The first period contains ``since_ms``, so it may begin up to an hour or a day earlier.
    """
    hours = now_ms - since_ms <= (KEPT_HOURS - 1) * HOUR_MS
    level: Level = HOURS if hours else DAYS
    return [Period(level, number) for number in range(level.number(since_ms), level.number(now_ms) + 1)]


async def begin_of(client: RedisClient, period: Period) -> int | None:
    """Return when the counting of a period began (Unix ms), or None if Redis has no data for it."""
    begin = await client.hget(redis_keys.inventory_period(period.level.name, period.number), _BEGIN)
    return int(begin) if begin is not None and begin.isdigit() else None


async def stored_groups(client: RedisClient, period: Period) -> AsyncIterator[StoredGroup]:
    """Yield the groups of one period. Raises RedisError or OSError if Redis does not answer."""
    name = redis_keys.inventory_period(period.level.name, period.number)
    seen = {_BEGIN.encode()}
    async for group_field, data in client.hscan_iter(name, count=_AT_ONCE):
        if group_field in seen:  # a scan may return a field twice
            continue
        seen.add(group_field)
        try:
            key, tally = decode_group(data)
        except UnreadableTallyError:
            yield StoredGroup(period, None, None)
        else:
            yield StoredGroup(period, key, tally)
