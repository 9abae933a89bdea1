"""Pair the items of two lists whose order does not matter: equal items first, then the most similar items."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_SHARED = 32  # a feature is not used for pairing if more items than this have it
_CANDIDATES = 8  # maximum number of partners that are considered for each item


@dataclass(frozen=True, slots=True)
class Pairing:
    """The result of pairing the items of two lists.

    - ``pairs``: the (left index, right index) of each pair.
    - ``left``: the indices of the items of the left list that have no partner.
    - ``right``: the indices of the items of the right list that have no partner.
    """

    pairs: tuple[tuple[int, int], ...]
    left: tuple[int, ...]
    right: tuple[int, ...]


def pair_equal(left: Sequence[Hashable], right: Sequence[Hashable]) -> Pairing:
    """Pair the equal items of two lists. The cost is linear.

    Each item gets at most one partner: the first equal item that has no partner yet.
    """
    waiting: defaultdict[Hashable, deque[int]] = defaultdict(deque)
    for j, item in enumerate(right):
        waiting[item].append(j)
    pairs: list[tuple[int, int]] = []
    unpaired: list[int] = []
    for i, item in enumerate(left):
        if waiting.get(item):
            pairs.append((i, waiting[item].popleft()))
        else:
            unpaired.append(i)
    return Pairing(tuple(pairs), tuple(unpaired), tuple(sorted(j for some in waiting.values() for j in some)))


def pair_by_similarity(known: Pairing, similarity: Callable[[int, int], float]) -> Pairing:
    """Pair the items without a partner in ``known``, the most similar items first. Return the complete pairing.

    ``similarity(i, j)`` must return the similarity of the items with the indices ``known.left[i]`` and
    ``known.right[j]``. Items with the similarity 0 are not paired.
    """
    rights = range(len(known.right))
    return _greedy(known, ((similarity(i, j), i, j) for i in range(len(known.left)) for j in rights))


def pair_by_sketch(known: Pairing, left: Sequence[frozenset[Any]], right: Sequence[frozenset[Any]]) -> Pairing:
    """Pair the items without a partner in ``known`` by their common features. Return the complete pairing.

    This is fast even for many items. ``left`` and ``right``: the set of features of each item in ``known.left`` and in
    ``known.right``. A feature of more than MAX_SHARED items in ``right`` is ignored. Cost: at most MAX_SHARED steps for
    each feature of a left item.
    """
    holders: defaultdict[Any, list[int]] = defaultdict(list)
    for j, sketch in enumerate(right):
        for feature in sketch:
            holders[feature].append(j)
    rare = {feature: some for feature, some in holders.items() if len(some) <= MAX_SHARED}
    return _greedy(known, _shared(left, right, rare))


def _shared(
    left: Sequence[frozenset[Any]], right: Sequence[frozenset[Any]], rare: Mapping[Any, Sequence[int]]
) -> Iterator[tuple[float, int, int]]:
    for i, sketch in enumerate(left):
        common = Counter(j for feature in sketch for j in rare.get(feature, ()))
        for j, _ in common.most_common(_CANDIDATES):
            yield len(sketch & right[j]) / max(len(sketch), len(right[j])), i, j


def _greedy(known: Pairing, similarity: Iterable[tuple[float, int, int]]) -> Pairing:
    scored = sorted((-share, abs(i - j), i, j) for share, i, j in similarity if share > 0)
    taken: dict[int, int] = {}
    used: set[int] = set()
    for _, _, i, j in scored:
        if i not in taken and j not in used:
            taken[i] = j
            used.add(j)
    paired = tuple((known.left[i], known.right[j]) for i, j in sorted(taken.items()))
    left = tuple(place for i, place in enumerate(known.left) if i not in taken)
    right = tuple(place for j, place in enumerate(known.right) if j not in used)
    return Pairing((*known.pairs, *paired), left, right)
