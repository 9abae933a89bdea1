"""Periodic work of many workloads, spread over the period so that it does not all fall on the same tick (ADR 0111)."""

from __future__ import annotations

import zlib


def turn(name: str, now_ms: int, every_ms: int) -> int:
    """Return the number of the period of ``every_ms`` in which ``name`` is at ``now_ms``.

    Work is due when the number has changed. Periods are equally long for every name and begin at different times. The
    offset depends on the name alone, so it is the same after a restart and in another process. It also depends on
    ``every_ms``, so that two kinds of work of one workload do not always coincide.
    """
    return (now_ms + zlib.crc32(name.encode(), every_ms) % every_ms) // every_ms
