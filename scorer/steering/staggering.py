"""Spread the periodic work of many workloads over time, so that it does not all fall on the same tick (ADR 0111)."""

from __future__ import annotations

import zlib
from functools import lru_cache


def period_index(name: str, now_ms: int, every_ms: int) -> int:
    """Return the index of the period that contains ``now_ms``. The periods of ``name`` are ``every_ms`` long.

    Work is due when the index has changed. The periods of all names are equally long but begin at different times: each
    name has its own offset, a hash of the name and ``every_ms``. So the offset is the same after a restart and in
    another process, and two kinds of work of one workload do not always coincide.
    """
    return (now_ms + _offset_ms(name, every_ms)) // every_ms


@lru_cache(maxsize=16_384)
def _offset_ms(name: str, every_ms: int) -> int:
    return zlib.crc32(name.encode(), every_ms) % every_ms


def period_began(name: str, last_ms: int, at_ms: int, every_ms: int) -> bool:
    """Return whether a new period of ``name`` began between ``last_ms`` and ``at_ms``; see ``period_index``."""
    return period_index(name, at_ms, every_ms) > period_index(name, last_ms, every_ms)
