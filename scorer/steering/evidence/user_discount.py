"""Discount the pairs of busy users, so that no user outweighs the others: one user's answers are not independent.

A user is identified by the sticky key. After a pair of a key has counted, the next pair of the same key counts only
after a few pairs of other keys (one for every eight known keys, at most eight). If one key sends nearly all requests,
every n-th pair of this key counts, so the evidence is discounted but keeps growing. With fewer than eight keys, every
pair counts, because there is no other traffic. Keys are hashed into 256 slots, so memory is bounded. Whether a pair
counts depends on earlier pairs and never on its score, so the bets stay fair.

See ADR 0044.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

_KEYS_PER_GAP, _LARGEST_GAP = 8, 8
_PATIENCE = 4  # a pair counts after its key was refused this many times the gap


@dataclass(frozen=True, slots=True)
class KeySlot:
    """The sticky keys that share one hash.

    ``admitted_at``: how many pairs of all keys had counted when a pair of this slot last counted; ``refused_since``:
    how many pairs of this slot have not counted since then.
    """

    slot: int
    admitted_at: int
    refused_since: int


@dataclass(frozen=True, slots=True)
class UserDiscountState:
    admitted: int
    slots: tuple[KeySlot, ...]


class UserDiscount:
    """Decide which pairs count as evidence. The stored form is ``state``."""

    def __init__(self) -> None:
        self._slots: dict[int, KeySlot] = {}
        self._admitted = 0

    def admits(self, key: str) -> bool:
        """Record a pair of this sticky key, and return whether it counts. A pair without a key ("") always counts."""
        if not key:
            return True
        slot = hashlib.blake2b(key.encode(), digest_size=1).digest()[0]
        gap = min(_LARGEST_GAP, len(self._slots) // _KEYS_PER_GAP)
        seen = self._slots.get(slot) or KeySlot(slot, -1 - gap, 0)
        if self._admitted - seen.admitted_at <= gap and seen.refused_since < _PATIENCE * gap:
            self._slots[slot] = KeySlot(slot, seen.admitted_at, seen.refused_since + 1)
            return False
        self._admitted += 1
        self._slots[slot] = KeySlot(slot, self._admitted, 0)
        return True

    @property
    def state(self) -> UserDiscountState:
        return UserDiscountState(self._admitted, tuple(self._slots[slot] for slot in sorted(self._slots)))

    def restore(self, state: UserDiscountState) -> None:
        self._admitted = state.admitted
        self._slots = {slot.slot: slot for slot in state.slots}
