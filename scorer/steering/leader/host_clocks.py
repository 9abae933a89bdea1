"""The clocks of this process's host."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from glidepath.clock import unix_ms

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")  # proc(5): the same in all containers of a host


def monotonic_ms() -> int:
    """Return the time of the monotonic clock in whole milliseconds."""
    return time.monotonic_ns() // 1_000_000


def boot_id() -> str:
    """Return an id of the host's last start. If the system has no such id, return an id of this process."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return f"process-{uuid.uuid4()}"


@dataclass(frozen=True, slots=True)
class HostTime:
    """One moment by the host's monotonic clock and by its wall clock (Unix time), in milliseconds."""

    monotonic_ms: int
    wall_ms: int


@dataclass(frozen=True, slots=True)
class HostClocks:
    """Reads the host's clocks. Tests replace them.

    ``boot``: an id of the host's last start. Two times of the monotonic clock can be compared only if ``boot`` is the
    same.
    """

    wall_ms: Callable[[], int] = unix_ms
    monotonic_ms: Callable[[], int] = monotonic_ms
    boot: str = field(default_factory=boot_id)

    def now(self) -> HostTime:
        return HostTime(self.monotonic_ms(), self.wall_ms())
