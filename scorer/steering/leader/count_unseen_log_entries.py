"""Count the access log entries that Envoys produced but no extproc received.

Envoy loses entries while extproc is frozen or dead, and counts only some of them as dropped. So the leader compares
Envoy's counters of written and dropped entries with the number of entries that the extprocs have received. An entry
counted by Envoy appears in extproc's report up to ``LAG_S`` later. So the Envoys' sum from ``LAG_S`` ago is compared
with the extprocs' present sum. The result is a lower bound. It is exact after traffic has paused for ``LAG_S``. In
steady traffic, it misses the entries that are lost within ``LAG_S``. See ADR 0167.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

import aiohttp
from prometheus_client import CollectorRegistry, Gauge
from redis.exceptions import RedisError

from glidepath import redis_keys
from glidepath.clock import unix_ms
from glidepath.config import Config
from glidepath.errors import InputError, error_text_with_type
from glidepath.logs import get_logger
from glidepath.redisio import RedisClient, being_cancelled
from glidepath.unseen_log_entries import UnseenRecord

EVERY_S = 1.0
LAG_S = 3.0
TIMEOUT_S = 2.0
MAX_BYTES = 4 * 2**20
STATS = "/stats?format=json&filter=grpc_access_log"

log = get_logger()


@dataclass(frozen=True, slots=True)
class Increase:
    """The sum of the increases of several counters, each of which may begin again at 0.

    ``last``: the latest value of each counter; None before the first reading, which does not count as an increase.
    """

    last: Mapping[str, int] | None = None
    total: int = 0

    def after(self, values: Mapping[str, int], *, count_new: bool) -> Increase:
        """Return the sum after a reading. ``count_new``: whether a new counter's first value is an increase."""
        if self.last is None:
            return Increase(dict(values), 0)
        total = self.total
        for name, value in values.items():
            before = self.last.get(name, 0 if count_new else value)
            total += value - before if value >= before else value
        return Increase({**self.last, **values}, total)


@dataclass(frozen=True, slots=True)
class UnseenCount:
    """The entries that Envoys produced, those that extprocs received, and how many of them no extproc received.

    - ``produced``: one counter for each Envoy
    - ``arrived``: one counter for each extproc process
    - ``history``: (time in seconds, sum of ``produced``) for the readings of the last ``LAG_S``
    - ``unseen``: how many entries no extproc received
    """

    produced: Increase = Increase()
    arrived: Increase = Increase()
    history: tuple[tuple[float, int], ...] = ()
    unseen: int = 0

    def after(self, produced: Mapping[str, int], arrived: Mapping[str, int], now_s: float) -> UnseenCount:
        """Return the count after a reading of all counters at ``now_s``."""
        made = self.produced.after(produced, count_new=False)
        came = self.arrived.after(arrived, count_new=True)
        old = [one for one in self.history if one[0] <= now_s - LAG_S]
        due = old[-1][1] if old else 0
        history = (*(old[-1:]), *(one for one in self.history if one[0] > now_s - LAG_S), (now_s, made.total))
        return UnseenCount(made, came, history, max(self.unseen, due - came.total))


def produced_entries(stats: bytes) -> int:
    """Return how many entries Envoy wrote or dropped, from its answer to ``STATS``.

    Raises ValueError if it is not such an answer.
    """
    try:
        found = json.loads(stats)["stats"]
        names = ("logs_written", "logs_dropped")
        return sum(int(one["value"]) for one in found if str(one.get("name", "")).endswith(names))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise ValueError("not an answer to GET /stats") from error


class UnseenEntries:
    """The leader's task that keeps the count in Redis and in the metrics. ``run`` never raises an error."""

    def __init__(self, config: Config, redis: RedisClient, registry: CollectorRegistry) -> None:
        self._addresses = [one for one in config.envoy.admin if not one.startswith("dns://")]
        self._unread = len(config.envoy.admin) - len(self._addresses) if config.envoy.admin else 1
        self._redis = redis
        self._gauge = Gauge(
            "glidepath_unseen_log_entries",
            "Minimum number of access log entries that an Envoy produced but no extproc received",
            registry=registry,
        )

    async def run(self) -> None:
        count, before = UnseenCount(), await self._stored()
        lost_ms = before.lost_ms
        loop = asyncio.get_running_loop()
        while not being_cancelled():
            try:
                produced = await self._produced()
                arrived = await self._arrived()
                grown = count.after(produced, arrived, loop.time())
                if grown.unseen > count.unseen:
                    log.warning("log_entries_lost", more=grown.unseen - count.unseen)
                    lost_ms = unix_ms()
                count = grown
                await self._store(replace(before, lost_ms=lost_ms), count, len(produced))
            except (RedisError, aiohttp.ClientError, OSError, ValueError) as error:
                log.debug("unseen_entries_not_counted", reason=error_text_with_type(error))
            await asyncio.sleep(EVERY_S)

    async def _stored(self) -> UnseenRecord:
        try:
            raw = await self._redis.get(redis_keys.UNSEEN_ENTRIES)
            return UnseenRecord.from_json(raw) if raw is not None else UnseenRecord(since_ms=unix_ms())
        except (RedisError, OSError, InputError):
            return UnseenRecord(since_ms=unix_ms())

    async def _store(self, before: UnseenRecord, count: UnseenCount, read: int) -> None:
        missing = len(self._addresses) - read + self._unread
        record = replace(
            before,
            produced=before.produced + count.produced.total,
            unseen=before.unseen + count.unseen,
            at_ms=unix_ms(),
            silent=f"{missing} of envoy.admin" if missing and self._addresses else "all" if missing else "",
        )
        self._gauge.set(record.unseen)
        await self._redis.set(redis_keys.UNSEEN_ENTRIES, record.to_json())

    async def _arrived(self) -> dict[str, int]:
        raw = await self._redis.hgetall(redis_keys.ARRIVED_ENTRIES)
        return {_text(source): int(value) for source, value in raw.items()}

    async def _produced(self) -> dict[str, int]:
        read = await asyncio.gather(*(self._read(address) for address in self._addresses))
        return {address: value for address, value in zip(self._addresses, read, strict=True) if value is not None}

    async def _read(self, address: str) -> int | None:
        """Return one Envoy's count, or None if it does not answer."""
        path = address.removeprefix("unix:") if address.startswith("unix:") else None
        connector = aiohttp.UnixConnector(path=path) if path else None
        base = "http://envoy" if path else address.rstrip("/")
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
                session.get(base + STATS) as answer,
            ):
                return produced_entries(await answer.content.read(MAX_BYTES))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return None


def _text(value: bytes | str) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
