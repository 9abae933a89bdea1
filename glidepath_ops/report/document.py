"""A document of chapters, sections and blocks, without any notion of HTML or Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Tone = Literal["", "good", "bad", "asks"]


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table. ``href``: where it leads. ``tone``: how it is marked, beside its words."""

    text: str
    tone: Tone = ""
    href: str = ""


Cells = Sequence[str | Cell]


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph. ``tone``: ``asks`` for what a reader has to notice."""

    text: str
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table. ``numbers``: the columns of numbers, which are aligned to the right. ``caption``: what it shows."""

    heads: Sequence[str]
    rows: Sequence[Cells]
    caption: str = ""
    numbers: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Series:
    """A line or the bars of a chart. ``kind``: its colour: baseline, candidate, good, bad. None: a gap."""

    name: str
    values: Sequence[float | None]
    kind: Literal["baseline", "candidate", "good", "bad"] = "baseline"


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical line at a time, such as a rollback."""

    at_s: float
    text: str
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture of series over time, with its numbers as a table. ``times``: Unix seconds. ``unit``: of the values."""

    title: str
    times: Sequence[float]
    series: Sequence[Series]
    unit: str = ""
    marks: Sequence[Mark] = ()
    limit: float | None = None  # drawn as a dotted line


@dataclass(frozen=True, slots=True)
class Bars:
    """A picture of amounts side by side: for each name, one value of each series. The table is the same numbers."""

    title: str
    names: Sequence[str]
    series: Sequence[Series]
    unit: str = ""


@dataclass(frozen=True, slots=True)
class NoData:
    """What is missing, and why."""

    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class ToWrite:
    """What a person must write, because the system cannot know it."""

    question: str


@dataclass(frozen=True, slots=True)
class Source:
    """What the numbers above are from: commands that reproduce them, and in ``words`` what is no command."""

    commands: Sequence[str]
    words: str = ""

    @property
    def beginning(self) -> str:
        return "Reproduce with" if self.commands else "From"


Block = Text | Table | Chart | Bars | NoData | ToWrite | Source


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Chapter:
    """``audience``: who reads it. ``slug``: its anchor."""

    slug: str
    title: str
    audience: str
    sections: Sequence[Section] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """``facts``: what the document is from, such as its time, as names and values."""

    title: str
    facts: Sequence[tuple[str, str]]
    summary: Sequence[Block]
    chapters: Sequence[Chapter] = field(default_factory=tuple)
