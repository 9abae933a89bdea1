"""Compare two JSON values key by key, with types, tolerances and unordered lists.

A leaf is a value that contains no other values. Cost: about 10 µs for ten keys. Two limits bound the cost. Leaves
beyond MAX_LEAVES count as different. If pairing the items of unordered lists by their similarity would exceed
MATCH_BUDGET, the items are paired by their common leaves or by their position.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from itertools import islice

from glidepath.config.comparison import ExtractionSection
from scorer.scoring.compare.result import excerpt
from scorer.scoring.compare.structured.assignment import Pairing, pair_by_similarity, pair_by_sketch, pair_equal

MAX_LEAVES = 50_000
MATCH_BUDGET = 60_000  # maximum number of leaves that are compared to pair the items of unordered lists; about 0.2 s
_MAX_DEPTH = 64


@dataclass(frozen=True, slots=True)
class JsonDifference:
    """A difference between two JSON values. ``path`` is its place, such as ``items[2].price``.

    ``kind`` is "missing" (only the left value has this place), "added" (only the right value has this place), "type"
    (the two types differ) or "value". ``left`` and ``right`` are the differing values.
    """

    path: str
    kind: str
    left: object = None
    right: object = None

    def __str__(self) -> str:
        if self.kind == "missing":
            return f"{self.path}: {_show(self.left)} is missing"
        if self.kind == "added":
            return f"{self.path}: {_show(self.right)} is new"
        return f"{self.path}: {_show(self.left)} → {_show(self.right)}"


@dataclass(frozen=True, slots=True)
class TreeMatch:
    """The result of comparing two JSON values.

    - ``leaves``: the number of places at which at least one of the values has a leaf, or 2 × MAX_LEAVES if there are
      more than MAX_LEAVES such places.
    - ``matched``: the number of places at which both leaves are equal.
    - ``differences``: the differences at the other places.
    - ``bound``: a description of the limit that prevented a complete comparison, or "".
    """

    leaves: int
    matched: float
    differences: tuple[JsonDifference, ...]
    bound: str = ""

    @property
    def share(self) -> float:
        return self.matched / self.leaves if self.leaves else 1.0


def match_trees(left: object, right: object, settings: ExtractionSection) -> TreeMatch:
    """Compare two JSON values. If the values are swapped, the share of equal leaves does not change.

    Leaves beyond MAX_LEAVES count as different, unless the two values are equal as a whole.
    """
    state = _MatchState(settings)
    walk = _walk(left, right, "", state, 0)
    places = list(islice(walk, MAX_LEAVES))
    differences = tuple(p for p in places if isinstance(p, JsonDifference))
    bound = (
        f"{state.by_place} unordered items were compared by position, because there are too many to match"
        if state.by_place
        else ""
    )
    equal = len(places) - len(differences)
    if next(walk, _END) is not _END and not _same_json(left, right):
        bound = f"more than {MAX_LEAVES} fields: the rest counts as different"
        return TreeMatch(2 * len(places), equal, differences, bound)
    return TreeMatch(len(places), equal, differences, bound)


_Place = JsonDifference | None  # None: equal
_END = object()


@dataclass(slots=True)
class _MatchState:
    """The state of one comparison of two JSON values.

    ``budget`` is the remaining part of MATCH_BUDGET. ``by_place`` is the number of items of unordered lists that are
    paired by their position. ``_ids`` maps each distinct value to an id.
    """

    settings: ExtractionSection
    budget: int = MATCH_BUDGET
    by_place: int = 0
    _ids: dict[object, int] = field(default_factory=dict)

    def value_id(self, value: object, path: str, depth: int) -> int:
        """Return an id for a value. Equal values have the same id.

        The settings for ``path`` determine which keys are ignored and in which lists the order does not matter. Their
        tolerances are not used: two different numbers always have different ids.
        """
        shape: object
        if isinstance(value, dict) and depth <= _MAX_DEPTH:
            inner = {k: f"{path}.{k}" if path else k for k in value}
            kept = {k: p for k, p in inner.items() if not _listed(p, self.settings.ignore)}
            shape = ("object", frozenset((k, self.value_id(value[k], p, depth + 1)) for k, p in kept.items()))
        elif isinstance(value, list) and depth <= _MAX_DEPTH:
            inner_path = f"{path}[0]"
            ids = [self.value_id(item, inner_path, depth + 1) for item in value]
            shape = ("list", tuple(sorted(ids) if _listed(path, self.settings.unordered) else ids))
        else:
            shape = _leaf_identity(value, self.settings)
        return self._ids.setdefault(shape, len(self._ids))

    def sketch(self, value: object, path: str, depth: int) -> frozenset[object]:
        """Return the (path, value) pairs of all leaves of a value. Similar items have many of these pairs in common.

        All list indices in a path are 0, so the order of items does not matter. For a number with a tolerance, the pair
        contains None instead of the number.
        """
        found: set[object] = set()
        stack = [(value, path, depth)]
        while stack:
            at, here, level = stack.pop()
            if isinstance(at, dict) and at and level <= _MAX_DEPTH:
                stack += [(inner, f"{here}.{key}", level + 1) for key, inner in at.items()]
            elif isinstance(at, list) and at and level <= _MAX_DEPTH:
                stack += [(inner, f"{here}[0]", level + 1) for inner in at]
            elif not _listed(here, self.settings.ignore):
                has_tolerance = _is_number(at) and _tolerance(here, self.settings)
                found.add((here, None if has_tolerance else _leaf_identity(at, self.settings)))
        return frozenset(found)


def _leaf_identity(value: object, settings: ExtractionSection) -> tuple[str, object]:
    if isinstance(value, str):
        return "text", _normalised(value, settings)
    if _is_number(value):
        return "number", value
    return type(value).__name__, value if isinstance(value, bool) else repr(value)


def _walk(left: object, right: object, path: str, state: _MatchState, depth: int) -> Iterator[_Place]:
    if _listed(path, state.settings.ignore):
        return
    if depth > _MAX_DEPTH:
        yield None if left == right else JsonDifference(path, "value", left, right)
    elif isinstance(left, dict) and isinstance(right, dict):
        yield from _walk_objects(left, right, path, state, depth)
    elif isinstance(left, list) and isinstance(right, list):
        yield from _walk_lists(left, right, path, state, depth)
    else:
        yield _leaf(left, right, path or "(root)", state.settings)


def _walk_objects(
    left: Mapping[str, object], right: Mapping[str, object], path: str, state: _MatchState, depth: int
) -> Iterator[_Place]:
    for key in [*left, *(k for k in right if k not in left)]:
        here = f"{path}.{key}" if path else str(key)
        if key not in right:
            yield from _all_of(left[key], here, state, "missing", depth)
        elif key not in left:
            yield from _all_of(right[key], here, state, "added", depth)
        else:
            yield from _walk(left[key], right[key], here, state, depth + 1)
    if not left and not right:
        yield None


def _walk_lists(left: list[object], right: list[object], path: str, state: _MatchState, depth: int) -> Iterator[_Place]:
    pairs = list(zip(left, right, strict=False))
    rest_left, rest_right = left[len(pairs) :], right[len(pairs) :]
    if _listed(path, state.settings.unordered):
        pairs, rest_left, rest_right = _pair_items(left, right, path, state, depth + 1)
    for i, (a, b) in enumerate(pairs):
        yield from _walk(a, b, f"{path}[{i}]", state, depth + 1)
    for i, item in enumerate(rest_left, len(pairs)):
        yield from _all_of(item, f"{path}[{i}]", state, "missing", depth)
    for i, item in enumerate(rest_right, len(pairs)):
        yield from _all_of(item, f"{path}[{i}]", state, "added", depth)
    if not left and not right:
        yield None


def _pair_items(
    left: list[object], right: list[object], path: str, state: _MatchState, depth: int
) -> tuple[list[tuple[object, object]], list[object], list[object]]:
    """Pair the items of two unordered lists: equal items first, then similar items, then the rest by position.

    Return the pairs, and the items of each list that have no partner.
    """
    here = f"{path}[0]"
    partners = pair_equal(
        [state.value_id(x, here, depth) for x in left], [state.value_id(y, here, depth) for y in right]
    )
    if partners.left and partners.right:
        partners = _pair_by_similarity(left, right, partners, here, state, depth)
    pairs = [(left[i], right[j]) for i, j in sorted(partners.pairs)]
    both = min(len(partners.left), len(partners.right))
    pairs += [(left[i], right[j]) for i, j in zip(partners.left[:both], partners.right[:both], strict=True)]
    return pairs, [left[i] for i in partners.left[both:]], [right[j] for j in partners.right[both:]]


def _pair_by_similarity(
    left: list[object], right: list[object], partners: Pairing, path: str, state: _MatchState, depth: int
) -> Pairing:
    """Pair the items without a partner in ``partners``, the most similar items first. Return the complete pairing.

    The similarity of two items is their share of equal leaves. If comparing every left item with every right item would
    exceed the budget, the items are paired by their number of common leaves instead.
    """
    a, b = ([whole[i] for i in some] for whole, some in ((left, partners.left), (right, partners.right)))
    sketches = [[state.sketch(item, path, depth) for item in side] for side in (a, b)]
    sizes = [sum(map(len, side)) + len(side) for side in sketches]
    cost = sizes[0] * len(b) + sizes[1] * len(a)
    if cost <= state.budget // 2:  # the other half is kept for nested lists
        state.budget -= cost
        return pair_by_similarity(partners, lambda i, j: _share(a[i], b[j], path, state, depth))
    found = pair_by_sketch(partners, *sketches)
    state.by_place += min(len(found.left), len(found.right))
    return found


def _share(left: object, right: object, path: str, state: _MatchState, depth: int) -> float:
    equal = total = 0
    for place in _walk(left, right, path, state, depth):
        total += 1
        equal += place is None
    return equal / total if total else 1.0


def _all_of(value: object, path: str, state: _MatchState, kind: str, depth: int) -> Iterator[_Place]:
    """Yield one difference of the given ``kind`` for each leaf of a value that only one side has."""
    if _listed(path, state.settings.ignore):
        return
    if isinstance(value, dict) and value and depth < _MAX_DEPTH:
        for key, inner in value.items():
            yield from _all_of(inner, f"{path}.{key}", state, kind, depth + 1)
    elif isinstance(value, list) and value and depth < _MAX_DEPTH:
        for i, inner in enumerate(value):
            yield from _all_of(inner, f"{path}[{i}]", state, kind, depth + 1)
    else:
        yield JsonDifference(path, kind, value if kind == "missing" else None, value if kind == "added" else None)


def _leaf(left: object, right: object, path: str, settings: ExtractionSection) -> _Place:
    if _is_number(left) and _is_number(right):
        same = within(left, right, _tolerance(path, settings))  # type: ignore[arg-type]
        return None if same else JsonDifference(path, "value", left, right)
    if type(left) is not type(right):
        return JsonDifference(path, "type", left, right)
    if isinstance(left, str) and isinstance(right, str):
        same = left == right or _normalised(left, settings) == _normalised(right, settings)
        return None if same else JsonDifference(path, "value", left, right)
    return None if left == right else JsonDifference(path, "value", left, right)


def _normalised(text: str, settings: ExtractionSection) -> str:
    """Return a string in the form that is compared.

    The amount of white space and the Unicode encoding of accents do not change this form. With ``ignore_case``, upper
    and lower case do not change it either.
    """
    flat = " ".join(unicodedata.normalize("NFC", text).split())
    return flat.casefold() if settings.ignore_case else flat


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def within(a: int | float, b: int | float, tolerance: float | str) -> bool:
    """Return whether two numbers are equal within the tolerance and, for floats, within rounding errors.

    The tolerance is a number, or a percentage ("5%") of the greater absolute value. The comparison of whole numbers has
    no rounding errors, even for identifiers beyond 2⁵³ or the endless digits of a looping model. See ADR 0126.
    """
    if a == b:
        return True
    if any(isinstance(value, float) and not math.isfinite(value) for value in (a, b)):
        return False
    x, y = Fraction(a), Fraction(b)
    largest = max(abs(x), abs(y))
    if isinstance(tolerance, str) and tolerance.endswith("%"):
        allowed = largest * Fraction(min(1.0, float(tolerance[:-1]) / 100))
    else:
        allowed = Fraction(float(tolerance))
    if isinstance(a, float) or isinstance(b, float):
        allowed += largest * _ROUNDING
    return abs(x - y) <= allowed


_ROUNDING = Fraction(1, 2**50)  # eight units in the last place of a double


def _tolerance(path: str, settings: ExtractionSection) -> float | str:
    return next((limit for key, limit in settings.tolerance.items() if _pattern(key).fullmatch(path)), 0.0)


def _listed(path: str, keys: Sequence[str]) -> bool:
    return bool(keys) and bool(path) and any(_pattern(key).fullmatch(path) for key in keys)


@lru_cache(maxsize=1024)
def _pattern(key: str) -> re.Pattern[str]:
    """Compile a path from the configuration into a regular expression for the paths of values.

    ``items[].price`` and ``items[*].price`` match the price of every item in the list. ``*`` matches any key.
    """
    escaped = re.escape(key.removeprefix("$.")).replace(r"\[\*\]", r"\[\d+\]").replace(r"\[\]", r"\[\d+\]")
    return re.compile(escaped.replace(r"\*", r"[^.\[\]]+"))


def _same_json(left: object, right: object) -> bool:
    """Return whether two JSON values are equal if the order of their keys is ignored.

    The cost is low even for many leaves.
    """
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


def _show(value: object) -> str:
    return excerpt(repr(value), 40)
