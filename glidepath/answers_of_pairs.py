"""Lists the answers of a pair so that each answer counts once, although a request may have two pairs."""

from __future__ import annotations

from glidepath.pair_scores import AnswerFacts, ScoredPair
from glidepath.pairs import PairKind
from glidepath.sides import Side


def answers_of(pair: ScoredPair) -> list[tuple[Side, AnswerFacts]]:
    """Return the answers of a pair, each with its side.

    Both answers of a NOISE pair are the baseline's. If the request also has a CROSS pair, the client's answer is in
    both pairs. In that case, it is left out of the NOISE pair.
    """
    if pair.kind is PairKind.CROSS:
        return [(Side.BASELINE, pair.baseline), (Side.CANDIDATE, pair.candidate)]
    copy = (Side.BASELINE, pair.candidate)
    return [copy] if pair.both_copied else [(Side.BASELINE, pair.baseline), copy]
