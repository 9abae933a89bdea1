"""Find a numbered step that got another number, and a cell that moved to another row or column of a table.

The order of the rows and columns of a table does not matter.
"""

from __future__ import annotations

import re
from collections import Counter

from scorer.scoring.compare.text.markdown_blocks import BlockKind
from scorer.scoring.compare.text.parsed_document import Document

_STEP = re.compile(r"^[ \t]{0,12}\d{1,3}[.)][ \t]+(\S[^\n]*)$", re.MULTILINE)


def moved_step(left: Document, right: Document) -> str:
    """Describe a numbered step that has another number in the right text. Return "" if there is none."""
    ours, theirs = ([_content(step) for step in _STEP.findall(side.prose)] for side in (left, right))
    if len(ours) < 2 or ours == theirs or sorted(ours) != sorted(theirs):
        return ""
    at = next(i for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b)
    return f"step {at + 1}: “{ours[at]}” → “{theirs[at]}”"


def _content(step: str) -> str:
    return step.strip(" \t*_").rstrip(" .;,\t").casefold()


def moved_cell(left: Document, right: Document) -> str:
    """Describe a cell that stands in another row or column of the right text. Return "" if there is none."""
    if "|" not in left.text or "|" not in right.text:
        return ""
    ours, theirs = _rows(left), _rows(right)
    if len(ours) < 2 or ours == theirs or len(ours) != len(theirs):
        return ""
    if Counter(cell for row in ours for cell in row) != Counter(cell for row in theirs for cell in row):
        return ""
    label = ours[0][0]
    lost = _cells(ours, label) - _cells(theirs, label)
    if not lost:
        return ""
    row, column, cell = next(iter(lost))
    return f"a cell of a table: “{row}”, “{column}”: “{cell}”"


def _rows(document: Document) -> list[list[str]]:
    rows = (document.text[b.start : b.end] for b in document.blocks if b.kind is BlockKind.TABLE_ROW)
    return [[cell.strip().casefold() for cell in row.strip().strip("|").split("|")] for row in rows]


def _cells(rows: list[list[str]], label: str) -> Counter[tuple[str, str, str]]:
    """Return how often each (row label, column label, cell) occurs.

    ``label`` heads the column of the row labels. If no column has this head, the first column contains them.
    """
    head = rows[0]
    at = head.index(label) if label in head else 0
    return Counter(
        (row[at] if at < len(row) else "", head[i] if i < len(head) else "", cell)
        for row in rows
        for i, cell in enumerate(row)
    )
