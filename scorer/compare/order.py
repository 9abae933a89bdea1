"""Lists whose order says nothing: names joined by commas and "and", lines with bullets.

Numbered steps, and what stands on two sides of a verb, are not such lists. Cost: nothing where nothing moved.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from scorer.compare.lexicon import CONNECTORS
from scorer.compare.tokens import Token

_LONGEST = 60  # words in which a list is looked for
_EACH = frozenset({"respectively", "beziehungsweise", "respectivement", "respectivamente", "rispettivamente"})
_ORDERED = _EACH | {"then", "first", "second", "before", "after"}


def reordered(left: Sequence[Token], right: Sequence[Token], after: Sequence[Token] = ()) -> bool:
    """Whether both passages are one list, its items in another order, and what comes ``after`` does not count on it."""
    if not 3 <= len(left) <= _LONGEST or len(right) > _LONGEST:
        return False
    one, other = _items(left), _items(right)
    if len(one) < 2 or one == other or Counter(one) != Counter(other):
        return False
    return not any(t.key in _ORDERED for t in left) and not any(t.key in _EACH for t in after)


def _items(tokens: Sequence[Token]) -> list[tuple[str, ...]]:
    items: list[list[str]] = [[]]
    for i, token in enumerate(tokens):
        if token.key in CONNECTORS:
            items.append([])
            continue
        if i and token.comma:
            items.append([])
        items[-1].append(token.key)
    return [tuple(item) for item in items if item]


_BULLET_LINE = re.compile(r"^[ \t]{0,12}[-*+•▪◦‣–][ \t]+\S[^\n]*$", re.MULTILINE)


def in_order_of(text: str, other: str) -> str | None:
    """``text`` with the lines of its bulleted list in the order in which ``other`` has them; None if there is no need.

    Only where both have the same lines, each once.
    """
    lines, theirs = _BULLET_LINE.findall(text), _BULLET_LINE.findall(other)
    if len(lines) < 2 or len(lines) != len(theirs):
        return None
    own, wanted = [_bare(line) for line in lines], [_bare(line) for line in theirs]
    if own == wanted or sorted(own) != sorted(wanted) or len(set(own)) != len(own):
        return None
    by_text = dict(zip(own, lines, strict=True))
    order = iter([by_text[key] for key in wanted])
    return _BULLET_LINE.sub(lambda _: next(order), text)


_STEP = re.compile(r"^[ \t]{0,12}\d{1,3}[.)][ \t]+(\S[^\n]*)$", re.MULTILINE)


def steps_moved(left: str, right: str) -> str:
    """What was exchanged, if both texts number the same steps, in another order; else nothing."""
    one, other = ([_bare(step) for step in _STEP.findall(text)] for text in (left, right))
    if len(one) < 2 or one == other or sorted(one) != sorted(other):
        return ""
    at = next(i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b)
    return f"step {at + 1}: “{one[at]}” → “{other[at]}”"


def _bare(line: str) -> str:
    return line.strip().lstrip("-*+•▪◦‣– \t").rstrip(" .;,\t").casefold()
