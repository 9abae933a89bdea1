"""One Envoy's admin interface: its runtime values, its counters, and the writes that wait to be sent to it.

Each Envoy gets one request at a time, so a reading is never older than the last write.
Source: Envoy's admin interface, ``/runtime``, ``/runtime_modify`` (an empty value removes a key) and ``/stats``.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections import deque
from collections.abc import Collection
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from glidepath import redis_keys, runtime_keys
from glidepath.errors import error_text_with_type
from glidepath.logs import get_logger
from glidepath.timed_wait import wait_until_set
from scorer.steering.envoy.actuator import CountersReading, MayWrite
from scorer.steering.envoy.envoy_counters import MAX_BYTES, parse_counters
from scorer.steering.envoy.runtime_values import RuntimeEntries

POLL_S = 0.5  # a restarted Envoy is detected within this time
COUNT_S = 0.2  # the time between two readings of the counters
COUNT_PART = 0.1  # reading the counters takes at most this share of the time
COUNT_READINGS = 3  # the quickest of these readings counts, because a busy host delays single ones
MAX_NODE = 256  # characters of a node id
MAX_RUNTIME_BYTES = 16 * 2**20
MAX_KEYS_PER_POST = 4000  # the keys are sent in the body, because Envoy refuses a path of that length
ADMIN_LAYER = "admin"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

log = get_logger()


def has_ended(silent_s: float | None, limit_s: float, *, has_our_keys: bool) -> bool:
    """Return whether an Envoy that has left its DNS name no longer serves the workloads.

    - ``silent_s``: the seconds for which the Envoy has not answered; None if it answers
    - ``limit_s``: an Envoy has ended after this many seconds without an answer
    - ``has_our_keys``: whether its runtime had keys of Glidepath when it last answered. An Envoy without such keys
      serves no workload; it may be another Envoy that got the address
    """
    return not has_our_keys or (silent_s is not None and silent_s >= limit_s)


def admin_layer(body: bytes) -> dict[str, str]:
    """Return Glidepath's keys and their values in the admin layer, from the body of an answer to ``GET /runtime``.

    The admin layer is the layer named "admin", or the last layer if there is none. Raises ValueError if the body is not
    such an answer.
    """
    try:
        answer = json.loads(body)
    except RecursionError as error:
        raise ValueError("the answer to GET /runtime is nested too deep") from error
    if not isinstance(answer, dict) or not isinstance(answer.get("entries"), dict):
        raise ValueError("the answer to GET /runtime has no entries")  # noqa: TRY004 - callers catch ValueError only
    layers = answer.get("layers")
    if not isinstance(layers, list) or not layers:
        raise ValueError("this Envoy has no runtime layers: add an admin_layer to layered_runtime")
    index = layers.index(ADMIN_LAYER) if ADMIN_LAYER in layers else len(layers) - 1
    values: dict[str, str] = {}
    for key, entry in answer["entries"].items():
        if key.startswith(f"{redis_keys.PREFIX}."):
            layer_values = entry.get("layer_values") if isinstance(entry, dict) else None
            if not isinstance(layer_values, list) or len(layer_values) <= index:
                raise ValueError(f"the runtime key {key} has no layer values")
            if layer_values[index]:
                values[key] = str(layer_values[index])
    return values


def values_in_force(body: bytes, keys: Collection[str]) -> dict[str, str]:
    """Return the final values of these runtime keys, from the body of an answer to ``GET /runtime``.

    Raises ValueError if the body is not such an answer. A key that no layer has is left out.
    """
    entries = json.loads(body)["entries"]
    found = {key: entries[key].get("final_value") for key in keys if isinstance(entries.get(key), dict)}
    return {key: str(value) for key, value in found.items() if value}


class CountPace:
    """Decides how often an Envoy's counters are read: less often if all of the last readings were slow."""

    def __init__(self) -> None:
        self._took_s: deque[float] = deque(maxlen=COUNT_READINGS)

    def add(self, took_s: float, *, failed: bool) -> None:
        """Add how long a reading took, in seconds.

        A quick failure, such as a refused connection, is ignored: it does not show how long a reading takes.
        """
        if not failed or took_s >= min(self._took_s, default=COUNT_S * COUNT_PART):
            self._took_s.append(took_s)

    def between_s(self) -> float:
        """Return the seconds from the beginning of one reading to that of the next."""
        effort = min(self._took_s) if len(self._took_s) >= COUNT_READINGS else 0.0
        return max(COUNT_S, effort / COUNT_PART)


class AdminInterface:
    """One Envoy's admin interface, with the last reading from it and the writes that wait to be sent to it."""

    def __init__(
        self,
        name: str,
        session: aiohttp.ClientSession,
        base: str,
        may_write: MayWrite,
        lease_keys: Collection[str] = (),
    ) -> None:
        self.name = name
        self.lease_keys = lease_keys
        self.leases: dict[str, str] = {}  # those of ``lease_keys`` that are in force, by the last reading
        self.reading: dict[str, str] | None = None
        self.problem = "not read yet"
        self._session, self._base, self._may_write = session, base, may_write
        self.counted: CountersReading | None = None
        self.counters_path = ""
        self._pending: dict[str, str] = {}
        self._retreat: dict[str, str] = {}
        self._read_at = self._count_at = -math.inf
        self._pace = CountPace()
        self._wake = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()
        self.read_once = asyncio.Event()  # set after the first request, whether it succeeded or not
        self._raw: bytes = b""
        self._silent_since: float | None = None
        self._has_our_keys = False

    def has_ended(self, now: float, limit_s: float) -> bool:
        """Return whether this Envoy, which has left its DNS name, has ended. ``now``: monotonic seconds."""
        silent = None if self._silent_since is None else now - self._silent_since
        return has_ended(silent, limit_s, has_our_keys=self._has_our_keys)

    def submit(self, values: RuntimeEntries) -> None:
        self._pending.update(values)
        self.idle.clear()
        self._wake.set()

    def count(self, path: str) -> None:
        """From now on, read the counters at ``path``; "" stops this."""
        self.counters_path, self._count_at = path, -math.inf
        self.counted = self.counted if path else None
        self._wake.set()

    def retreat(self, values: RuntimeEntries) -> None:
        """Send these values before all others, because they lower the candidate's share.

        They are sent even if this scorer does not hold the leader's lease.
        """
        for key in values:
            self._pending.pop(key, None)
        self._retreat.update(values)
        self.idle.clear()
        self._wake.set()

    async def run(self) -> None:
        failures, refused = 0, False
        while True:
            writing = bool(self._pending or self._retreat)
            try:
                await (self._write() if writing else self._look())
                if writing or not refused:  # a successful read does not clear the problem of a failed write
                    failures, refused, self.problem = 0, False, ""
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                failures, refused = failures + 1, refused or writing
                self._failed(error)
            self.read_once.set()
            if self._pending or self._retreat:
                continue
            self.idle.set()
            await wait_until_set(self._wake, self._pause_s() if not failures else min(0.1 * 2**failures, 1.0))
            self._wake.clear()
            if refused:
                await asyncio.sleep(min(0.1 * 2**failures, 1.0))

    def _failed(self, error: Exception) -> None:
        reason = error_text_with_type(error)
        if reason != self.problem:
            log.warning("envoy_unreachable", envoy=self.name, reason=reason)
        self._silent_since = self._silent_since or time.monotonic()
        self.problem, self.reading, self._raw = reason, None, b""
        self._pending, self._retreat = {}, {}  # the next successful reading leads to a new plan
        self._read_at = -math.inf

    def _pause_s(self) -> float:
        now = time.monotonic()
        counting = self._count_at - now if self.counters_path else math.inf
        return max(min(self._read_at + POLL_S - now, counting), 0.01)

    async def _look(self) -> None:
        now = time.monotonic()
        if now >= self._read_at + POLL_S - 0.01:
            await self._read()
            self._read_at = now
        if self.counters_path and now >= self._count_at - 0.01:
            await self._count()

    async def _count(self) -> None:
        """Read the counters. An error does not prevent reading and writing the runtime values."""
        began, failed = time.monotonic(), False
        try:
            values = parse_counters(await self._get(self.counters_path, MAX_BYTES))
            node = self.counted.node if self.counted is not None else await self._node()
            self.counted = CountersReading(values, began, node)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            if self.counted is not None:
                log.warning("envoy_not_counted", envoy=self.name, reason=error_text_with_type(error))
            self.counted, failed = None, True
        self._pace.add(time.monotonic() - began, failed=failed)
        self._count_at = began + self._pace.between_s()

    async def _node(self) -> str:
        try:
            node = json.loads(await self._get("/server_info", MAX_BYTES))["node"]["id"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return ""
        return node[:MAX_NODE] if isinstance(node, str) else ""

    async def _read(self) -> None:
        body = await self._get("/runtime", MAX_RUNTIME_BYTES)
        self._silent_since, self._has_our_keys = None, f'"{redis_keys.PREFIX}.'.encode() in body
        if body != self._raw or self.reading is None:
            reading = admin_layer(body)
            self.leases = values_in_force(body, self.lease_keys) if self.lease_keys else {}
            self.reading, self._raw = reading, body

    async def _get(self, path: str, limit: int) -> bytes:
        url = URL(f"{self._base}{path}", encoded=True)
        async with self._session.get(url) as response:
            if response.status != 200:
                raise ValueError(f"GET {url.path} answered {response.status}")
            return await _bounded(response, limit)

    async def _write(self) -> None:
        retreat, self._retreat = self._retreat, {}
        await self._post_retreat(retreat)
        values, self._pending = self._pending, {}
        await self._post_all(values, leased=True)
        values = {**retreat, **values}
        merged = {**(self.reading or {}), **values}
        self.reading, self._raw = {k: v for k, v in merged.items() if v}, b""

    async def _post_retreat(self, values: RuntimeEntries) -> None:
        """Send a retreat. If Envoy refuses it, send only the weights, without the runtime key for the reason."""
        try:
            await self._post_all(values, leased=False)
        except ValueError:
            weights = {key: value for key, value in values.items() if not key.endswith(runtime_keys.RETREAT)}
            if len(weights) == len(values):
                raise
            await self._post_all(weights, leased=False)

    async def _post_all(self, values: RuntimeEntries, *, leased: bool) -> None:
        items = list(values.items())
        for start in range(0, len(items), MAX_KEYS_PER_POST):
            if leased and not self._may_write():
                raise ValueError("the lease was lost: nothing was written")
            await self._post(dict(items[start : start + MAX_KEYS_PER_POST]))

    async def _post(self, values: RuntimeEntries) -> None:
        form = urlencode(values, quote_via=quote)  # Envoy reads %20 as a space, and + as itself
        async with self._session.post(f"{self._base}/runtime_modify", data=form, headers=FORM) as response:
            if response.status != 200:
                text = (await response.text())[:200].strip()
                raise ValueError(f"POST /runtime_modify answered {response.status}: {text}")


async def _bounded(response: aiohttp.ClientResponse, limit: int) -> bytes:
    parts, size = [], 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > limit:
            raise ValueError(f"the answer to GET {response.url.path} is longer than {limit} bytes")
        parts.append(chunk)
    return b"".join(parts)
