"""Match each noise pair with one cross pair of the same user, captured at most a minute apart.

Noise pairs and cross pairs must come from the same users. Otherwise, the candidate would be measured on one group of
users and the noise floor on another. This would happen if the user discount applied only to cross pairs, or if cross
pairs of users without noise pairs were compared with the noise floor. So a noise pair counts if and only if the cross
pair that is matched with it counts. Usually both pairs are made from the same request. The number of pairs that wait
for a match is bounded. See ADR 0115.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scorer.steering.evidence.gate_observations import PairsMatched
from scorer.steering.evidence.state_codec import Stored

_APART_MS = 60_000  # pairs captured further apart are not matched
_MOST_USERS = 256  # the largest number of users with a waiting pair, for each kind of pair


@dataclass(frozen=True, slots=True)
class NoisePair:
    """A noise pair. ``events`` maps a gate's name to whether the event that this gate counts occurred in the pair."""

    agreement: float
    events: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class WaitingCross:
    """A cross pair that is not matched yet.

    ``at_ms``: the time of capture. ``counts``: whether the pair counts as evidence; the user discount leaves out some
    pairs.
    """

    at_ms: int
    agreement: float
    counts: bool


@dataclass(frozen=True, slots=True)
class WaitingNoise:
    """A noise pair that is not matched yet. ``at_ms``: the time of capture."""

    at_ms: int
    pair: NoisePair


class PairMatcher(Stored):
    """Matches cross pairs with noise pairs of the same user.

    At most one cross pair and one noise pair of each user wait for a match. If more than 256 cross pairs or more than
    256 noise pairs wait, the oldest of them is dropped.

    ``_crosses``, ``_noises``: the digest of a user's sticky value → the pair that waits
    """

    _crosses: dict[str, WaitingCross]
    _noises: dict[str, WaitingNoise]

    def __init__(self) -> None:
        self._crosses, self._noises = {}, {}

    def add_cross(self, user: str, at_ms: int, agreement: float, *, counts: bool) -> PairsMatched | None:
        """Add a cross pair. If it counts and a waiting noise pair matches it, return both as ``PairsMatched``.

        Otherwise, return None. A noise pair matches if it has the same user and was captured at most a minute apart.
        """
        name = _digest(user)
        noise = self._noises.pop(name, None)
        if noise is not None and abs(noise.at_ms - at_ms) <= _APART_MS:
            return _matched(_rounded(agreement), noise.pair) if counts else None
        self._crosses.pop(name, None)
        self._crosses[name] = WaitingCross(at_ms, _rounded(agreement), counts)
        _drop_oldest(self._crosses)
        return None

    def add_noise(self, user: str, at_ms: int, noise: NoisePair) -> PairsMatched | None:
        """Add a noise pair. If a waiting cross pair matches it and counts, return both as ``PairsMatched``.

        Otherwise, return None. A cross pair matches if it has the same user and was captured at most a minute apart.
        """
        name = _digest(user)
        cross = self._crosses.pop(name, None)
        if cross is not None and abs(cross.at_ms - at_ms) <= _APART_MS:
            return _matched(cross.agreement, noise) if cross.counts else None
        self._noises.pop(name, None)
        self._noises[name] = WaitingNoise(at_ms, NoisePair(_rounded(noise.agreement), noise.events))
        _drop_oldest(self._noises)
        return None


def _matched(agreement: float, noise: NoisePair) -> PairsMatched:
    return PairsMatched(agreement, noise.agreement, noise.events)


def _digest(user: str) -> str:
    return hashlib.blake2b(user.encode(), digest_size=4).hexdigest()


def _rounded(agreement: float) -> float:
    return round(agreement, 4)  # short, because it is stored


def _drop_oldest(waiting: dict[str, Any]) -> None:
    if len(waiting) > _MOST_USERS:
        del waiting[next(iter(waiting))]
