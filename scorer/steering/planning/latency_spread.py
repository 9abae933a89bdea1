"""Measure how much latencies vary (σ), from the answers in stored pairs. Without stored pairs, ``plan`` assumes a σ."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from glidepath.pair_scores import AnswerFacts, ScoredPair
from glidepath.pairs import PairKind
from scorer.steering.evidence.time_per_token import CHARS_PER_TOKEN

LEAST_ANSWERS = 50  # from fewer answers, a standard deviation is a guess
_LEAST, _MOST = 0.01, 3.0


@dataclass(frozen=True, slots=True)
class LatencySpread:
    """How much each latency signal varies.

    ``sigmas``: latency signal → the standard deviation of its natural logarithm; ``total`` is always present.
    ``answers``: the number of answers from which ``total`` was measured. ``tokens``: the mean number of tokens of a
    request with its answer; None if no answer has a token count.
    """

    sigmas: Mapping[str, float]
    answers: int
    tokens: float | None = None


def spread_of(scored: Sequence[ScoredPair]) -> LatencySpread | None:
    """Return the spread of the latencies of the baseline's answers in cross pairs; None if there are too few."""
    facts = [pair.baseline for pair in scored if pair.kind is PairKind.CROSS and pair.baseline.total_ms > 0]
    totals = [math.log(answer.total_ms) for answer in facts]
    if len(totals) < LEAST_ANSWERS:
        return None
    firsts = [math.log(answer.first_byte_ms) for answer in facts if answer.streamed and answer.first_byte_ms > 0]
    per_token = [math.log(answer.total_ms / tokens) for answer in facts if (tokens := _tokens(answer)) > 0]
    signals = {"total": totals, "ttft": firsts, "per_token": per_token}
    stated = [answer.input_tokens + answer.output_tokens for answer in facts if answer.output_tokens]
    sigmas = {name: _sd(logs) for name, logs in signals.items() if len(logs) >= LEAST_ANSWERS}
    return LatencySpread(sigmas, len(totals), sum(stated) / len(stated) if stated else None)


def _tokens(answer: AnswerFacts) -> float:
    return answer.output_tokens or answer.text_chars / CHARS_PER_TOKEN


def _sd(logs: Sequence[float]) -> float:
    return min(max(float(np.std(logs)), _LEAST), _MOST)
