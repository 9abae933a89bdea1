"""Writes a document as one HTML file that includes its style and its charts, and has no script. Pure.

Its content security policy allows only the style, by its digest. So the text of a prompt or a name cannot load or run
anything.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from functools import cache
from html import escape
from importlib.resources import files

from glidepath_ops.report.chart_numbers import number_text, table_of_numbers
from glidepath_ops.report.document import (
    Bars,
    Block,
    Cell,
    Cells,
    Chapter,
    Chart,
    Document,
    NoData,
    Section,
    Series,
    Source,
    Table,
    Text,
    ToWrite,
)
from glidepath_ops.report.svg_charts import bars_svg, chart_svg, thinned

MOST_ROWS = 60  # of the table below a picture, besides those of steps and rollbacks


def to_html(document: Document) -> str:
    """Return the document as a whole HTML page."""
    style = _style()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="content-security-policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="color-scheme" content="light dark">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>{escape(document.title)}</title>",
        f"<style>{style}</style>",
        "</head>",
        "<body>",
        *_head(document),
        "<main>",
        *(_block(block) for block in document.summary),
        *(part for chapter in document.chapters for part in _chapter(chapter)),
        "</main>",
        "</body>",
        "</html>",
        "",
    ]
    return "\n".join(parts)


@cache
def _style() -> str:
    return files("glidepath_ops.report").joinpath("report.css").read_text("utf-8")


def _head(document: Document) -> Iterator[str]:
    yield f"<header><h1>{escape(document.title)}</h1>"
    yield '<dl class="facts">'
    for name, value in document.facts:
        yield f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>"
    yield "</dl></header>"
    links = "".join(f'<li><a href="#{c.slug}">{escape(c.title)}</a></li>' for c in document.chapters)
    yield f'<nav aria-label="Chapters"><ul>{links}</ul></nav>'


def _chapter(chapter: Chapter) -> Iterator[str]:
    yield f'<section class="chapter" id="{chapter.slug}" aria-labelledby="{chapter.slug}-title">'
    yield f'<h2 id="{chapter.slug}-title">{escape(chapter.title)}</h2>'
    yield f'<p class="audience">{escape(chapter.audience)}</p>'
    for section in chapter.sections:
        yield from _section(section)
    yield "</section>"


def _section(section: Section) -> Iterator[str]:
    yield f"<h3>{escape(section.title)}</h3>"
    yield from (_block(block) for block in section.blocks)


def _block(block: Block) -> str:
    match block:
        case Text(text, tone):
            return f'<p class="{tone}">{escape(text)}</p>' if tone else f"<p>{escape(text)}</p>"
        case Table():
            return _table(block)
        case Chart():
            shown = thinned(block)
            legend = _legend(shown.series, limit=shown.limit is not None, marks=bool(shown.marks))
            return _figure(block.title, chart_svg(shown), legend, table_of_numbers(block, MOST_ROWS))
        case Bars():
            return _figure(
                block.title, bars_svg(block), _legend(block.series, limit=False, marks=False), _numbers_of_bars(block)
            )
        case NoData(what, reason):
            return f'<p class="nodata">No data for {escape(what)}: {escape(reason)}.</p>'
        case ToWrite(question):
            return (
                f'<div class="towrite"><b>A person must write:</b> {escape(question)}'
                '<span class="lines"></span><span class="lines"></span></div>'
            )
        case Source(commands, words):
            parts = [*(f"<code>{escape(command)}</code>" for command in commands), *([escape(words)] if words else [])]
            return f'<p class="source">{block.beginning} {"; ".join(parts)}</p>'


def _figure(title: str, svg: str, legend: str, numbers: Table) -> str:
    table = f"<details><summary>The numbers</summary>{_table(numbers)}</details>"
    return f"<figure><figcaption>{escape(title)}</figcaption>{svg}{legend}{table}</figure>"


def _legend(series: Sequence[Series], *, limit: bool, marks: bool) -> str:
    if len(series) == 1 and not limit and not marks:
        return ""
    entries = [f"<li>{_swatch(f'line {one.kind}')} {escape(one.name)}</li>" for one in series]
    if limit:
        entries.append(f"<li>{_swatch('limit')} limit</li>")
    if marks:
        entries.append(f"<li>{_swatch('mark good')} step</li><li>{_swatch('mark bad')} back</li>")
    return f'<ul class="legend">{"".join(entries)}</ul>'


def _swatch(classes: str) -> str:
    return f'<svg viewBox="0 0 22 8" aria-hidden="true"><line class="{classes}" x1="0" x2="22" y1="4" y2="4"/></svg>'


def _numbers_of_bars(bars: Bars) -> Table:
    rows = [[name, *(number_text(one.values[at]) for one in bars.series)] for at, name in enumerate(bars.names)]
    heads = ["", *(f"{one.name} ({bars.unit})" if bars.unit else one.name for one in bars.series)]
    return Table(heads, rows, numbers=range(1, len(heads)))


def _table(table: Table) -> str:
    caption = f"<caption>{escape(table.caption)}</caption>" if table.caption else ""
    heads = "".join(
        f'<th scope="col"{_class(at, table)}>{escape(head)}</th>' if head else f"<td{_class(at, table)}></td>"
        for at, head in enumerate(table.heads)
    )
    rows = "".join(f"<tr>{_cells(row, table)}</tr>" for row in table.rows)
    inside = f"<table>{caption}<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<div class="scroll" tabindex="0" role="group" aria-label="Table">{inside}</div>'


def _cells(row: Cells, table: Table) -> str:
    return "".join(_cell(cell if isinstance(cell, Cell) else Cell(cell), at, table) for at, cell in enumerate(row))


def _cell(cell: Cell, at: int, table: Table) -> str:
    text = escape(cell.text)
    if cell.href:
        text = f'<a href="{escape(cell.href, quote=True)}">{text}</a>'
    if at == 0:
        return f'<th scope="row"{_class(at, table)}>{text}</th>'
    return f"<td{_class(at, table, cell.tone)}>{text}</td>"


def _class(at: int, table: Table, tone: str = "") -> str:
    names = " ".join(filter(None, ("n" if at in table.numbers else "", tone)))
    return f' class="{names}"' if names else ""
