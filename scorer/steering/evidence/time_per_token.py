"""The time per token of both answers of a pair, from their token usage or else from their characters."""

from __future__ import annotations

from glidepath.histogram import Histogram, bucket_of
from glidepath.pair_scores import AnswerFacts
from scorer.steering.evidence.gate_observations import LatencyHistograms, LatencyUnmeasured

CHARS_PER_TOKEN = 4  # about the mean of English; any number works if it is the same for both answers


def time_per_token(candidate: AnswerFacts, baseline: AnswerFacts) -> tuple[LatencyHistograms | LatencyUnmeasured, ...]:
    """Return the observations of a pair for the signal ``per_token``, in milliseconds.

    If an answer has no token count, such as a stream without usage, four characters count as a token in both answers,
    and the value is an estimate. A pair without tokens and without text, or without a time, has no value.
    """
    both = (candidate, baseline)
    if any(facts.total_ms <= 0 for facts in both):
        return (LatencyUnmeasured("per_token", without=1),)
    counted = all(facts.output_tokens > 0 for facts in both)
    tokens = [facts.output_tokens if counted else facts.text_chars / CHARS_PER_TOKEN for facts in both]
    if min(tokens) <= 0:
        return (LatencyUnmeasured("per_token", without=1),)
    own, base = (Histogram({bucket_of(facts.total_ms / n): 1}) for facts, n in zip(both, tokens, strict=True))
    seen = LatencyHistograms("per_token", own, base)
    return (seen,) if counted else (LatencyUnmeasured("per_token", estimated=1), seen)
