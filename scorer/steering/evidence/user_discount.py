"""The user discount: leave out some pairs of busy users, because the answers of one user are not independent.

A user is identified by the digest of the sticky value, here called the key. After a pair of one key has counted as
evidence, another pair of this key counts only after a gap: first, pairs of other keys must count. The gap is one such
pair for every eight known keys, at most eight. If one key sends nearly all requests, other keys fill the gap too
slowly. So a pair also counts once the number of left-out pairs of its key is four times the gap. At the largest gap,
every 33rd pair then counts. With fewer than eight keys, every pair counts, because there is too little other traffic.

Keys are hashed into 256 slots, so memory is bounded. Whether a pair counts depends on earlier pairs and never on the
pair's score, so the tests stay valid.

See ADR 0044.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from scorer.steering.evidence.state_codec import Stored

_KEYS_PER_GAP, _LARGEST_GAP = 8, 8
_ADMIT_AFTER_GAPS = 4  # a pair counts once the number of left-out pairs of its key is this many times the gap


@dataclass(frozen=True, slots=True)
class KeySlot:
    """The record about all users' keys that have the same hash.

    - ``admitted_at``: how many pairs of all keys had counted when a pair of these keys last counted
    - ``refused_since``: how many pairs of these keys have been left out since then
    """

    admitted_at: int
    refused_since: int


class UserDiscount(Stored):
    """Decides which cross pairs count as evidence.

    ``_slots``: the hash of users' keys → the record about them. ``_admitted``: how many pairs of all keys have counted.
    """

    _slots: dict[str, KeySlot]
    _admitted: int

    def __init__(self) -> None:
        self._slots = {}
        self._admitted = 0

    def admits(self, key: str) -> bool:
        """Record a pair of the user with this key, and return whether the pair counts as evidence.

        ``key``: the digest of the sticky value. A pair without a key ("") always counts.
        """
        if not key:
            return True
        slot = hashlib.blake2b(key.encode(), digest_size=1).hexdigest()
        gap = min(_LARGEST_GAP, len(self._slots) // _KEYS_PER_GAP)
        seen = self._slots.get(slot) or KeySlot(-1 - gap, 0)
        if self._admitted - seen.admitted_at <= gap and seen.refused_since < _ADMIT_AFTER_GAPS * gap:
            self._slots[slot] = KeySlot(seen.admitted_at, seen.refused_since + 1)
            return False
        self._admitted += 1
        self._slots[slot] = KeySlot(self._admitted, 0)
        return True
