"""Noise pairs are compared with cross pairs of the same user and the same minute, one with one.

Both kinds must be drawn alike. A cap on one of them alone, or cross pairs of users whom the other never meets, would
compare the candidate with one crowd and the baseline with another. So a noise pair counts if the user's cross pair next
to it does; most often that is the other copy of the same request. Bounded memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_APART_MS = 60_000  # pairs captured further apart are no neighbours
_MOST = 256  # users remembered, and noise pairs waiting


@dataclass(frozen=True, slots=True)
class Noise:
    """A noise pair: its agreement, and what happened in it by gate."""

    agreement: float
    events: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class Match:
    """The agreement of a cross pair and the noise pair beside it."""

    agreement: float
    noise: Noise


class Counterparts:
    def __init__(self) -> None:
        self._crosses: dict[str, tuple[int, float, bool]] = {}  # user → (captured at, agreement, counts)
        self._waiting: dict[str, tuple[int, Noise]] = {}

    def cross(self, user: str, at_ms: int, agreement: float, *, counts: bool) -> Match | None:
        """A cross pair; ``counts``: within the cap. The match that counts, if a noise pair waited for it."""
        name = _name(user)
        at, noise = self._waiting.pop(name, (0, None))
        if noise is not None and abs(at - at_ms) <= _APART_MS:
            return Match(_rounded(agreement), noise) if counts else None
        self._crosses.pop(name, None)
        self._crosses[name] = (at_ms, _rounded(agreement), counts)
        _shorten(self._crosses)
        return None

    def noise(self, user: str, at_ms: int, noise: Noise) -> Match | None:
        """A noise pair. The match that counts, if its cross pair is there."""
        name = _name(user)
        at, agreement, counts = self._crosses.pop(name, (0, None, False))
        if agreement is not None and abs(at - at_ms) <= _APART_MS:
            return Match(agreement, noise) if counts else None
        self._waiting.pop(name, None)
        self._waiting[name] = (at_ms, Noise(_rounded(noise.agreement), noise.events))
        _shorten(self._waiting)
        return None

    def to_json(self) -> list[Any]:
        crosses = [[name, at, agreement, int(counts)] for name, (at, agreement, counts) in self._crosses.items()]
        waiting = [
            [name, at, noise.agreement, {k: int(v) for k, v in noise.events.items()}]
            for name, (at, noise) in self._waiting.items()
        ]
        return [crosses, waiting]

    def load(self, raw: list[Any]) -> None:
        self._crosses = {name: (int(at), float(agreement), bool(counts)) for name, at, agreement, counts in raw[0]}
        self._waiting = {
            name: (int(at), Noise(float(agreement), {k: bool(v) for k, v in events.items()}))
            for name, at, agreement, events in raw[1]
        }


def _name(user: str) -> str:
    return hashlib.blake2b(user.encode(), digest_size=4).hexdigest()


def _rounded(agreement: float) -> float:
    return round(agreement, 4)  # it is stored


def _shorten(entries: dict[str, Any]) -> None:
    if len(entries) > _MOST:
        del entries[next(iter(entries))]
