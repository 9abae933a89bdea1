"""The former names of records that now lie in sides, pairs, pair_scores and outcome_summaries."""

from __future__ import annotations

from glidepath.outcome_summaries import (
    CAPABILITY,
    CAPABILITY_STATUSES,
    NO_DIGEST,
    PINNED,
    SEVERAL_DIGESTS,
    AtFault,
    Coverage,
    LocalReplies,
    Outcomes,
    SideOutcomes,
    add_counts,
    joined_digests,
)
from glidepath.pair_scores import EXACT_CALL, TRIP_DIVERGENCE, AnswerFacts, Correctness, Preference, ScoredPair
from glidepath.pairs import Answer, Ending, Pair, PairKind, is_failure
from glidepath.sides import Origin, Side
from glidepath.status_and_decisions import GateOutcome as Outcome

__all__ = [
    "CAPABILITY",
    "CAPABILITY_STATUSES",
    "EXACT_CALL",
    "NO_DIGEST",
    "PINNED",
    "SEVERAL_DIGESTS",
    "TRIP_DIVERGENCE",
    "Answer",
    "AnswerFacts",
    "AtFault",
    "Correctness",
    "Coverage",
    "Ending",
    "LocalReplies",
    "Origin",
    "Outcome",
    "Outcomes",
    "Pair",
    "PairKind",
    "Preference",
    "ScoredPair",
    "Side",
    "SideOutcomes",
    "add_counts",
    "is_failure",
    "joined_digests",
]
