"""Steer Envoys through their admin interface: ``GET /runtime`` and ``POST /runtime_modify``, by TCP or a Unix socket.

Each Envoy gets one request at a time, so a reading is never older than the last write. An Envoy that hangs does not
delay the others. ``dns://NAME:PORT`` means all addresses of the name, which is resolved again every few seconds. An
Envoy that has left the name may still serve requests, for example while it drains, so it is steered until it is silent.
Source: Envoy's admin interface, ``/runtime`` and ``/runtime_modify`` (an empty value removes a key).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
import structlog

from glidepath import redis_keys, runtime_keys
from glidepath.errors import error_text_with_type
from glidepath.split_leases import parse_lease
from glidepath.timed_wait import wait_until_set
from scorer.steering.envoy.actuator import LeaseReading, MayWrite
from scorer.steering.envoy.rtds_leases import LeaseService
from scorer.steering.envoy.rtds_server import RtdsServer
from scorer.steering.envoy.runtime_values import RuntimeEntries

POLL_S = 0.5  # a restarted Envoy is detected within this time
TIMEOUT_S = 1.5
RESOLVE_S = 3.0
SILENT_S = 30.0  # an Envoy that has left its DNS name and does not answer for this long has ended
MAX_RUNTIME_BYTES = 16 * 2**20
MAX_KEYS_PER_POST = 4000  # the keys are sent in the body, because Envoy refuses a path of that length
ADMIN_LAYER = "admin"

log = structlog.get_logger()

Resolver = Callable[[str, int], Awaitable[set[str]]]


def has_ended(silent_s: float | None, limit_s: float, *, has_our_keys: bool) -> bool:
    """Return whether an Envoy that has left its DNS name serves no more requests of ours.

    ``silent_s``: for how many seconds it has not answered; None if it answers. ``limit_s``: after how many seconds of
    silence it has ended. ``has_our_keys``: whether its runtime
    had keys of Glidepath when it last answered. Another Envoy that got the address may have none.
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


@dataclass(frozen=True, slots=True)
class DnsNames:
    """How names are resolved, how often, and when an Envoy without a name has ended. Times in seconds."""

    resolver: Resolver
    every_s: float = RESOLVE_S
    silent_s: float = SILENT_S


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
        self._pending: dict[str, str] = {}
        self._wake = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()
        self.read_once = asyncio.Event()  # set after the first request, whether it succeeded or not
        self._raw: bytes = b""
        self._silent_since: float | None = None
        self._has_our_keys = False

    def has_ended(self, now: float, limit_s: float) -> bool:
        """Return whether this Envoy, which has left its DNS name, serves no more. ``now``: monotonic seconds."""
        silent = None if self._silent_since is None else now - self._silent_since
        return has_ended(silent, limit_s, has_our_keys=self._has_our_keys)

    def submit(self, values: RuntimeEntries) -> None:
        self._pending.update(values)
        self.idle.clear()
        self._wake.set()

    async def run(self) -> None:
        failures, refused = 0, False
        while True:
            writing = bool(self._pending)
            try:
                await (self._write() if writing else self._read())
                if writing or not refused:  # a successful read does not clear the problem of a failed write
                    failures, refused, self.problem = 0, False, ""
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                failures, refused = failures + 1, refused or writing
                self._failed(error)
            self.read_once.set()
            if self._pending:
                continue
            self.idle.set()
            await wait_until_set(self._wake, POLL_S if not failures else min(0.1 * 2**failures, 1.0))
            self._wake.clear()
            if refused:
                await asyncio.sleep(min(0.1 * 2**failures, 1.0))

    def _failed(self, error: Exception) -> None:
        reason = error_text_with_type(error)
        if reason != self.problem:
            log.warning("envoy_unreachable", envoy=self.name, reason=reason)
        self._silent_since = self._silent_since or time.monotonic()
        self.problem, self.reading, self._raw = reason, None, b""
        self._pending = {}  # the next successful reading leads to a new plan

    async def _read(self) -> None:
        async with self._session.get(f"{self._base}/runtime") as response:
            if response.status != 200:
                raise ValueError(f"GET /runtime answered {response.status}")
            body = await _bounded(response)
        self._silent_since, self._has_our_keys = None, f'"{redis_keys.PREFIX}.'.encode() in body
        if body != self._raw or self.reading is None:
            reading = admin_layer(body)
            self.leases = values_in_force(body, self.lease_keys) if self.lease_keys else {}
            self.reading, self._raw = reading, body

    async def _write(self) -> None:
        values, self._pending = self._pending, {}
        items = list(values.items())
        for start in range(0, len(items), MAX_KEYS_PER_POST):
            await self._post(dict(items[start : start + MAX_KEYS_PER_POST]))
        merged = {**(self.reading or {}), **values}
        self.reading, self._raw = {k: v for k, v in merged.items() if v}, b""

    async def _post(self, values: RuntimeEntries) -> None:
        if not self._may_write():
            raise ValueError("the lease was lost: nothing was written")
        async with self._session.post(f"{self._base}/runtime_modify", data=dict(values)) as response:
            if response.status != 200:
                text = (await response.text())[:200].strip()
                raise ValueError(f"POST /runtime_modify answered {response.status}: {text}")


class AdminActuator:
    """The ``Actuator`` that uses the Envoys' admin interfaces.

    ``addresses``: the addresses of the interfaces (``http(s)://…``, ``unix:/path`` or ``dns://NAME:PORT``). ``leased``:
    the workloads whose leases are read. ``server`` serves ``lease_service``, the leases, to the same Envoys.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        may_write: MayWrite,
        names: DnsNames | None = None,
        *,
        leased: Collection[str] = (),
        lease_service: LeaseService | None = None,
        server: RtdsServer | None = None,
    ) -> None:
        self._lease_keys = {name: runtime_keys.lease_key(name) for name in leased}
        self._lease_service, self._server = lease_service, server
        self._fixed = [a for a in addresses if not a.startswith("dns://")]
        self._names = [a for a in addresses if a.startswith("dns://")]
        self._may_write, self._dns = may_write, names or DnsNames(addresses_of)
        self._departed: set[str] = set()
        self._interfaces: dict[str, AdminInterface] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                if self._server is not None:
                    group.create_task(self._server.run_in_spite_of_errors())
                for address in self._fixed:
                    self._open(group, address)
                while True:
                    if self._names:
                        await self._resolve(group)
                    await asyncio.sleep(self._dns.every_s)
        finally:
            self._interfaces.clear()
            self._tasks.clear()
            for session in self._sessions.values():
                await session.close()
            self._sessions.clear()

    def _open(self, group: asyncio.TaskGroup, address: str) -> None:
        path = address.removeprefix("unix:") if address.startswith("unix:") else ""
        connector = aiohttp.UnixConnector(path) if path else aiohttp.TCPConnector(limit=2)
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        session = aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=True)
        base = "http://envoy" if path else address
        interface = AdminInterface(address, session, base, self._may_write, tuple(self._lease_keys.values()))
        self._sessions[address], self._interfaces[address] = session, interface
        self._tasks[address] = group.create_task(interface.run())

    async def _resolve(self, group: asyncio.TaskGroup) -> None:
        found: set[str] = set()
        for name in self._names:
            parts = urlsplit(name)
            try:
                found |= await self._dns.resolver(str(parts.hostname), int(parts.port or 0))
            except OSError as error:
                log.warning("dns_failed", name=name, reason=str(error))
                return  # continue with the replicas found so far
        departed = set(self._interfaces) - found - set(self._fixed)
        for envoy in sorted(departed - self._departed):
            log.info("envoy_departed", envoy=envoy, effect="it is steered for as long as it answers")
        self._departed = departed
        for envoy in departed:
            if self._interfaces[envoy].has_ended(time.monotonic(), self._dns.silent_s):
                await self._close(envoy)
        for added in sorted(found - set(self._interfaces)):
            self._open(group, added)

    async def _close(self, envoy: str) -> None:
        self._departed.discard(envoy)
        self._tasks.pop(envoy).cancel()
        self._interfaces.pop(envoy)
        await self._sessions.pop(envoy).close()

    def readings(self) -> Mapping[str, RuntimeEntries | None]:
        return {name: interface.reading for name, interface in self._interfaces.items()}

    def submit(self, writes: Mapping[str, RuntimeEntries]) -> None:
        for envoy, values in writes.items():
            if envoy in self._interfaces:
                self._interfaces[envoy].submit(values)

    async def settle(self, timeout: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                for interface in list(self._interfaces.values()):
                    await interface.idle.wait()

    def envoys_with_unknown_weights(self) -> frozenset[str]:
        return frozenset()  # GET /runtime shows every weight

    def admin_layers(self) -> Mapping[str, RuntimeEntries | None]:
        return {}  # the weights are written into the admin layer itself

    def leases(self) -> Mapping[str, LeaseReading]:
        return {name: self._lease(key) for name, key in self._lease_keys.items()}

    def _lease(self, key: str) -> LeaseReading:
        """Return where a lease is in force. An interface that cannot be read shows none."""
        read = {name: one for name, one in self._interfaces.items() if one.reading is not None}
        held = sum(1 for one in read.values() if parse_lease(one.leases.get(key, "")))
        set_at = tuple(name for name, one in read.items() if one.reading and one.reading.get(key))
        return LeaseReading(len(self._interfaces), held, set_at)

    def renew_leases(self, withheld: Collection[str]) -> None:
        if self._lease_service is not None:
            self._lease_service.renew(withheld)

    def problems(self) -> Mapping[str, str]:
        return {name: interface.problem for name, interface in self._interfaces.items() if interface.problem}


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    parts, size = [], 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > MAX_RUNTIME_BYTES:
            raise ValueError(f"the answer to GET /runtime is longer than {MAX_RUNTIME_BYTES} bytes")
        parts.append(chunk)
    return b"".join(parts)


async def addresses_of(host: str, port: int) -> set[str]:
    """Return the URLs of all addresses of a name, with this port. Raises OSError if it cannot be resolved."""
    infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return {f"http://[{i[4][0]}]:{port}" if i[0] == socket.AF_INET6 else f"http://{i[4][0]}:{port}" for i in infos}
