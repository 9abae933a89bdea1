"""The addresses on which the processes listen, and which of them conflict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from glidepath.config.root import Config
from glidepath.split_leases import serves_rtds

_ANY_HOST = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not listened on


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """An address on which a process listens.

    ``key``: its place in the configuration. ``process``: envoy, extproc, scorer or console.
    """

    process: str
    key: tuple[str, str]
    address: str

    @property
    def dotted(self) -> str:
        return ".".join(self.key)

    def excludes(self, other: ListenAddress) -> bool:
        """Return whether two servers on the same machine cannot use the two addresses at the same time."""
        if self.address.startswith("unix:") or other.address.startswith("unix:"):
            return self.address == other.address
        (host, port), (other_host, other_port) = _host_and_port(self.address), _host_and_port(other.address)
        return port == other_port and (host == other_host or bool(_ANY_HOST & {host, other_host}))


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    host = host.strip("[]").lower()
    return ("127.0.0.1" if host == "localhost" else host), int(port)


def listen_addresses(config: Config) -> tuple[ListenAddress, ...]:
    """Return the addresses on which Envoy, extproc's workers, the scorer and the console listen."""
    envoy, extproc, scorer = config.envoy, config.extproc, config.scorer
    found = [
        ListenAddress("envoy", ("envoy", "listen"), envoy.listen),
        ListenAddress("envoy", ("envoy", "shadow_listen"), envoy.shadow_listen),
        *(ListenAddress("extproc", ("extproc", "listen"), one) for one in extproc.addresses),
        *(ListenAddress("extproc", ("extproc", "metrics"), one) for one in extproc.metrics_addresses),
        ListenAddress("scorer", ("scorer", "metrics"), scorer.metrics),
    ]
    if "listen" in config.console.model_fields_set:  # `up` uses another port if the default is in use
        found.append(ListenAddress("console", ("console", "listen"), config.console.listen))
    if serves_rtds(config):
        found.append(ListenAddress("scorer", ("envoy", "rtds_listen"), envoy.rtds_listen))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class AddressConflict:
    """Two addresses that exclude each other: ``second`` cannot be used, because ``first`` is in use."""

    first: ListenAddress
    second: ListenAddress

    @property
    def message(self) -> str:
        return f"{self.second.address} is also used by {self.first.dotted} ({self.first.address})"


def conflicts(listeners: Sequence[ListenAddress], *, on_one_machine: bool) -> Iterator[AddressConflict]:
    """Yield each pair of addresses that exclude each other.

    Addresses of different processes can only exclude each other if all processes run ``on_one_machine``.
    """
    for first, second in combinations(listeners, 2):
        if (on_one_machine or first.process == second.process) and first.excludes(second):
            yield AddressConflict(first, second)
