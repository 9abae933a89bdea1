"""The current time in Unix milliseconds, the unit of every timestamp that Glidepath stores."""

from __future__ import annotations

import time


def unix_ms() -> int:
    """Return the current Unix time in whole milliseconds."""
    return time.time_ns() // 1_000_000
