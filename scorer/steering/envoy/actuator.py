"""The one interface to a fleet of Envoys, and its in-memory twin for unit tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from scorer.steering.envoy.reconcile import Values

MayWrite = Callable[[], bool]
"""Asked at the last moment before a write leaves: does this process still hold the lease?"""


class ListenError(Exception):
    """The address that Envoys connect to is taken, perhaps by a former leader that is frozen. It may become free."""


class Actuator(Protocol):
    """Reads what each Envoy's runtime holds and writes to it. One leader drives it; see ``Lease``."""

    async def run(self) -> None:
        """Keep readings fresh and send what was submitted, until cancelled. Raises ListenError."""

    def readings(self) -> Mapping[str, Values | None]:
        """Envoy → the ``glidepath.*`` keys of its admin layer, writes of ours included; None: not readable now."""

    def submit(self, writes: Mapping[str, Values]) -> None:
        """Send these keys to these Envoys, each in one request. A later submission for an Envoy is merged over."""

    async def settle(self, timeout: float) -> None:
        """Return once every submitted write is answered, well or badly, or after ``timeout`` seconds."""

    def carrying(self) -> frozenset[str]:
        """Envoys that have weights which cannot be read: those of a leader before this one."""

    def overrides(self) -> Mapping[str, Values | None]:
        """Admin interface → the ``glidepath.*`` keys in its admin layer, where Envoys are told by another way (RTDS)
        and that layer stands above it; written through ``submit`` like an Envoy. None: not readable now."""

    def problems(self) -> Mapping[str, str]:
        """Envoy → why it cannot be read or written just now."""


class MemoryActuator:
    """Envoys as dictionaries; tests reach in to restart, curl or cut them off."""

    def __init__(self, envoys: int = 1, may_write: MayWrite = lambda: True) -> None:
        self.runtime: dict[str, dict[str, str]] = {f"envoy-{i}": {} for i in range(envoys)}
        self.cut_off: set[str] = set()
        self.gone: set[str] = set()  # out of the fleet for now, as when DNS does not name them
        self.carried: set[str] = set()
        self.above: dict[str, dict[str, str]] = {}  # admin layers above what Envoys are told, by admin interface
        self.writes: list[tuple[str, dict[str, str]]] = []
        self._may_write = may_write

    async def run(self) -> None:
        return None

    def readings(self) -> Mapping[str, Values | None]:
        return {e: None if e in self.cut_off else v for e, v in self.runtime.items() if e not in self.gone}

    def submit(self, writes: Mapping[str, Values]) -> None:
        for envoy, values in writes.items():
            if envoy in self.above:
                merged = {**self.above[envoy], **values}
                self.above[envoy] = {key: value for key, value in merged.items() if value}
                continue
            if envoy in self.cut_off or envoy in self.gone or not self._may_write():
                continue
            self.curl(envoy, values)
            self.writes.append((envoy, dict(values)))

    def curl(self, envoy: str, values: Values) -> None:
        """Like the real one, a change is a new reading; an unchanged reading is the same object."""
        merged = {**self.runtime[envoy], **values}
        self.runtime[envoy] = {key: value for key, value in merged.items() if value}

    def restart(self, envoy: str) -> None:
        self.runtime[envoy] = {}

    async def settle(self, timeout: float) -> None:
        return None

    def carrying(self) -> frozenset[str]:
        return frozenset(self.carried)

    def overrides(self) -> Mapping[str, Values | None]:
        return dict(self.above)

    def problems(self) -> Mapping[str, str]:
        return dict.fromkeys(self.cut_off, "cut off")
