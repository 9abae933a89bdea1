"""The result of an unscored pair, and the facts about an answer that are known without reading its body."""

from __future__ import annotations

from glidepath.latency import is_streamed
from glidepath.pair_scores import AnswerFacts, ScoredPair
from glidepath.pairs import Answer, Pair


def facts_without_body(answer: Answer) -> AnswerFacts:
    """Return the facts about an answer that do not depend on its body.

    They are the origin, the backend, the status, two times, how the response ended, whether it was streamed, and
    whether the request failed over.
    """
    return AnswerFacts(
        origin=answer.origin,
        backend=answer.backend,
        status=answer.status,
        first_byte_ms=answer.first_byte_ms,
        total_ms=answer.total_ms,
        failed_over=answer.failed_over,
        ending=answer.ending,
        streamed=is_streamed(answer.content_type),
    )


def unscored(
    pair: Pair,
    now_ms: int,
    reason: str,
    baseline: AnswerFacts | None = None,
    candidate: AnswerFacts | None = None,
) -> ScoredPair:
    """Return the result of a pair that is not scored because of ``reason``.

    ``baseline`` and ``candidate`` are the facts about the two answers; None means the result of ``facts_without_body``.
    """
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
        served=pair.served,
        both_copied=pair.both_copied,
        traceparent=pair.traceparent,
    )
