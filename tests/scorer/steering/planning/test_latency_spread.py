"""The variation of stored latencies."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from glidepath.pair_scores import AnswerFacts
from glidepath.pairs import PairKind
from scorer.steering.planning.latency_spread import LEAST_ANSWERS, spread_of
from tests.support.evidence_builders import pair


def stored(n: int, *, tokens: bool = True, streamed: bool = True):
    rng = np.random.default_rng(1)
    found = []
    for i in range(n):
        length, speed = float(rng.lognormal(5, 0.8)), float(rng.lognormal(2, 0.3))
        facts = AnswerFacts(
            total_ms=length * speed,
            first_byte_ms=float(rng.lognormal(5, 0.4)),
            output_tokens=round(length) if tokens else 0,
            text_chars=round(4 * length),
            streamed=streamed,
        )
        found.append(replace(pair(0.9, 2000 + i), baseline=facts))
    return found


@pytest.mark.parametrize("tokens", [True, False])
def test_each_signal_has_its_own_spread(tokens: bool) -> None:
    spread = spread_of(stored(4000, tokens=tokens))
    assert spread is not None
    assert spread.answers == 4000
    assert spread.sigmas == pytest.approx({"total": np.hypot(0.8, 0.3), "ttft": 0.4, "per_token": 0.3}, rel=0.05)


def test_answers_that_are_not_streamed_have_no_spread_of_the_first_token() -> None:
    spread = spread_of(stored(100, streamed=False))
    assert spread is not None
    assert set(spread.sigmas) == {"total", "per_token"}


def test_too_few_answers_and_noise_pairs_say_nothing() -> None:
    assert spread_of(stored(LEAST_ANSWERS - 1)) is None
    assert spread_of([replace(one, kind=PairKind.NOISE) for one in stored(200)]) is None
