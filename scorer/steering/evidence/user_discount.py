"""No user may outweigh the others: answers to one sticky key are not independent of each other.

A pair counts again for the same key only after a few pairs of other keys (one for every eight keys seen, at most
eight); in a monologue every so many-th pair counts, so evidence is discounted and never dries up. With fewer than eight
keys nothing is left out: they are all the traffic there is. Keys are hashed into 256 slots, so memory is bounded.
Whether a pair counts depends on what came before it and never on its score, so the bets stay fair.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

_KEYS_PER_GAP, _LARGEST_GAP = 8, 8
_PATIENCE = 4  # refused this many times the gap, a key counts all the same


class KeyCap:
    def __init__(self) -> None:
        self._slots: dict[int, tuple[int, int]] = {}  # slot → (admitted at, refused since)
        self._admitted = 0

    def admits(self, key: str) -> bool:
        """Whether a pair of this key counts; "" (no stickiness) always does."""
        if not key:
            return True
        slot = hashlib.blake2b(key.encode(), digest_size=1).digest()[0]
        gap = min(_LARGEST_GAP, len(self._slots) // _KEYS_PER_GAP)
        at, refused = self._slots.get(slot, (-1 - gap, 0))
        if self._admitted - at <= gap and refused < _PATIENCE * gap:
            self._slots[slot] = (at, refused + 1)
            return False
        self._admitted += 1
        self._slots[slot] = (self._admitted, 0)
        return True

    def to_json(self) -> list[Any]:
        return [self._admitted, *([slot, *state] for slot, state in sorted(self._slots.items()))]

    def load(self, raw: Sequence[Any]) -> None:
        self._admitted = int(raw[0])
        self._slots = {int(slot): (int(at), int(refused)) for slot, at, refused in raw[1:]}
