"""Which item of one list belongs to which of another, where their order says nothing: equal ones first, then best."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_SHARED = 32  # holders of a thing, beyond which it says nothing about who belongs together
_LOOKED_AT = 8


@dataclass(frozen=True, slots=True)
class Pairs:
    """Indices: ``pairs`` of partners, and those on the ``left`` and on the ``right`` that have none, in order."""

    pairs: tuple[tuple[int, int], ...]
    left: tuple[int, ...]
    right: tuple[int, ...]


def equal_partners(left: Sequence[Hashable], right: Sequence[Hashable]) -> Pairs:
    """Equal items meet, each once, first come first served. Linear."""
    waiting: defaultdict[Hashable, deque[int]] = defaultdict(deque)
    for j, item in enumerate(right):
        waiting[item].append(j)
    pairs: list[tuple[int, int]] = []
    alone: list[int] = []
    for i, item in enumerate(left):
        if waiting.get(item):
            pairs.append((i, waiting[item].popleft()))
        else:
            alone.append(i)
    return Pairs(tuple(pairs), tuple(alone), tuple(sorted(j for some in waiting.values() for j in some)))


def best_partners(known: Pairs, likeness: Callable[[int, int], float]) -> Pairs:
    """Those without a partner meet, the most alike first; nobody meets where the likeness is 0.

    ``likeness`` takes places in ``known.left`` and ``known.right``; it is asked once for each pair of them.
    """
    rights = range(len(known.right))
    return _greedy(known, ((likeness(i, j), i, j) for i in range(len(known.left)) for j in rights))


def partners_by_sketch(known: Pairs, left: Sequence[frozenset[Any]], right: Sequence[frozenset[Any]]) -> Pairs:
    """The same for many: items meet that share what few others have. ``left``, ``right``: what each one without a
    partner holds. Cost: at most MAX_SHARED for each thing held.
    """
    holders: defaultdict[Any, list[int]] = defaultdict(list)
    for j, sketch in enumerate(right):
        for thing in sketch:
            holders[thing].append(j)
    rare = {thing: some for thing, some in holders.items() if len(some) <= MAX_SHARED}
    return _greedy(known, _shared(left, right, rare))


def _shared(
    left: Sequence[frozenset[Any]], right: Sequence[frozenset[Any]], rare: Mapping[Any, Sequence[int]]
) -> Iterator[tuple[float, int, int]]:
    for i, sketch in enumerate(left):
        met = Counter(j for thing in sketch for j in rare.get(thing, ()))
        for j, _ in met.most_common(_LOOKED_AT):
            yield len(sketch & right[j]) / max(len(sketch), len(right[j])), i, j


def _greedy(known: Pairs, likeness: Iterable[tuple[float, int, int]]) -> Pairs:
    scored = sorted((-share, abs(i - j), i, j) for share, i, j in likeness if share > 0)
    taken: dict[int, int] = {}
    used: set[int] = set()
    for _, _, i, j in scored:
        if i not in taken and j not in used:
            taken[i] = j
            used.add(j)
    met = tuple((known.left[i], known.right[j]) for i, j in sorted(taken.items()))
    left = tuple(place for i, place in enumerate(known.left) if i not in taken)
    right = tuple(place for j, place in enumerate(known.right) if j not in used)
    return Pairs((*known.pairs, *met), left, right)
