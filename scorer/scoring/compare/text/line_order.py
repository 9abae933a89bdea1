"""Lines that may stand in another order, and lines that may not: bullets under one head, cells, commands.

Bullets of one indentation under one parent are a set; what passes from one list to another has changed sides. What a
head calls an order ("Priorities, most important first:") is one. A cell is said of its row and its column.
Cost: one pass over the lines.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

_BULLET = re.compile(r"([ \t]{0,12})[-*+•▪◦‣–][ \t]+(?=\S)")
_FENCE = re.compile(r"[ \t]{0,12}(?:```+|~~~+)[ \t]*([\w+#.-]{0,20})")
_COUNTS = re.compile(
    r"\b(?:first|priorit(?:y|ies)|steps?|rank(?:s|ed|ing)?|sequence|chronological(?:ly)?|sorted|ascending|descending"
    r"|in (?:this |that |the )?(?:\w{1,20} )?order(?! to)|order of|ordered (?:by|from)"
    r"|from (?:the )?\w{0,20}(?:est|most|least))\b",
    re.IGNORECASE,
)  # fmt: skip
_NO_ORDER = re.compile(r"\b(?:no|any|whatever) (?:\w{1,20} )?order\b", re.IGNORECASE)
_SHELLS = frozenset({"bash", "sh", "shell", "zsh", "console", "powershell", "dockerfile"})
_COMMAND = re.compile(r"(?:\$ |sudo |rm |cp |mv |git |docker |kubectl |systemctl |cd |mkdir |ssh )")
_SETTING = re.compile(r"(?:export |set |[A-Za-z_]\w{0,40}=|#|(?:sudo )?(?:pip3?|npm|apt(?:-get)?|brew) install )")

Key = tuple[str, tuple["Key", ...]]


@dataclass(slots=True)
class _Item:
    line: int
    indent: int
    text: str
    children: list[_Item] = field(default_factory=list)
    key: Key = ("", ())


@dataclass(slots=True)
class _List:
    head: str
    items: list[_Item] = field(default_factory=list)
    lines: list[_Item] = field(default_factory=list)

    @property
    def keys(self) -> list[Key]:
        found = [item.key for item in self.items]
        return found if counts(self.head) else sorted(found)


def counts(head: str) -> bool:
    """Whether what stands under this head has an order."""
    return _COUNTS.search(head[-200:]) is not None and _NO_ORDER.search(head[-200:]) is None


def bare(line: str) -> str:
    return line.strip().lstrip("-*+•▪◦‣– \t").rstrip(" .;,\t").casefold()


def in_order_of(text: str, other: str) -> str | None:
    """``text`` with the bullets of each list in the order in which ``other`` has them; None if there is no need."""
    mine, theirs = _lists(text), _lists(other)
    if not mine or len(mine) != len(theirs):
        return None
    lines = text.split("\n")
    found = list(lines)
    for own, wanted in zip(mine, theirs, strict=True):
        if counts(own.head) or counts(wanted.head):
            continue
        order = _arranged(own.items, wanted.items)
        for item, line in zip(own.lines, order, strict=True):
            found[item.line] = lines[line]
    return "\n".join(found) if found != lines else None


def lines_moved(left: str, right: str) -> str:
    """Which bullet changed its list, its parent or its rank, cell its row or column, command its turn; else nothing."""
    return _bullets_moved(left, right) or _cells_moved(left, right) or _commands_moved(left, right)


def _arranged(own: Sequence[_Item], wanted: Sequence[_Item]) -> list[int]:
    """The numbers of the lines of ``own``, put in the order of ``wanted`` where both hold the same, each once."""
    by_key = {item.key: item for item in own}
    if len(by_key) != len(own) or sorted(by_key) != sorted(item.key for item in wanted):
        return [line for item in own for line in (item.line, *_arranged(item.children, ()))]
    found: list[int] = []
    for item in wanted:
        mine = by_key[item.key]
        found += [mine.line, *_arranged(mine.children, () if counts(mine.text) else item.children)]
    return found


def _lists(text: str) -> list[_List]:
    """Runs of bullets with nothing but blank lines between them, outside of code."""
    found: list[_List] = []
    head, inside, run = "", False, False
    for number, line in enumerate(text.split("\n")):
        if _FENCE.match(line):
            inside, run = not inside, False
            continue
        if inside or not line.strip():
            continue
        bullet = _BULLET.match(line)
        if bullet is None:
            head, run = line.strip(), False
            continue
        if not run:
            found.append(_List(head))
            run = True
        found[-1].lines.append(_Item(number, len(bullet[1].expandtabs(4)), bare(line)))
    for each in found:
        _nest(each)
    return found


def _nest(found: _List) -> None:
    above: list[_Item] = []
    for item in found.lines:
        while above and above[-1].indent >= item.indent:
            above.pop()
        (above[-1].children if above else found.items).append(item)
        above.append(item)
    for item in reversed(found.lines):  # children before their parents
        keys = [child.key for child in item.children]
        item.key = (item.text, tuple(keys if counts(item.text) else sorted(keys)))


def _bullets_moved(left: str, right: str) -> str:
    one, other = _lists(left), _lists(right)
    if not one or len(one) != len(other):
        return ""
    lines = [[item.text for each in side for item in each.lines] for side in (one, other)]
    sizes = [[len(each.lines) for each in side] for side in (one, other)]
    if sorted(lines[0]) != sorted(lines[1]) or (lines[0] == lines[1] and sizes[0] == sizes[1]):
        return ""
    if all(a.keys == b.keys for a, b in zip(one, other, strict=True)) or _headed(one) == _headed(other):
        return ""
    a, b = next(((a, b) for a, b in zip(*lines, strict=True) if a != b), (lines[0][-1], "another list"))
    return f"a line of a list: “{a}” → “{b}”"


def _headed(lists: Sequence[_List]) -> list[tuple[str, list[Key]]]:
    return sorted((bare(each.head).strip("*_#: "), each.keys) for each in lists)


def _cells_moved(left: str, right: str) -> str:
    if "|" not in left or "|" not in right:
        return ""
    one, other = _rows(left), _rows(right)
    if len(one) < 2 or one == other or len(one) != len(other):
        return ""
    if Counter(cell for row in one for cell in row) != Counter(cell for row in other for cell in row):
        return ""
    label = one[0][0]
    gone = _said(one, label) - _said(other, label)
    if not gone:
        return ""
    row, column, cell = next(iter(gone))
    return f"a cell of a table: “{row}”, “{column}”: “{cell}”"


def _rows(text: str) -> list[list[str]]:
    rows = [line.strip().strip("|").split("|") for line in text.split("\n") if line.lstrip().startswith("|")]
    return [[cell.strip().casefold() for cell in row] for row in rows if any(cell.strip(" :-") for cell in row)]


def _said(rows: list[list[str]], label: str) -> Counter[tuple[str, str, str]]:
    """(row, column, cell): what a table says, in whatever order its rows and columns stand."""
    head = rows[0]
    at = head.index(label) if label in head else 0
    return Counter(
        (row[at] if at < len(row) else "", head[i] if i < len(head) else "", cell)
        for row in rows
        for i, cell in enumerate(row)
    )


def _commands_moved(left: str, right: str) -> str:
    one, other = _blocks(left), _blocks(right)
    if not one or len(one) != len(other):
        return ""
    for (language, a), (_, b) in zip(one, other, strict=True):
        a, b = ([line for line in side if _in_turn(language, line)] for side in (a, b))
        if a != b and Counter(a) == Counter(b):
            first, second = next((x, y) for x, y in zip(a, b, strict=True) if x != y)
            return f"a line of code: “{first}” → “{second}”"
    return ""


def _in_turn(language: str, line: str) -> bool:
    """Whether a line of code counts on its place: a command, an entry of a YAML list."""
    if line.startswith("- "):
        return language in ("yaml", "yml", "")
    if language not in _SHELLS and not (language == "" and _COMMAND.match(line)):
        return False
    return _SETTING.match(line) is None


def _blocks(text: str) -> list[tuple[str, list[str]]]:
    if "```" not in text and "~~~" not in text:
        return []
    found: list[tuple[str, list[str]]] = []
    inside = False
    for line in text.split("\n"):
        if fence := _FENCE.match(line):
            inside = not inside
            if inside:
                found.append((fence[1].lower(), []))
        elif inside and line.strip():
            found[-1][1].append(line.strip())
    return found
