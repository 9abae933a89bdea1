"""Pair the items of two lists whose order does not matter: equal items first, then the most similar items."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_SHARED = 32  # a feature that more items have is not used for pairing
_CANDIDATES = 8  # maximum number of partners that are considered for each item


@dataclass(frozen=True, slots=True)
class Pairing:
    """The result of pairing the items of two lists. ``pairs`` has the indices of the paired items.

    ``left`` and ``right`` have the indices of the items without a partner.
    """

    pairs: tuple[tuple[int, int], ...]
    left: tuple[int, ...]
    right: tuple[int, ...]


def pair_equal(left: Sequence[Hashable], right: Sequence[Hashable]) -> Pairing:
    """Pair the equal items of two lists in their order. Each item has at most one partner. The cost is linear."""
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
    """Pair the items that have no partner yet, beginning with the most similar. Items of similarity 0 are not paired.

    ``similarity(i, j)`` must return the similarity of the items with the indices ``known.left[i]`` and
    ``known.right[j]``.
    """
    rights = range(len(known.right))
    return _greedy(known, ((similarity(i, j), i, j) for i in range(len(known.left)) for j in rights))


def pair_by_sketch(known: Pairing, left: Sequence[frozenset[Any]], right: Sequence[frozenset[Any]]) -> Pairing:
    """Pair the items that have no partner yet by the features that they share. This is fast for many items.

    ``left`` and ``right`` have a set of features for each item in ``known.left`` and ``known.right``. Features that
    more than MAX_SHARED items of ``right`` have are ignored. Cost: at most MAX_SHARED for each feature.
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
