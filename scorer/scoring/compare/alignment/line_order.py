"""Compare the order of lines in two texts: bullets, numbered steps, table cells and commands.

The order of bullets with the same parent does not matter, unless their heading implies an order ("Priorities, most
important first:"). Four changes count as differences: a bullet moved to another list, the number of a step changed, a
table cell moved to another row or column, or a shell command moved to another place. Cost: one pass over the lines.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

_STEP = re.compile(r"^[ \t]{0,12}\d{1,3}[.)][ \t]+(\S[^\n]*)$", re.MULTILINE)
_BULLET = re.compile(r"([ \t]{0,12})[-*+•▪◦‣–][ \t]+(?=\S)")
_FENCE = re.compile(r"[ \t]{0,12}(?:```+|~~~+)[ \t]*([\w+#.-]{0,20})")
_NAMES_AN_ORDER = re.compile(
    r"\b(?:first|priorit(?:y|ies)|steps?|rank(?:s|ed|ing)?|sequence|chronological(?:ly)?|sorted|ascending|descending"
    r"|in (?:this |that |the )?(?:\w{1,20} )?order(?! to)|order of|ordered (?:by|from)"
    r"|from (?:the )?\w{0,20}(?:est|most|least))\b",
    re.IGNORECASE,
)  # fmt: skip
_DENIES_AN_ORDER = re.compile(r"\b(?:no|any|whatever) (?:\w{1,20} )?order\b", re.IGNORECASE)
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
    heading: str
    items: list[_Item] = field(default_factory=list)
    lines: list[_Item] = field(default_factory=list)

    @property
    def keys(self) -> list[Key]:
        found = [item.key for item in self.items]
        return found if _is_ordered(self.heading) else sorted(found)


def _is_ordered(heading: str) -> bool:
    """Return whether the heading implies that the order of the lines under it matters."""
    return _NAMES_AN_ORDER.search(heading[-200:]) is not None and _DENIES_AN_ORDER.search(heading[-200:]) is None


def _content(line: str) -> str:
    """Return the line in lower case, without its bullet mark and its closing punctuation."""
    return line.strip().lstrip("-*+•▪◦‣– \t").rstrip(" .;,\t").casefold()


def bullets_in_order_of(text: str, other: str) -> str | None:
    """Return ``text`` with its bullets in the order that they have in ``other``, or None if no bullet has to move.

    Lists whose heading implies an order are not changed.
    """
    mine, theirs = _lists(text), _lists(other)
    if not mine or len(mine) != len(theirs):
        return None
    lines = text.split("\n")
    found = list(lines)
    for own, wanted in zip(mine, theirs, strict=True):
        if _is_ordered(own.heading) or _is_ordered(wanted.heading):
            continue
        order = _arranged(own.items, wanted.items)
        for item, line in zip(own.lines, order, strict=True):
            found[item.line] = lines[line]
    return "\n".join(found) if found != lines else None


def moved_line(left: str, right: str) -> str:
    """Describe one step, bullet, table cell or command that moved although its place matters.

    Return "" if there is no such step, bullet, cell or command.
    """
    return (
        _moved_step(left, right)
        or _moved_bullet(left, right)
        or _moved_cell(left, right)
        or _moved_command(left, right)
    )


def _moved_step(left: str, right: str) -> str:
    one, other = ([_content(step) for step in _STEP.findall(text)] for text in (left, right))
    if len(one) < 2 or one == other or sorted(one) != sorted(other):
        return ""
    at = next(i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b)
    return f"step {at + 1}: “{one[at]}” → “{other[at]}”"


def _arranged(own: Sequence[_Item], wanted: Sequence[_Item]) -> list[int]:
    """Return the line numbers of the bullets ``own`` and of their children, in the order that ``wanted`` has.

    The bullets keep their own order if ``wanted`` does not contain the same bullets, or if a bullet occurs twice.
    """
    by_key = {item.key: item for item in own}
    if len(by_key) != len(own) or sorted(by_key) != sorted(item.key for item in wanted):
        return [line for item in own for line in (item.line, *_arranged(item.children, ()))]
    found: list[int] = []
    for item in wanted:
        mine = by_key[item.key]
        found += [mine.line, *_arranged(mine.children, () if _is_ordered(mine.text) else item.children)]
    return found


def _lists(text: str) -> list[_List]:
    """Return the bulleted lists of a text. Code blocks are ignored.

    A list consists of bullets with at most blank lines between them.
    """
    found: list[_List] = []
    heading, inside, run = "", False, False
    for number, line in enumerate(text.split("\n")):
        if _FENCE.match(line):
            inside, run = not inside, False
            continue
        if inside or not line.strip():
            continue
        bullet = _BULLET.match(line)
        if bullet is None:
            heading, run = line.strip(), False
            continue
        if not run:
            found.append(_List(heading))
            run = True
        found[-1].lines.append(_Item(number, len(bullet[1].expandtabs(4)), _content(line)))
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
    for item in reversed(found.lines):  # in reverse, so that children have their keys before their parents
        keys = [child.key for child in item.children]
        item.key = (item.text, tuple(keys if _is_ordered(item.text) else sorted(keys)))


def _moved_bullet(left: str, right: str) -> str:
    one, other = _lists(left), _lists(right)
    if not one or len(one) != len(other):
        return ""
    lines = [[item.text for each in side for item in each.lines] for side in (one, other)]
    sizes = [[len(each.lines) for each in side] for side in (one, other)]
    if sorted(lines[0]) != sorted(lines[1]) or (lines[0] == lines[1] and sizes[0] == sizes[1]):
        return ""
    if all(a.keys == b.keys for a, b in zip(one, other, strict=True)) or _by_heading(one) == _by_heading(other):
        return ""
    a, b = next(((a, b) for a, b in zip(*lines, strict=True) if a != b), (lines[0][-1], "another list"))
    return f"a line of a list: “{a}” → “{b}”"


def _by_heading(lists: Sequence[_List]) -> list[tuple[str, list[Key]]]:
    return sorted((_content(each.heading).strip("*_#: "), each.keys) for each in lists)


def _moved_cell(left: str, right: str) -> str:
    if "|" not in left or "|" not in right:
        return ""
    one, other = _rows(left), _rows(right)
    if len(one) < 2 or one == other or len(one) != len(other):
        return ""
    if Counter(cell for row in one for cell in row) != Counter(cell for row in other for cell in row):
        return ""
    label = one[0][0]
    lost = _facts(one, label) - _facts(other, label)
    if not lost:
        return ""
    row, column, cell = next(iter(lost))
    return f"a cell of a table: “{row}”, “{column}”: “{cell}”"


def _rows(text: str) -> list[list[str]]:
    rows = [line.strip().strip("|").split("|") for line in text.split("\n") if line.lstrip().startswith("|")]
    return [[cell.strip().casefold() for cell in row] for row in rows if any(cell.strip(" :-") for cell in row)]


def _facts(rows: list[list[str]], label: str) -> Counter[tuple[str, str, str]]:
    """Return how often each (row label, column label, cell) occurs in a table.

    The order of the rows and columns does not change the result. ``label`` is the header of the column that contains
    the row labels. If no column has this header, the first column contains them.
    """
    head = rows[0]
    at = head.index(label) if label in head else 0
    return Counter(
        (row[at] if at < len(row) else "", head[i] if i < len(head) else "", cell)
        for row in rows
        for i, cell in enumerate(row)
    )


def _moved_command(left: str, right: str) -> str:
    one, other = _blocks(left), _blocks(right)
    if not one or len(one) != len(other):
        return ""
    for (language, a), (_, b) in zip(one, other, strict=True):
        a, b = ([line for line in side if _has_a_place(language, line)] for side in (a, b))
        if a != b and Counter(a) == Counter(b):
            first, second = next((x, y) for x, y in zip(a, b, strict=True) if x != y)
            return f"a line of code: “{first}” → “{second}”"
    return ""


def _has_a_place(language: str, line: str) -> bool:
    """Return whether the position of a line of code matters.

    It matters for shell commands and for entries of YAML lists. It does not matter for comments, variable assignments
    and package installations.
    """
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
