"""A document of chapters, sections and blocks, independent of HTML and Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Tone = Literal["", "good", "bad", "asks"]


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table. ``href``: the target of its link. ``tone``: its highlighting."""

    text: str
    tone: Tone = ""
    href: str = ""


Cells = Sequence[str | Cell]


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph. ``tone``: ``asks`` if the reader must notice it."""

    text: str
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table. ``numbers``: the columns that are aligned to the right. ``caption``: the title of the table."""

    heads: Sequence[str]
    rows: Sequence[Cells]
    caption: str = ""
    numbers: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Series:
    """A line or the bars of a chart.

    ``kind``: its colour: baseline, candidate, good, bad. A None in ``values`` is a gap.
    """

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
    """A chart of series over time, with its numbers as a table. ``times``: Unix seconds. ``unit``: the values' unit."""

    title: str
    times: Sequence[float]
    series: Sequence[Series]
    unit: str = ""
    marks: Sequence[Mark] = ()
    limit: float | None = None  # drawn as a dotted line


@dataclass(frozen=True, slots=True)
class Bars:
    """A bar chart of amounts: for each name, a bar for each series. A table shows the same numbers."""

    title: str
    names: Sequence[str]
    series: Sequence[Series]
    unit: str = ""


@dataclass(frozen=True, slots=True)
class NoData:
    """Says which data are missing, and why."""

    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class ToWrite:
    """Asks a person to write something that the system cannot know."""

    question: str


@dataclass(frozen=True, slots=True)
class Source:
    """The source of the numbers above: commands that reproduce them. ``words``: sources other than commands."""

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
    """A chapter. ``audience``: its readers. ``slug``: its anchor."""

    slug: str
    title: str
    audience: str
    sections: Sequence[Section] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """The whole document. ``facts``: names and values about its origin, such as its time."""

    title: str
    facts: Sequence[tuple[str, str]]
    summary: Sequence[Block]
    chapters: Sequence[Chapter] = field(default_factory=tuple)
