"""What a comparison says: one agreement, the flags that name what diverged, and each signal with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Signal:
    """How far two answers diverge in one respect.

    ``divergence`` in [0, 1]: 0 = alike. ``bearing`` in [0, 1] is how much that says about *this* pair (one changed
    number
    is damning where the texts are otherwise the same, and says little where they are freely different).
    ``baseline_at_fault``: the fault (a refusal, a loop) is the baseline's, not the candidate's.
    """

    name: str
    divergence: float
    bearing: float = 1.0
    why: str = ""
    baseline_at_fault: bool = False

    @property
    def effect(self) -> float:
        return self.divergence * self.bearing


@dataclass(frozen=True, slots=True)
class Comparison:
    """``agreement`` in [0, 1] (1.0 = the same answer); ``signals`` are the divergences and measures behind it.

    ``details``: signal → what differed, and where, for people. ``labels``: classification's expected/got.
    """

    agreement: float
    flags: tuple[str, ...] = ()
    signals: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


def clamp(value: float) -> float:
    return min(1.0, max(0.0, value))


def ramp(value: float, low: float, high: float) -> float:
    """0 at or below ``low``, 1 at or above ``high``, straight between."""
    return clamp((value - low) / (high - low))


def excerpt(text: str, limit: int = 60) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
