"""Inserts lines into a user's YAML text without changing any other byte, and removes them again.

YAML round-trip libraries keep comments but not every space. A person who reviews the diff of a production bootstrap
should see only the inserted lines. Therefore the text is never written again as a whole: the parser's marks give the
insertion points, and each insertion is between two marker comments. Removing the markers and the text between them
restores the file byte for byte: ``remove(insert(x)) == x``.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from glidepath.errors import InputError
from glidepath_ops.envoyconfig.commented_yaml import DumperWithoutAnchors
from glidepath_ops.envoyconfig.yaml_positions import column, dash, end, span

_MERGE = "tag:yaml.org,2002:merge"
BEGIN, END = "# glidepath:begin", "# glidepath:end"
# lines: whole lines in block style; flow: inside [] or {}; tail: after a last line that has no newline.
_REMOVE = re.compile(
    r"^[ ]*# glidepath:begin lines\n(?:.*\n)*?[ ]*# glidepath:end\n"
    r"|\n[ ]*# glidepath:begin flow\n(?:.*\n)*?[ ]*# glidepath:end\n[ ]*"
    r"|\n[ ]*# glidepath:begin tail\n(?:.*\n)*?[ ]*# glidepath:end(?=\n|\Z)",
    re.MULTILINE,
)


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
    """A text to insert at ``index``. If several have one index, the one with the largest ``depth`` comes first."""

    index: int
    text: str
    depth: tuple[int, bool] = (0, False)


def compose(text: str, name: str) -> yaml.MappingNode:
    """Return the root node of the YAML ``text``.

    Raises InputError, with ``name`` as the name of the file, if the text is not a single mapping in YAML.
    """
    try:
        documents = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise InputError(f"{name}: is not YAML: {' '.join(str(error).split())}") from error
    if len(documents) != 1 or not isinstance(documents[0], yaml.MappingNode):
        raise InputError(f"{name}: must be one YAML document, a mapping")
    return documents[0]


def refuse_merge_keys(root: yaml.MappingNode, name: str) -> None:
    """Raise InputError if a bootstrap has the key ``<<``. Envoy reads it as a field, but the parser as a merge.

    The key is allowed under the top-level key ``!ignore``, which Envoy does not read.
    """
    nodes: list[yaml.Node] = [value for key, value in root.value if key.value != "!ignore"]
    seen: set[int] = set()
    while nodes:
        node = nodes.pop()
        if not isinstance(node, yaml.CollectionNode) or id(node) in seen:
            continue
        seen.add(id(node))
        for entry in node.value:
            key, value = entry if isinstance(entry, tuple) else (None, entry)
            if key is not None and key.tag == _MERGE:
                raise InputError(
                    f'{name}:{key.start_mark.line + 1}: "<<" is no merge key for Envoy, which reads it as a field; '
                    "write the merged keys out"
                )
            nodes.append(value)


def text_of(node: yaml.Node | None) -> str:
    """Return the text of a scalar node, or "" for any other node."""
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


def child(node: yaml.Node | None, key: str) -> yaml.Node | None:
    """Return the value of ``key`` in a mapping node, or None if there is no such key or the node is not a mapping."""
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
    if not isinstance(node, yaml.ScalarNode) or node.style:  # libyaml: "" without quotes; PyYAML: None
        return str(node.value)
    scalar = PlainScalar(node.value)
    scalar.tag = node.tag
    return scalar


def _plain_scalar(dumper: yaml.SafeDumper, scalar: PlainScalar) -> yaml.ScalarNode:
    return dumper.represent_scalar(scalar.tag, str(scalar))


DumperWithoutAnchors.add_representer(PlainScalar, _plain_scalar)


def insert(text: str, insertions: Sequence[Insertion], name: str) -> str:
    """Return ``text``, the YAML of the file ``name``, with the insertions.

    If several insertions have the same place in ``text``, the one into the innermost list or mapping comes first.
    Insertions into the same list or mapping keep the order of ``insertions``. Raises InputError if a place cannot be
    edited, or if the data of the result would not be the old data with the insertions.
    """
    edits = sorted((_edit(text, one, name) for one in insertions), key=lambda e: (e.index, -e.depth[0], not e.depth[1]))
    result = text
    for edit in reversed(edits):
        result = result[: edit.index] + edit.text + result[edit.index :]
    if remove(result) != text or not reads_as_intended(text, insertions, result):
        raise InputError(f"{name}: its layout cannot be edited; write its lists and mappings in block style")
    return result


def reads_as_intended(text: str, insertions: Iterable[Insertion], result: str) -> bool:
    """Return whether the data of ``result`` are the data of ``text`` with the insertions."""
    by_place: dict[_Place, list[Insertion]] = {}
    for one in insertions:
        by_place.setdefault(_place(one.node), []).append(one)
    try:
        got = [verbatim(one) for one in compose_for_reading(result)]
    except yaml.YAMLError:
        return False
    return got == [_completed(one, by_place) for one in yaml.compose_all(text, Loader=yaml.SafeLoader)]


def compose_for_reading(text: str) -> list[yaml.Node]:
    """Return the documents of ``text``, read by libyaml or, if that refuses the text, by PyYAML.

    libyaml is ten times as fast, but stricter. Its marks are not exact, so nothing can be inserted into these nodes.
    Raises yaml.YAMLError if the text is not YAML.
    """
    try:
        return list(yaml.compose_all(text, Loader=_FAST_LOADER))
    except yaml.YAMLError:
        return list(yaml.compose_all(text, Loader=yaml.SafeLoader))


_FAST_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Place = tuple[type[yaml.Node], int, int]


def _place(node: yaml.Node) -> _Place:
    return type(node), node.start_mark.index, node.end_mark.index


def _completed(node: yaml.Node, by_place: Mapping[_Place, Sequence[Insertion]]) -> Any:
    """Return the data of ``node`` with all insertions into it and into its parts, in the form of ``verbatim``."""
    added = by_place.get(_place(node), [])
    if isinstance(node, yaml.MappingNode):
        data = {str(key.value): _completed(value, by_place) for key, value in node.value}
        return data | {key: value for one in added for key, value in _as_read(one.items).items()}
    if not isinstance(node, yaml.SequenceNode):
        return verbatim(node)
    found: list[Any] = []
    for index in range(len(node.value) + 1):
        for one in added:
            if index == (len(node.value) if one.at is None else one.at):
                found += _as_read(one.items)
        found += [_completed(one, by_place) for one in node.value[index : index + 1]]
    return found


def _as_read(items: Sequence[Any] | dict[str, Any]) -> Any:
    """Return the data that a correct reader finds in the text of ``items``."""
    return verbatim(DumperWithoutAnchors(io.StringIO()).represent_data(_plain(items)))


def remove(text: str) -> str:
    """Return ``text`` without all insertions: without the marker comments and the text between them."""
    return _REMOVE.sub("", text)


def _edit(text: str, insertion: Insertion, name: str) -> _Edit:
    node = insertion.node
    place = f"{name}:{node.start_mark.line + 1}"
    if not isinstance(node, yaml.CollectionNode):
        line = text.splitlines()[node.start_mark.line : node.start_mark.line + 1]
        raise InputError(f"{place}: must be a list or a mapping, or be left out: {''.join(line).strip()}")
    if node.flow_style:
        return _flow_edit(text, node, insertion)
    indent = " " * column(text, node, place)
    lines = _block(insertion.items).removesuffix("\n").split("\n")  # splitlines would also split at U+0085 and U+2028
    body = "".join(f"{indent}{line}\n" for line in lines)
    index = _block_index(text, node, insertion.at, place)
    block = f"{indent}{BEGIN} lines\n{body}{indent}{END}\n"
    if index == len(text) and text and not text.endswith("\n"):
        block = "\n" + block.replace(f"{BEGIN} lines", f"{BEGIN} tail").removesuffix("\n")
    # a list can have the indentation of the mapping that contains it
    return _Edit(index, block, depth=(len(indent), isinstance(node, yaml.SequenceNode)))


def _plain(items: Sequence[Any] | dict[str, Any]) -> list[Any] | dict[str, Any]:
    return items if isinstance(items, dict) else list(items)


def _block(items: Sequence[Any] | dict[str, Any]) -> str:
    return _dump(_plain(items), width=110, flow=False)


def _block_index(text: str, node: yaml.CollectionNode, at: int | None, place: str) -> int:
    """Return the index in ``text`` at which to insert lines into a list or mapping in block style.

    This is the start of the line with the dash of item ``at``. If ``at`` is None, it is the index after the last
    line of ``node``.
    """
    if isinstance(node, yaml.SequenceNode) and at is not None and at < len(node.value):
        found = dash(text, node, at, place)
        line = text.rfind("\n", 0, found) + 1
        if text[line:found].strip():
            raise InputError(f"{place}: nested '- -' lists cannot be edited; use separate lines")
        return line
    last = end(text, node)
    if last and text[last - 1] == "\n":
        return last
    newline = text.find("\n", last)
    return len(text) if newline < 0 else newline + 1


def _flow_edit(text: str, node: yaml.CollectionNode, insertion: Insertion) -> _Edit:
    if insertion.at not in (None, len(node.value)) and node.value:
        return _flow_edit_before(text, node, insertion.at or 0, insertion)
    index = node.end_mark.index - 1
    comma = ", " if node.value and not text[:index].rstrip().endswith(",") else ""
    return _Edit(index, _flow_text(node, comma + _flow(insertion.items)))


def _flow_edit_before(text: str, node: yaml.CollectionNode, at: int, insertion: Insertion) -> _Edit:
    """Return the edit that inserts items before item ``at`` of a list in flow style.

    The inserted text ends with a comma, so the user's commas stay as they are.
    """
    return _Edit(span(text, node, at)[0], _flow_text(node, _flow(insertion.items) + ","))


def _flow_text(node: yaml.CollectionNode, content: str) -> str:
    pad = " " * (node.start_mark.column + 2)
    return f"\n{pad}{BEGIN} flow\n{pad}{content}\n{pad}{END}\n{pad}"


def _flow(items: Sequence[Any] | dict[str, Any]) -> str:
    return _dump(_plain(items), width=10**9, flow=True).strip()[1:-1]


def _dump(data: Any, *, width: int, flow: bool) -> str:
    text: str = yaml.dump(
        data, Dumper=DumperWithoutAnchors, sort_keys=False, width=width, allow_unicode=True, default_flow_style=flow
    )
    return text
