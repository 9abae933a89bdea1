"""Finds the positions of the parts of YAML lists and mappings in a text, even if they are aliases.

The marks of the parser do not suffice. The marks of an alias are those of its anchor. A part in block style ends only
where the next token begins, after comments and blank lines.
"""

from __future__ import annotations

import re

import yaml

from glidepath.errors import InputError

_DASH = re.compile(r"-[ \t]*(?:#.*)?(?:\n[ \t]*(?:#.*)?)*\Z")
_MAX_GAP = 10_000  # maximum characters of comments between a dash and its item


def span(text: str, node: yaml.CollectionNode, index: int) -> tuple[int, int]:
    """Return the positions in ``text`` where an item of a list, or a value of a mapping, begins and ends."""
    before = node.start_mark.index
    found = (before, before)
    for entry in node.value[: index + 1]:
        key, item = entry if isinstance(entry, tuple) else (None, entry)
        before = key.end_mark.index if key is not None else before
        found = (item.start_mark.index, end(text, item)) if item.start_mark.index >= before else _alias(text, before)
        before = found[1]
    return found


def _alias(text: str, after: int) -> tuple[int, int]:
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        if isinstance(token, yaml.AliasToken) and token.start_mark.index >= after:
            return token.start_mark.index, token.end_mark.index
    return after, after


def dash(text: str, node: yaml.SequenceNode, index: int, place: str) -> int:
    """Return the index in ``text`` of the dash before an item of a block-style list.

    Comments and line breaks between dash and item are skipped. Raises InputError, with ``place``, if there is no dash.
    """
    start = span(text, node, index)[0]
    match = _DASH.search(text, max(0, start - _MAX_GAP), start)
    if match is None:
        raise InputError(f"{place}: the dash of an item of this list was not found")
    return match.start()


def column(text: str, node: yaml.CollectionNode, place: str) -> int:
    """Return the column of the dashes or keys of a list or mapping in block style. Raises InputError, see ``dash``."""
    if isinstance(node, yaml.SequenceNode):
        first = dash(text, node, 0, place)
        return first - (text.rfind("\n", 0, first) + 1)
    return int(node.value[0][0].start_mark.column)


def end(text: str, node: yaml.Node) -> int:
    """Return the index after the last character of ``node`` that is not in a comment or a blank line."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        return span(text, node, len(node.value) - 1)[1]
    return int(node.end_mark.index)
