"""No user may outweigh the others: pairs of one sticky key are capped, since they are not independent of each other.

Keys are hashed into 256 slots, so memory is bounded. A pair is left out of the evidence when its slot already holds
more than four times the average of the slots in use (and more than eight): a single user's traffic still counts when
it is all there is, but a burst of one among many does not. Whether a pair counts depends on what came before it and
never on its score, so the bets stay fair.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

_SLOTS = 256
_FACTOR, _FREE = 4, 8


class KeyCap:
    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._total = 0

    def admits(self, key: str) -> bool:
        """Whether a pair of this key counts; "" (no stickiness) always does."""
        if not key:
            return True
        slot = hashlib.blake2b(key.encode(), digest_size=1).digest()[0] % _SLOTS
        held = self._counts.get(slot, 0)
        if held >= _FREE and held * len(self._counts) >= _FACTOR * self._total:
            return False
        self._counts[slot] = held + 1
        self._total += 1
        return True

    def to_json(self) -> list[list[int]]:
        return [list(item) for item in sorted(self._counts.items())]

    def load(self, raw: Sequence[Any]) -> None:
        self._counts = {int(slot): int(count) for slot, count in raw}
        self._total = sum(self._counts.values())
