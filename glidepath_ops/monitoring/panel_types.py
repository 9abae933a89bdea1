"""The parts of a panel of the Grafana dashboard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["percentunit", "reqps", "s", "short", "bytes", "bool", "none"]


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression, and the legend of its series in Grafana's form: ``{{label}}`` is a label's value.

    In a table, the legend is the title of a column, and each label is another column.
    """

    expression: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel: its title, a sentence about it, its queries, the unit of its values and its type."""

    title: str
    about: str
    queries: tuple[Query, ...]
    unit: Unit = "short"
    form: Literal["timeseries", "stat", "table", "state-timeline"] = "timeseries"
    width: int = 8
    most: float | None = None  # the end of the axis


@dataclass(frozen=True, slots=True)
class Row:
    title: str
    panels: tuple[Panel, ...]
