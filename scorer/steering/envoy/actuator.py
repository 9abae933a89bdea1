"""The interface by which the leader reads and writes the Envoys' runtime, and an implementation in memory for tests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from scorer.steering.envoy.envoy_counters import Counters
from scorer.steering.envoy.runtime_values import RuntimeEntries

MayWrite = Callable[[], bool]
"""A function that returns whether this process still holds the lease. It is called right before each write is sent."""


class ListenError(Exception):
    """The address to which Envoys connect is in use, perhaps by a former leader that hangs. It may be free later."""


@dataclass(frozen=True, slots=True)
class LeaseReading:
    """In how many Envoys the lease of a workload's split is in force (``glidepath.split_leases``).

    - ``envoys``: the number of all Envoys
    - ``held``: the number of Envoys in which the lease is in force
    - ``set_at``: the admin interfaces at which a person set the lease. There it neither expires nor is renewed
    """

    envoys: int = 0
    held: int = 0
    set_at: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CountersReading:
    """An Envoy's counters, read at ``at_s`` (monotonic seconds), and its node id ("" if unknown)."""

    values: Counters
    at_s: float
    node: str = ""


class Actuator(Protocol):
    """The interface that reads and writes every Envoy's runtime. Only one leader uses it at a time; see ``Lease``.

    ``lasts``: whether the actuator keeps running after the leader's term, to read the Envoys and to send retreats. This
    is allowed only if other scorers can still reach the Envoys.
    """

    lasts: bool

    async def run(self) -> None:
        """Keep the readings fresh and send the submitted writes, until cancelled.

        Raises ListenError if the actuator has to listen on an address that is in use.
        """

    def readings(self) -> Mapping[str, RuntimeEntries | None]:
        """Return the ``glidepath.*`` runtime entries of each Envoy; None for an Envoy that cannot be read now.

        The entries may have been set by Glidepath or by a person.
        """

    def submit(self, writes: Mapping[str, RuntimeEntries]) -> None:
        """Queue ``writes``: for each Envoy, the entries to send to it in one request.

        If earlier entries for the same Envoy are still waiting, the new entries are merged with them.
        """

    def retreat(self, writes: Mapping[str, RuntimeEntries]) -> None:
        """Send ``writes``, which lower the candidate's share, before all others; see ``submit``.

        If ``lasts`` is true, the actuator sends them even if this scorer does not hold the leader's lease.
        """

    def count(self, path: str) -> None:
        """From now on, read the counters at ``path`` of each admin interface several times a second; "" stops this."""

    def counters(self) -> Mapping[str, CountersReading]:
        """Return the last counters of each Envoy whose admin interface is configured and can be read."""

    async def settle(self, timeout: float) -> None:
        """Wait until every submitted write has succeeded or failed, but at most ``timeout`` seconds."""

    def end_term(self) -> None:
        """Stop everything that only a leader may do. If ``lasts`` is true, continue to read the Envoys."""

    def envoys_with_unknown_weights(self) -> frozenset[str]:
        """Return the Envoys that have a former leader's weights, which this actuator cannot read."""

    def admin_layers(self) -> Mapping[str, RuntimeEntries | None]:
        """Return the entries in each admin layer, by the admin interface's address; None if it cannot be read now.

        Only ``glidepath.*`` entries are returned. The result is empty if the actuator itself sets weights in the admin
        layer. With RTDS, the admin layer takes precedence over the pushed layer. To write to the admin layer, pass the
        address of the admin interface to ``submit`` in place of an Envoy.
        """

    def leases(self) -> Mapping[str, LeaseReading]:
        """Return, for each workload whose split needs a lease, in how many Envoys the lease is in force now."""

    def renew_leases(self, withheld: Collection[str]) -> None:
        """Renew the leases of the splits of all workloads except ``withheld``. Without regular calls, they expire."""

    def problems(self) -> Mapping[str, str]:
        """Return the reason for each Envoy that cannot be read or written now."""


class MemoryActuator:
    """An in-memory actuator for tests: Envoys are dictionaries that tests can change, restart or disconnect."""

    lasts = True

    def __init__(self, envoys: int = 1) -> None:
        self.counted: dict[str, CountersReading] = {}
        self.path = ""
        self.runtime: dict[str, dict[str, str]] = {f"envoy-{i}": {} for i in range(envoys)}
        self.unreachable: set[str] = set()
        self.absent: set[str] = set()  # not in the fleet now, as if DNS did not return them
        self.unknown_weights: set[str] = set()
        self.layers: dict[str, dict[str, str]] = {}  # admin interface → its admin layer, above the Envoy's own runtime
        self.writes: list[tuple[str, dict[str, str]]] = []
        self.lease_readings: dict[str, LeaseReading] = {}
        self.withheld: frozenset[str] = frozenset()

    async def run(self) -> None:
        return None

    def readings(self) -> Mapping[str, RuntimeEntries | None]:
        return {e: None if e in self.unreachable else v for e, v in self.runtime.items() if e not in self.absent}

    def submit(self, writes: Mapping[str, RuntimeEntries]) -> None:
        for envoy, entries in writes.items():
            if envoy in self.layers:
                self.layers[envoy] = _merged(self.layers[envoy], entries)
                continue
            if envoy in self.unreachable or envoy in self.absent:
                continue
            self.set_runtime(envoy, entries)
            self.writes.append((envoy, dict(entries)))

    def retreat(self, writes: Mapping[str, RuntimeEntries]) -> None:
        self.submit(writes)

    def count(self, path: str) -> None:
        self.path = path

    def counters(self) -> Mapping[str, CountersReading]:
        return dict(self.counted)

    def set_runtime(self, envoy: str, entries: RuntimeEntries) -> None:
        """Change an Envoy's runtime entries. Tests also use this to act as a person who uses curl.

        A change results in a new reading object. Without a change, the reading stays the same object, as with the real
        actuators.
        """
        self.runtime[envoy] = _merged(self.runtime[envoy], entries)

    def restart(self, envoy: str) -> None:
        self.runtime[envoy] = {}

    async def settle(self, timeout: float) -> None:
        return None

    def end_term(self) -> None:
        return None

    def envoys_with_unknown_weights(self) -> frozenset[str]:
        return frozenset(self.unknown_weights)

    def admin_layers(self) -> Mapping[str, RuntimeEntries | None]:
        return dict(self.layers)

    def leases(self) -> Mapping[str, LeaseReading]:
        return dict(self.lease_readings)

    def renew_leases(self, withheld: Collection[str]) -> None:
        self.withheld = frozenset(withheld)

    def problems(self) -> Mapping[str, str]:
        return dict.fromkeys(self.unreachable, "cut off")


def _merged(entries: RuntimeEntries, changes: RuntimeEntries) -> dict[str, str]:
    """Return the entries with the changes applied. As in Envoy, an empty value removes its key."""
    return {key: value for key, value in {**entries, **changes}.items() if value}
