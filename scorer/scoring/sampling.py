"""Draw pairs for an instrument that judges only a share of them. Pure."""

from __future__ import annotations

import hashlib


def is_sampled(pair_id: str, share: float, instrument: str) -> bool:
    """Return whether an instrument gets a pair. A hash of the pair's id decides, so the draw is even and repeatable.

    ``share``: the share of the pairs that are drawn, from 0 to 1. Each ``instrument`` has a draw of its own.
    """
    person = instrument.encode()[:16]
    digest = hashlib.blake2b(pair_id.encode("utf-8", "replace"), digest_size=8, person=person).digest()
    return int.from_bytes(digest) < share * 2**64
