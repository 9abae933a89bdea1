"""The answers of a pair, each counted once although a request may have two pairs."""

from __future__ import annotations

from glidepath.pair_scores import AnswerFacts, ScoredPair
from glidepath.pairs import PairKind
from glidepath.sides import Side


def answers_of(pair: ScoredPair) -> list[tuple[Side, AnswerFacts]]:
    """Return the answers of the pair with their sides, without one that another pair of the same request has, too.

    Both answers of a NOISE pair are the baseline's. If there is a CROSS pair of its request, that has the client's.
    """
    if pair.kind is PairKind.CROSS:
        return [(Side.BASELINE, pair.baseline), (Side.CANDIDATE, pair.candidate)]
    copy = (Side.BASELINE, pair.candidate)
    return [copy] if pair.both_copied else [(Side.BASELINE, pair.baseline), copy]
