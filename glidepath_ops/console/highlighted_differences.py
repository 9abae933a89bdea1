"""Marks the differences of two answers, with the same alignment and signals that the scorer uses. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from glidepath.config.comparison import CONTENT_SIGNALS, DEFAULT_WEIGHTS, ScoringSection
from scorer.scoring.compare.noise_floor import NoiseFloor
from scorer.scoring.compare.result import Comparison, Span
from scorer.scoring.compare.tasks.free_text import found_differences
from scorer.scoring.compare.text.parsed_document import Document

MOST_ALIGNED = 20_000  # characters of each text that are aligned; more words would not be compared by the scorer either
MOST_SHOWN = 20_000  # characters of each text that are shown at first
MOST_MARKS = 400


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a text. ``marked``: whether the other text lacks it or has something else in its place."""

    text: str
    marked: bool = False


@dataclass(frozen=True, slots=True)
class MarkedTexts:
    """Both texts in segments, and the reason for each signal as a text for people.

    ``left_more``, ``right_more``: the number of characters that are not shown.
    """

    left: tuple[Segment, ...]
    right: tuple[Segment, ...]
    left_more: int = 0
    right_more: int = 0
    reasons: Mapping[str, str] = field(default_factory=dict)


def marked_texts(left: str, right: str, settings: ScoringSection, most_shown: int = MOST_SHOWN) -> MarkedTexts:
    """Align both texts as the scorer does, and mark the words of each edit."""
    a, b = left[:MOST_ALIGNED], right[:MOST_ALIGNED]
    one, two = Document(a, beside=b), Document(b, beside=a)
    found = found_differences(one, two, settings, None, NoiseFloor())
    spans: list[Span] = []
    reasons: dict[str, str] = {}
    if not isinstance(found, Comparison):
        for edit in found.pair.alignment.edits[:MOST_MARKS]:
            spans += found.pair.spans(edit)
        reasons = {signal.name: signal.reason for signal in found.signals if signal.reason and signal.divergence > 0}
    return MarkedTexts(
        segments(left[:most_shown], ((s.start, s.end) for s in spans if s.left)),
        segments(right[:most_shown], ((s.start, s.end) for s in spans if not s.left)),
        max(len(left) - most_shown, 0),
        max(len(right) - most_shown, 0),
        reasons,
    )


def segments(text: str, places: Iterable[tuple[int, int]]) -> tuple[Segment, ...]:
    """Return the text in marked and unmarked parts. The joined parts always equal the text."""
    found: list[Segment] = []
    at = 0
    for begin, end in merged(places, len(text)):
        if begin > at:
            found.append(Segment(text[at:begin]))
        found.append(Segment(text[begin:end], marked=True))
        at = end
    if at < len(text) or not found:
        found.append(Segment(text[at:]))
    return tuple(found)


def merged(places: Iterable[tuple[int, int]], length: int) -> Sequence[tuple[int, int]]:
    """Return the ranges ``places`` in ascending order, without overlaps, and cut off at ``length``."""
    found: list[tuple[int, int]] = []
    for begin, end in sorted((max(b, 0), min(e, length)) for b, e in places):
        if end <= begin:
            continue
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found


def weight_of(settings: ScoringSection, signal: str) -> str:
    """Return the weight of a signal as text, or "" if the signal is only shown."""
    name = signal.removeprefix("baseline_")
    weight = settings.weight(name) if name in DEFAULT_WEIGHTS else 0.0
    if name in CONTENT_SIGNALS:
        return "learned" if weight == 1 else f"learned × {weight:g}"
    return f"{weight:g}" if weight else ""
