"""The result of a comparison: the agreement, the flags and the signals with their reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Span:
    """A passage of a text, from character ``start`` to ``end`` (exclusive).

    ``left`` is True if the text is the baseline's, and False if it is the candidate's.
    """

    left: bool
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Signal:
    """The divergence of two answers in one respect, such as their numbers or their length.

    - ``divergence``: in [0, 1], where 0 means no difference.
    - ``relevance``: the weight of the divergence for *this* pair, in [0, 1]. One changed number matters a lot if the
      texts are otherwise equal, and little if their wording differs freely.
    - ``reason``: a description of the difference for human readers.
    - ``baseline_at_fault``: True if the baseline's answer has the defect (a refusal, a loop).
    - ``spans``: the passages with the difference; empty if no single passage has it.
    """

    name: str
    divergence: float
    relevance: float = 1.0
    reason: str = ""
    baseline_at_fault: bool = False
    spans: tuple[Span, ...] = ()

    @property
    def effect(self) -> float:
        return self.divergence * self.relevance


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of comparing two answers.

    - ``agreement``: in [0, 1], where 1 means the same answer.
    - ``flags``: the names of the respects in which the answers clearly diverge.
    - ``signals``: by name, the divergence of each signal, and further measures such as the cosine.
    - ``details``: a description of the difference for human readers, by the name of the signal.
    - ``spans``: where the answers differ, by the name of the signal.
    - ``labels``: for a classification, the baseline's class (``expected``) and the candidate's class (``got``).
    """

    agreement: float
    flags: tuple[str, ...] = ()
    signals: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    spans: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)


def clamp(value: float) -> float:
    return min(1.0, max(0.0, value))


def ramp(value: float, low: float, high: float) -> float:
    """Return 0 if ``value`` is at most ``low``, 1 if it is at least ``high``, and a linear interpolation in between."""
    return clamp((value - low) / (high - low))


def excerpt(text: str, limit: int = 60) -> str:
    """Return the text on one line, shortened to at most ``limit`` characters."""
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
