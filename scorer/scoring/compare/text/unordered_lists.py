"""Lists whose order says nothing: names joined by commas and "and", lines with bullets.

Numbered steps, lists that the sentence calls an order, and what stands on two sides of a verb, are not such lists.
Cost: nothing where nothing moved.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from scorer.scoring.compare.text.lexicon import CONNECTORS
from scorer.scoring.compare.text.line_order import bare, in_order_of, lines_moved
from scorer.scoring.compare.text.tokens import Token

__all__ = ["in_order_of", "ordered", "reordered", "steps_moved"]

_LONGEST = 60  # words in which a list is looked for
_EACH = frozenset({"respectively", "beziehungsweise", "respectivement", "respectivamente", "rispettivamente"})
_KINDS_OF_ORDER = frozenset(
    {"that", "this", "following", "right", "correct", "chronological", "descending", "ascending", "increasing"}
    | {"decreasing", "reverse", "of"}
)
_IS = frozenset({"is", "was", "of"})
_POLES = frozenset({"most", "least", "worst", "top"})
_RANKED = frozenset({"ranked", "sorted", "descending", "ascending"})
_ORDERED = _EACH | {"then", "first", "second", "before", "after"}


def reordered(left: Sequence[Token], right: Sequence[Token]) -> bool:
    """Whether both passages are one list, its items in another order."""
    if not 3 <= len(left) <= _LONGEST or len(right) > _LONGEST or any(t.code for t in left):
        return False
    one, other = _items(left), _items(right)
    return len(one) >= 2 and one != other and Counter(one) == Counter(other)


def ordered(before: Sequence[Token], listed: Sequence[Token], after: Sequence[Token]) -> bool:
    """Whether a sentence counts on the order of what it lists: respectively, in that order, from the largest on."""
    if any(t.key in _ORDERED for t in listed):
        return True
    starts = [i for i, t in enumerate(before) if t.opens]
    end = next((i for i, t in enumerate(after) if t.opens), len(after))
    said = ["", *(t.key for t in before[starts[-1] if starts else 0 :]), "", *(t.key for t in after[:end]), "", ""]
    return any(_counts(said, i) for i in range(1, len(said) - 2))


def _counts(said: list[str], i: int) -> bool:
    word = said[i]
    if word == "order":
        return said[i - 1] in _KINDS_OF_ORDER or (said[i - 1] == "in" and said[i + 1] != "to") or said[i + 1] in _IS
    if word in ("from", "with"):
        return any(w.endswith("est") or w in _POLES for w in said[i + 1 : i + 3])
    return word in _EACH or word in _RANKED


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


_STEP = re.compile(r"^[ \t]{0,12}\d{1,3}[.)][ \t]+(\S[^\n]*)$", re.MULTILINE)


def steps_moved(left: str, right: str) -> str:
    """What was exchanged, if both texts hold the same steps or lines where their places count; else nothing."""
    return _steps_moved(left, right) or lines_moved(left, right)


def _steps_moved(left: str, right: str) -> str:
    one, other = ([bare(step) for step in _STEP.findall(text)] for text in (left, right))
    if len(one) < 2 or one == other or sorted(one) != sorted(other):
        return ""
    at = next(i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b)
    return f"step {at + 1}: “{one[at]}” → “{other[at]}”"
