"""Insert lines into a user's YAML text without changing any other byte, and remove them again.

YAML round-trip libraries keep comments but not every space. A person who reviews the diff of a production bootstrap
should see only the inserted lines. Therefore the text is never written anew: the parser's marks give the insertion
points, and each insertion stands between two marker comments. Removing the markers and the text between them restores
the file byte for byte: ``remove(insert(x)) == x``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from glidepath.errors import InputError
from glidepath_ops.envoyconfig.commented_yaml import DumperWithoutAnchors

BEGIN, END = "# glidepath:begin", "# glidepath:end"
# lines: whole lines in block style; flow: inside [] or {}; tail: after a last line that has no newline.
_REMOVE = re.compile(
    r"^[ ]*# glidepath:begin lines\n(?:.*\n)*?[ ]*# glidepath:end\n"
    r"|\n[ ]*# glidepath:begin flow\n(?:.*\n)*?[ ]*# glidepath:end\n[ ]*"
    r"|\n[ ]*# glidepath:begin tail\n(?:.*\n)*?[ ]*# glidepath:end(?=\n|\Z)",
    re.MULTILINE,
)

_DASH = re.compile(r"-[ \t]*(?:#.*)?(?:\n[ \t]*(?:#.*)?)*\Z")
_MAX_GAP = 10_000  # most characters of comments between a dash and its item


@dataclass(frozen=True, slots=True)
class Insertion:
    """The items to insert into ``node``, a sequence or a mapping.

    In a sequence they come before the item with index ``at``, or at the end if ``at`` is None. In a mapping they become
    keys.
    """

    node: yaml.Node
    items: Sequence[Any] | dict[str, Any]
    at: int | None = None


@dataclass(frozen=True, slots=True)
class _Edit:
    index: int
    text: str
    depth: int = 0


def compose(text: str, name: str) -> yaml.MappingNode:
    """Return the root node of the YAML ``text``, which must be one mapping. Errors show ``name`` as the file.

    Raises InputError.
    """
    try:
        documents = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise InputError(f"{name}: is not YAML: {' '.join(str(error).split())}") from error
    if len(documents) != 1 or not isinstance(documents[0], yaml.MappingNode):
        raise InputError(f"{name}: must be one YAML document, a mapping")
    return documents[0]


def child(node: yaml.Node | None, key: str) -> yaml.Node | None:
    """Return the value of ``key`` in a mapping node, or None if there is no such key or no mapping."""
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == key:
                found: yaml.Node = value
                return found
    return None


def items(node: yaml.Node | None) -> list[yaml.Node]:
    """Return the items of a sequence node, or an empty list for any other node."""
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


class PlainScalar(str):
    """The text of a scalar without quotes, to be written back without quotes: ``yes``, ``0x10`` or ``12:30``.

    YAML libraries do not agree on the values of such scalars, so they are never converted.
    """

    __slots__ = ("tag",)
    tag: str


def verbatim(node: yaml.Node | None) -> Any:
    """Return the data of a YAML node with every scalar as text, in the form that ``insert`` writes unchanged.

    Aliases are resolved.
    """
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): verbatim(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [verbatim(one) for one in node.value]
    if node is None:
        return None
    if not isinstance(node, yaml.ScalarNode) or node.style is not None or node.tag == "tag:yaml.org,2002:str":
        return str(node.value)
    scalar = PlainScalar(node.value)
    scalar.tag = node.tag
    return scalar


def _plain_scalar(dumper: yaml.SafeDumper, scalar: PlainScalar) -> yaml.ScalarNode:
    return dumper.represent_scalar(scalar.tag, str(scalar))


DumperWithoutAnchors.add_representer(PlainScalar, _plain_scalar)


def insert(text: str, insertions: Iterable[Insertion]) -> str:
    """Return ``text`` with the insertions.

    If several insertions have the same place in ``text``, the one with the most indentation comes first. Insertions
    with the same indentation keep the order of ``insertions``.
    """
    edits = sorted((_edit(text, one) for one in insertions), key=lambda e: (e.index, -e.depth))
    for edit in reversed(edits):
        text = text[: edit.index] + edit.text + text[edit.index :]
    return text


def remove(text: str) -> str:
    """Return ``text`` without all insertions: without the marker comments and the text between them."""
    return _REMOVE.sub("", text)


def _edit(text: str, insertion: Insertion) -> _Edit:
    node = insertion.node
    if not isinstance(node, yaml.CollectionNode):
        raise InputError(f"line {node.start_mark.line + 1}: must be a list or a mapping")
    if node.flow_style:
        return _flow_edit(text, node, insertion)
    indent = " " * _column(text, node)
    lines = _block(insertion.items).removesuffix("\n").split("\n")  # splitlines would also split at U+0085 and U+2028
    body = "".join(f"{indent}{line}\n" for line in lines)
    index = _block_index(text, node, insertion.at)
    block = f"{indent}{BEGIN} lines\n{body}{indent}{END}\n"
    if index == len(text) and text and not text.endswith("\n"):
        block = "\n" + block.replace(f"{BEGIN} lines", f"{BEGIN} tail").removesuffix("\n")
    return _Edit(index, block, depth=len(indent))


def _block(items: Sequence[Any] | dict[str, Any]) -> str:
    data = items if isinstance(items, dict) else list(items)
    return _dump(data, width=110, flow=False)


def _column(text: str, node: yaml.CollectionNode) -> int:
    """Return the column of the dashes or keys of a list or mapping in block style.

    The start mark of the list or mapping itself cannot be used, because it can point to an anchor.
    """
    if isinstance(node, yaml.SequenceNode):
        dash = _dash(text, node.value[0])
        return dash - (text.rfind("\n", 0, dash) + 1)
    return int(node.value[0][0].start_mark.column)


def _dash(text: str, item: yaml.Node) -> int:
    """Return the index in ``text`` of the dash before an item of a block-style list.

    Comments and line breaks between dash and item are skipped.
    """
    start = item.start_mark.index
    window = max(0, start - _MAX_GAP)
    match = _DASH.search(text, window, start)
    if match is None:
        raise InputError(f"line {item.start_mark.line + 1}: the dash of this list item was not found")
    return match.start()


def _block_index(text: str, node: yaml.CollectionNode, at: int | None) -> int:
    """Return the index in ``text`` at which to insert lines into a list or mapping in block style.

    This is the start of the line with the dash of item ``at``. If ``at`` is None, it is the index after the last
    line of ``node``.
    """
    if isinstance(node, yaml.SequenceNode) and at is not None and at < len(node.value):
        dash = _dash(text, node.value[at])
        line = text.rfind("\n", 0, dash) + 1
        if text[line:dash].strip():
            raise InputError(
                f"line {node.start_mark.line + 1}: nested '- -' lists cannot be edited; use separate lines"
            )
        return line
    end = _end(node)
    if end and text[end - 1] == "\n":
        return end
    newline = text.find("\n", end)
    return len(text) if newline < 0 else newline + 1


def _end(node: yaml.Node) -> int:
    """Return the index after the last character of ``node`` that is not in a comment or a blank line."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _flow_edit(text: str, node: yaml.CollectionNode, insertion: Insertion) -> _Edit:
    if insertion.at not in (None, len(node.value)) and node.value:
        return _flow_edit_before(node, insertion)
    index = node.end_mark.index - 1
    comma = ", " if node.value and not text[:index].rstrip().endswith(",") else ""
    return _Edit(index, _flow_text(node, comma + _flow(insertion.items)))


def _flow_edit_before(node: yaml.CollectionNode, insertion: Insertion) -> _Edit:
    """Return the edit that inserts items before item ``at`` of a list in flow style.

    The inserted text ends with a comma, so the user's commas stay as they are.
    """
    before = node.value[insertion.at]
    return _Edit(before.start_mark.index, _flow_text(node, _flow(insertion.items) + ","))


def _flow_text(node: yaml.CollectionNode, content: str) -> str:
    pad = " " * (node.start_mark.column + 2)
    return f"\n{pad}{BEGIN} flow\n{pad}{content}\n{pad}{END}\n{pad}"


def _flow(items: Sequence[Any] | dict[str, Any]) -> str:
    data = items if isinstance(items, dict) else list(items)
    return _dump(data, width=10**9, flow=True).strip()[1:-1]


def _dump(data: Any, *, width: int, flow: bool) -> str:
    text: str = yaml.dump(
        data, Dumper=DumperWithoutAnchors, sort_keys=False, width=width, allow_unicode=True, default_flow_style=flow
    )
    return text
