"""The result of a pair that gets no score, and what is known of an answer without reading it."""

from __future__ import annotations

from glidepath.domain import Answer, AnswerFacts, Pair, ScoredPair


def facts_without_body(answer: Answer) -> AnswerFacts:
    """What stands beside the body: who answered, how it ended, how long it took."""
    return AnswerFacts(
        origin=answer.origin,
        backend=answer.backend,
        status=answer.status,
        first_byte_ms=answer.first_byte_ms,
        total_ms=answer.total_ms,
        failed_over=answer.failed_over,
    )


def unscored(
    pair: Pair,
    now_ms: int,
    reason: str,
    baseline: AnswerFacts | None = None,
    candidate: AnswerFacts | None = None,
) -> ScoredPair:
    """Counted and shown under ``reason``; facts are those of facts_without_body answers unless given."""
    return ScoredPair(
        pair_id=pair.id,
        workload=pair.workload,
        kind=pair.kind,
        captured_at_ms=pair.captured_at_ms,
        scored_at_ms=now_ms,
        scored=False,
        unscored_reason=reason,
        baseline=baseline or facts_without_body(pair.baseline),
        candidate=candidate or facts_without_body(pair.candidate),
        sticky=pair.sticky,
    )
