"""Writes a document as Markdown. Charts become tables of their numbers. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from glidepath_ops.report.chart_numbers import number_text, table_of_numbers
from glidepath_ops.report.document import (
    Bars,
    Block,
    Cell,
    Chart,
    Document,
    NoData,
    Source,
    Table,
    Text,
    ToWrite,
)

MOST_ROWS = 12  # of a picture, besides those of steps and rollbacks
_ACTIVE = re.compile(r"([\\`*_{}\[\]<>#|~!])")


def to_markdown(document: Document) -> str:
    lines = [f"# {plain(document.title)}", ""]
    lines += [f"- {plain(name)}: {plain(value)}" for name, value in document.facts]
    lines += ["", *_blocks(document.summary)]
    for chapter in document.chapters:
        lines += ["", f"## {plain(chapter.title)}", "", f"*{plain(chapter.audience)}*", ""]
        for section in chapter.sections:
            lines += [f"### {plain(section.title)}", "", *_blocks(section.blocks)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def plain(text: str) -> str:
    """Return text as one line, with all Markdown and HTML escaped."""
    return _ACTIVE.sub(r"\\\1", " ".join(text.split()))


def _blocks(blocks: Sequence[Block]) -> Iterator[str]:
    for block in blocks:
        yield from _block(block)
        yield ""


def _block(block: Block) -> Iterator[str]:
    match block:
        case Text(text, tone):
            yield f"**{plain(text)}**" if tone else plain(text)
        case Table():
            yield from _table(block)
        case Chart():
            yield from _table(_numbers(block))
        case Bars():
            rows = [
                [name, *(number_text(one.values[at]) for one in block.series)] for at, name in enumerate(block.names)
            ]
            heads = ["", *(f"{one.name} ({block.unit})" if block.unit else one.name for one in block.series)]
            yield from _table(Table(heads, rows, block.title, range(1, len(heads))))
        case NoData(what, reason):
            yield f"*No data for {plain(what)}: {plain(reason)}.*"
        case ToWrite(question):
            yield f"> **A person must write:** {plain(question)}"
        case Source(commands, words):
            parts = [*(f"`{command.replace('`', '')}`" for command in commands), *([plain(words)] if words else [])]
            yield f"{block.beginning} {'; '.join(parts)}"


def _numbers(chart: Chart) -> Table:
    numbers = table_of_numbers(chart, MOST_ROWS)
    return replace(numbers, caption=f"{chart.title} ({numbers.caption})" if numbers.caption else chart.title)


def _table(table: Table) -> Iterator[str]:
    if table.caption:
        yield f"{plain(table.caption)}:"
        yield ""
    yield "| " + " | ".join(plain(head) for head in table.heads) + " |"
    yield "|" + "|".join("---:" if at in table.numbers else "---" for at in range(len(table.heads))) + "|"
    for row in table.rows:
        yield "| " + " | ".join(_cell(cell) for cell in row) + " |"


def _cell(cell: str | Cell) -> str:
    if isinstance(cell, Cell) and cell.href:
        return f"[{plain(cell.text)}](<{cell.href}>)"
    return plain(cell.text if isinstance(cell, Cell) else cell)
