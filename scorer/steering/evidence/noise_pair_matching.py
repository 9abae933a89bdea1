"""Match each noise pair with one cross pair of the same user and the same minute.

Noise pairs and cross pairs must come from the same requests. If only one kind were limited, or if cross pairs of users
without noise pairs counted, the candidate would be compared on one group of users and the baseline on another. So a
noise pair counts if the cross pair that is matched with it counts; most often, both pairs are made from the same
request. The number of waiting pairs is bounded. See ADR 0115.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_APART_MS = 60_000  # pairs captured further apart are not matched
_MOST_USERS = 256  # the largest number of users with a waiting pair, for each kind of pair


@dataclass(frozen=True, slots=True)
class NoisePair:
    """A noise pair with its agreement. ``events``: gate → whether the gate's event occurred in this pair."""

    agreement: float
    events: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class MatchedPair:
    """The agreement of a cross pair, and the noise pair that was matched with it."""

    agreement: float
    noise: NoisePair


@dataclass(frozen=True, slots=True)
class WaitingCross:
    """A cross pair that is not matched yet.

    ``user``: a digest of the user's sticky key; ``counts``: whether the pair counts, or is left out by the user
    discount.
    """

    user: str
    at_ms: int
    agreement: float
    counts: bool


@dataclass(frozen=True, slots=True)
class WaitingNoise:
    """A noise pair that is not matched yet. ``user``: a digest of the sticky key; ``events``: see ``NoisePair``."""

    user: str
    at_ms: int
    agreement: float
    events: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class PairMatcherState:
    crosses: tuple[WaitingCross, ...]
    noises: tuple[WaitingNoise, ...]


class PairMatcher:
    """The pairs that wait for a pair of the other kind: at most one cross pair and one noise pair of each user.

    If too many pairs of one kind wait, the oldest of them is dropped.
    """

    def __init__(self) -> None:
        self._crosses: dict[str, WaitingCross] = {}
        self._noises: dict[str, WaitingNoise] = {}

    def add_cross(self, user: str, at_ms: int, agreement: float, *, counts: bool) -> MatchedPair | None:
        """Add a cross pair. Return its match if ``counts`` is true and a noise pair of this user and minute waited."""
        name = _digest(user)
        noise = self._noises.pop(name, None)
        if noise is not None and abs(noise.at_ms - at_ms) <= _APART_MS:
            return MatchedPair(_rounded(agreement), NoisePair(noise.agreement, noise.events)) if counts else None
        self._crosses.pop(name, None)
        self._crosses[name] = WaitingCross(name, at_ms, _rounded(agreement), counts)
        _drop_oldest(self._crosses)
        return None

    def add_noise(self, user: str, at_ms: int, noise: NoisePair) -> MatchedPair | None:
        """Add a noise pair. Return its match if a cross pair that counts, of this user and minute, waited."""
        name = _digest(user)
        cross = self._crosses.pop(name, None)
        if cross is not None and abs(cross.at_ms - at_ms) <= _APART_MS:
            return MatchedPair(cross.agreement, noise) if cross.counts else None
        self._noises.pop(name, None)
        self._noises[name] = WaitingNoise(name, at_ms, _rounded(noise.agreement), noise.events)
        _drop_oldest(self._noises)
        return None

    @property
    def state(self) -> PairMatcherState:
        return PairMatcherState(tuple(self._crosses.values()), tuple(self._noises.values()))

    def restore(self, state: PairMatcherState) -> None:
        self._crosses = {cross.user: cross for cross in state.crosses}
        self._noises = {noise.user: noise for noise in state.noises}


def _digest(user: str) -> str:
    return hashlib.blake2b(user.encode(), digest_size=4).hexdigest()


def _rounded(agreement: float) -> float:
    return round(agreement, 4)  # short, because it is stored


def _drop_oldest(waiting: dict[str, Any]) -> None:
    if len(waiting) > _MOST_USERS:
        del waiting[next(iter(waiting))]
