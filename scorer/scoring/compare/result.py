"""The result of a comparison: the agreement, the flags and the signals with their reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Signal:
    """How far two answers diverge in one respect.

    ``divergence`` in [0, 1]: 0 means no difference. ``relevance`` in [0, 1]: how much the divergence means for *this*
    pair. One changed number matters much between two otherwise equal texts, and little between freely different ones.
    ``baseline_at_fault``: the baseline has the defect (a refusal, a loop), not the candidate.
    """

    name: str
    divergence: float
    relevance: float = 1.0
    reason: str = ""
    baseline_at_fault: bool = False

    @property
    def effect(self) -> float:
        return self.divergence * self.relevance


@dataclass(frozen=True, slots=True)
class Comparison:
    """``agreement`` in [0, 1] (1.0: the same answer); ``signals``: the divergences and measures behind it.

    ``details``: signal → a text for people that says what differs and where. ``labels``: the expected and the actual
    class of a classification.
    """

    agreement: float
    flags: tuple[str, ...] = ()
    signals: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


def clamp(value: float) -> float:
    return min(1.0, max(0.0, value))


def ramp(value: float, low: float, high: float) -> float:
    """Return 0 at or below ``low``, 1 at or above ``high``, and interpolate linearly between them."""
    return clamp((value - low) / (high - low))


def excerpt(text: str, limit: int = 60) -> str:
    """Return the text on one line, shortened to ``limit`` characters."""
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
