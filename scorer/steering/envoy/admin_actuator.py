"""Steer Envoys through their admin interface: ``GET /runtime`` and ``POST /runtime_modify``, by TCP or a Unix socket.

An Envoy that hangs does not delay the others (admin_interface.py). ``dns://NAME:PORT`` means all addresses of the name,
which is resolved again every few seconds. An Envoy whose address is no longer in the name's DNS answer may still serve
requests, for example while it drains. So it is steered until it stops answering.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from glidepath import runtime_keys
from glidepath.logs import get_logger
from glidepath.split_leases import parse_lease
from scorer.steering.envoy.actuator import CountersReading, LeaseReading, MayWrite
from scorer.steering.envoy.admin_interface import AdminInterface
from scorer.steering.envoy.rtds_leases import LeaseService
from scorer.steering.envoy.rtds_server import RtdsServer
from scorer.steering.envoy.runtime_values import RuntimeEntries

TIMEOUT_S = 1.5
RESOLVE_S = 3.0
SILENT_S = 30.0  # an Envoy that has left its DNS name and does not answer for this long has ended

log = get_logger()

Resolver = Callable[[str, int], Awaitable[set[str]]]


@dataclass(frozen=True, slots=True)
class DnsNames:
    """The settings for resolving DNS names. Times are in seconds.

    ``every_s``: the time between two resolutions. ``silent_s``: an Envoy whose address is no longer in DNS counts as
    ended after this time without an answer.
    """

    resolver: Resolver
    every_s: float = RESOLVE_S
    silent_s: float = SILENT_S


class AdminActuator:
    """The ``Actuator`` that uses the Envoys' admin interfaces.

    ``addresses``: the addresses of the interfaces (``http(s)://…``, ``unix:/path`` or ``dns://NAME:PORT``). ``leased``:
    the workloads whose splits need a lease. ``server``: serves the leases of ``lease_service`` to the same Envoys.
    """

    lasts = True

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
        self._serving: asyncio.Task[None] | None = None
        self._fixed = [a for a in addresses if not a.startswith("dns://")]
        self._names = [a for a in addresses if a.startswith("dns://")]
        self._may_write, self._dns = may_write, names or DnsNames(addresses_of)
        self._departed: set[str] = set()
        self._path = ""
        self._interfaces: dict[str, AdminInterface] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                if self._server is not None:
                    self._serving = group.create_task(self._server.run_despite_errors())
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
        interface.counters_path = self._path
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

    def retreat(self, writes: Mapping[str, RuntimeEntries]) -> None:
        for envoy, values in writes.items():
            if envoy in self._interfaces:
                self._interfaces[envoy].retreat(values)

    def count(self, path: str) -> None:
        if path == self._path:
            return
        self._path = path
        for interface in self._interfaces.values():
            interface.count(path)

    def counters(self) -> Mapping[str, CountersReading]:
        return {name: one.counted for name, one in self._interfaces.items() if one.counted is not None}

    async def settle(self, timeout: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                for interface in list(self._interfaces.values()):
                    await interface.idle.wait()

    def end_term(self) -> None:
        if self._serving is not None:
            self._serving.cancel()  # Envoys must be free to connect to the next leader

    def envoys_with_unknown_weights(self) -> frozenset[str]:
        return frozenset()  # GET /runtime shows every weight

    def admin_layers(self) -> Mapping[str, RuntimeEntries | None]:
        return {}  # the weights are written into the admin layer itself

    def leases(self) -> Mapping[str, LeaseReading]:
        return {name: self._lease(key) for name, key in self._lease_keys.items()}

    def _lease(self, key: str) -> LeaseReading:
        """Return in how many Envoys the lease of a split is in force.

        Envoys that cannot be read count as Envoys without the lease.
        """
        read = {name: one for name, one in self._interfaces.items() if one.reading is not None}
        held = sum(1 for one in read.values() if parse_lease(one.leases.get(key, "")))
        set_at = tuple(name for name, one in read.items() if one.reading and one.reading.get(key))
        return LeaseReading(len(self._interfaces), held, set_at)

    def renew_leases(self, withheld: Collection[str]) -> None:
        if self._lease_service is not None:
            self._lease_service.renew(withheld)

    def problems(self) -> Mapping[str, str]:
        return {name: interface.problem for name, interface in self._interfaces.items() if interface.problem}


async def addresses_of(host: str, port: int) -> set[str]:
    """Return the URLs of all addresses of a name, with this port. Raises OSError if it cannot be resolved."""
    infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return {f"http://[{i[4][0]}]:{port}" if i[0] == socket.AF_INET6 else f"http://{i[4][0]}:{port}" for i in infos}
