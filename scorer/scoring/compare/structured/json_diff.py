"""JSON against JSON: validity, then key by key, with types, tolerances and lists whose order says nothing.

Cost: about 10 µs for ten keys; schema validation about 100 µs. Bounded: MAX_LEAVES places, and a budget of comparisons
for the items of unordered lists; what lies beyond a bound is never taken for alike.
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
from scorer.scoring.compare.structured.assignment import Pairs, best_partners, equal_partners, partners_by_sketch

MAX_LEAVES = 50_000
MATCH_BUDGET = 60_000  # leaves that are looked at to find the partners of unordered items; about 0.2 s
_MAX_DEPTH = 64


@dataclass(frozen=True, slots=True)
class Difference:
    """``path`` is dotted, list places in brackets; ``kind``: missing, added, type, value, length."""

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
    """``leaves`` compared (of both sides, each place once), ``matched`` of them alike, and what was not.

    ``bound``: in words, which bound was hit, so that not everything could be compared as asked; empty mostly.
    """

    leaves: int
    matched: float
    differences: tuple[Difference, ...]
    bound: str = ""

    @property
    def share(self) -> float:
        return self.matched / self.leaves if self.leaves else 1.0


def match_trees(left: object, right: object, settings: ExtractionSection) -> TreeMatch:
    """Compare two JSON values. Symmetric in ``share``. Of larger trees the rest counts as different."""
    work = _Work(settings)
    walk = _walk(left, right, "", work, 0)
    places = list(islice(walk, MAX_LEAVES))
    differences = tuple(p for p in places if isinstance(p, Difference))
    bound = f"{work.by_place} unordered items compared by their place: too many to match" if work.by_place else ""
    alike = len(places) - len(differences)
    if next(walk, _END) is not _END and not _same_text(left, right):
        bound = f"more than {MAX_LEAVES} fields: the rest counts as different"
        return TreeMatch(2 * len(places), alike, differences, bound)
    return TreeMatch(len(places), alike, differences, bound)


_Place = Difference | None  # None: alike
_END = object()


@dataclass(slots=True)
class _Work:
    """One comparison: its settings, what it may still spend on matching, and the numbers of forms met."""

    settings: ExtractionSection
    budget: int = MATCH_BUDGET
    by_place: int = 0
    _ids: dict[object, int] = field(default_factory=dict)

    def form(self, value: object, path: str, depth: int) -> int:
        """The same number for two values that compare as alike at ``path`` (tolerances apart)."""
        shape: object
        if isinstance(value, dict) and depth <= _MAX_DEPTH:
            inner = {k: f"{path}.{k}" if path else k for k in value}
            kept = {k: p for k, p in inner.items() if not _listed(p, self.settings.ignore)}
            shape = ("object", frozenset((k, self.form(value[k], p, depth + 1)) for k, p in kept.items()))
        elif isinstance(value, list) and depth <= _MAX_DEPTH:
            inner_path = f"{path}[0]"
            forms = [self.form(item, inner_path, depth + 1) for item in value]
            shape = ("list", tuple(sorted(forms) if _listed(path, self.settings.unordered) else forms))
        else:
            shape = _leaf_form(value, self.settings)
        return self._ids.setdefault(shape, len(self._ids))

    def sketch(self, value: object, path: str, depth: int) -> frozenset[object]:
        """Its leaves with their keys, without places in lists; numbers that have a tolerance without their value."""
        found: set[object] = set()
        stack = [(value, path, depth)]
        while stack:
            at, here, level = stack.pop()
            if isinstance(at, dict) and at and level <= _MAX_DEPTH:
                stack += [(inner, f"{here}.{key}", level + 1) for key, inner in at.items()]
            elif isinstance(at, list) and at and level <= _MAX_DEPTH:
                stack += [(inner, f"{here}[0]", level + 1) for inner in at]
            elif not _listed(here, self.settings.ignore):
                loose = _is_number(at) and _tolerance(here, self.settings)
                found.add((here, None if loose else _leaf_form(at, self.settings)))
        return frozenset(found)


def _leaf_form(value: object, settings: ExtractionSection) -> tuple[str, object]:
    if isinstance(value, str):
        return "text", _flat(value, settings)
    if _is_number(value):
        return "number", value
    return type(value).__name__, value if isinstance(value, bool) else repr(value)


def _walk(left: object, right: object, path: str, work: _Work, depth: int) -> Iterator[_Place]:
    if _listed(path, work.settings.ignore):
        return
    if depth > _MAX_DEPTH:
        yield None if left == right else Difference(path, "value", left, right)
    elif isinstance(left, dict) and isinstance(right, dict):
        yield from _walk_objects(left, right, path, work, depth)
    elif isinstance(left, list) and isinstance(right, list):
        yield from _walk_lists(left, right, path, work, depth)
    else:
        yield _leaf(left, right, path or "(root)", work.settings)


def _walk_objects(
    left: Mapping[str, object], right: Mapping[str, object], path: str, work: _Work, depth: int
) -> Iterator[_Place]:
    for key in [*left, *(k for k in right if k not in left)]:
        here = f"{path}.{key}" if path else str(key)
        if key not in right:
            yield from _all_of(left[key], here, work, "missing", depth)
        elif key not in left:
            yield from _all_of(right[key], here, work, "added", depth)
        else:
            yield from _walk(left[key], right[key], here, work, depth + 1)
    if not left and not right:
        yield None


def _walk_lists(left: list[object], right: list[object], path: str, work: _Work, depth: int) -> Iterator[_Place]:
    pairs = list(zip(left, right, strict=False))
    rest_left, rest_right = left[len(pairs) :], right[len(pairs) :]
    if _listed(path, work.settings.unordered):
        pairs, rest_left, rest_right = _matched_up(left, right, path, work, depth + 1)
    for i, (a, b) in enumerate(pairs):
        yield from _walk(a, b, f"{path}[{i}]", work, depth + 1)
    for i, item in enumerate(rest_left, len(pairs)):
        yield from _all_of(item, f"{path}[{i}]", work, "missing", depth)
    for i, item in enumerate(rest_right, len(pairs)):
        yield from _all_of(item, f"{path}[{i}]", work, "added", depth)
    if not left and not right:
        yield None


def _matched_up(
    left: list[object], right: list[object], path: str, work: _Work, depth: int
) -> tuple[list[tuple[object, object]], list[object], list[object]]:
    """Equal items meet, whatever their number; the others meet the ones most like them, as far as the budget goes."""
    here = f"{path}[0]"
    partners = equal_partners([work.form(x, here, depth) for x in left], [work.form(y, here, depth) for y in right])
    if partners.left and partners.right:
        partners = _most_alike(left, right, partners, here, work, depth)
    pairs = [(left[i], right[j]) for i, j in sorted(partners.pairs)]
    both = min(len(partners.left), len(partners.right))
    pairs += [(left[i], right[j]) for i, j in zip(partners.left[:both], partners.right[:both], strict=True)]
    return pairs, [left[i] for i in partners.left[both:]], [right[j] for j in partners.right[both:]]


def _most_alike(left: list[object], right: list[object], partners: Pairs, path: str, work: _Work, depth: int) -> Pairs:
    """Partners for what has none: by walking each pair, or by what they share where that would cost too much."""
    a, b = ([whole[i] for i in some] for whole, some in ((left, partners.left), (right, partners.right)))
    sketches = [[work.sketch(item, path, depth) for item in side] for side in (a, b)]
    sizes = [sum(map(len, side)) + len(side) for side in sketches]
    cost = sizes[0] * len(b) + sizes[1] * len(a)
    if cost <= work.budget // 2:  # the other half is for what lies inside
        work.budget -= cost
        return best_partners(partners, lambda i, j: _share(a[i], b[j], path, work, depth))
    found = partners_by_sketch(partners, *sketches)
    work.by_place += min(len(found.left), len(found.right))
    return found


def _share(left: object, right: object, path: str, work: _Work, depth: int) -> float:
    alike = total = 0
    for place in _walk(left, right, path, work, depth):
        total += 1
        alike += place is None
    return alike / total if total else 1.0


def _all_of(value: object, path: str, work: _Work, kind: str, depth: int) -> Iterator[_Place]:
    """One difference for each leaf of a part that only one side has."""
    if _listed(path, work.settings.ignore):
        return
    if isinstance(value, dict) and value and depth < _MAX_DEPTH:
        for key, inner in value.items():
            yield from _all_of(inner, f"{path}.{key}", work, kind, depth + 1)
    elif isinstance(value, list) and value and depth < _MAX_DEPTH:
        for i, inner in enumerate(value):
            yield from _all_of(inner, f"{path}[{i}]", work, kind, depth + 1)
    else:
        yield Difference(path, kind, value if kind == "missing" else None, value if kind == "added" else None)


def _leaf(left: object, right: object, path: str, settings: ExtractionSection) -> _Place:
    if _is_number(left) and _is_number(right):
        same = within(left, right, _tolerance(path, settings))  # type: ignore[arg-type]
        return None if same else Difference(path, "value", left, right)
    if type(left) is not type(right):
        return Difference(path, "type", left, right)
    if isinstance(left, str) and isinstance(right, str):
        same = left == right or _flat(left, settings) == _flat(right, settings)
        return None if same else Difference(path, "value", left, right)
    return None if left == right else Difference(path, "value", left, right)


def _flat(text: str, settings: ExtractionSection) -> str:
    """As texts are compared: white space and the two ways to write an accent say nothing."""
    flat = " ".join(unicodedata.normalize("NFC", text).split())
    return flat.casefold() if settings.ignore_case else flat


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def within(a: int | float, b: int | float, tolerance: float | str) -> bool:
    """Whether two numbers are the same: whole ones to the last digit, others but for rounding, or within a tolerance.

    Exact for whole numbers of any size (identifiers beyond 2⁵³, a model that writes digits without end).
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


# See ADR 0126.
_ROUNDING = Fraction(1, 2**50)  # eight steps of a double


def _tolerance(path: str, settings: ExtractionSection) -> float | str:
    return next((limit for key, limit in settings.tolerance.items() if _pattern(key).fullmatch(path)), 0.0)


def _listed(path: str, keys: Sequence[str]) -> bool:
    return bool(keys) and bool(path) and any(_pattern(key).fullmatch(path) for key in keys)


@lru_cache(maxsize=1024)
def _pattern(key: str) -> re.Pattern[str]:
    """``items[].price`` and ``items[*].price`` mean every place of the list; ``*`` every key."""
    escaped = re.escape(key.removeprefix("$.")).replace(r"\[\*\]", r"\[\d+\]").replace(r"\[\]", r"\[\d+\]")
    return re.compile(escaped.replace(r"\*", r"[^.\[\]]+"))


def _same_text(left: object, right: object) -> bool:
    """Whether both are the same JSON to the letter, keys in any order: cheap, for what is too large to walk."""
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


def _show(value: object) -> str:
    return excerpt(repr(value), 40)
