"""Whose turn is it? What every workload does now and then must not fall on one moment for all of them."""

from __future__ import annotations

import zlib


def turn(name: str, now_ms: int, every_ms: int) -> int:
    """Which round of ``every_ms`` it is for ``name``: rounds are as long for everybody, and begin at other times.

    When depends on the name alone, so it is the same after a restart and in another process; and on ``every_ms``, so
    that two things of one workload do not always meet.
    """
    return (now_ms + zlib.crc32(name.encode(), every_ms) % every_ms) // every_ms


def is_due(turns: dict[str, int], name: str, now_ms: int, every_ms: int) -> bool:
    """Once in ``every_ms``; ``turns`` keeps each name's last one."""
    now = turn(name, now_ms, every_ms)
    due, turns[name] = turns.get(name) != now, now
    return due
