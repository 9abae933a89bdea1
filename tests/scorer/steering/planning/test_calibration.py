"""Proposed thresholds and their reasons."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from glidepath.config import parse_config
from glidepath.pair_scores import AnswerFacts, ScoredPair
from glidepath.pairs import PairKind
from scorer.steering.planning.calibration import History, fragment, mean_interval, propose
from tests.support.chat_config import CHAT_CONFIG
from tests.support.evidence_builders import pair, workload_of


def history(noise: float = 0.95, n: int = 400, *, drift: float = 1.0, hours: float = 24) -> History:
    rng = np.random.default_rng(1)
    return History(
        agreements=np.clip(rng.normal(0.9, 0.08, n), 0, 1).tolist(),
        noises=np.clip(rng.normal(noise, 0.05, n), 0, 1).tolist(),
        latencies=(100 * rng.lognormal(0, 0.4, n * 10) * np.where(np.arange(n * 10) < n * 5, 1, drift)).tolist(),
        span_s=hours * 3600,
    )


def test_the_limit_of_free_text_is_only_relative_to_the_noise_floor() -> None:
    proposal = propose(workload_of(), history())[0]
    assert (proposal.key, yaml.safe_load(proposal.value)) == ("sameness", {"margin": 0.02})


def test_the_limit_of_a_determined_task_lies_a_margin_below_the_noise_floor() -> None:
    proposal = propose(workload_of("    task: extraction\n"), history())[0]
    values = yaml.safe_load(proposal.value)
    assert proposal.key == "sameness"
    assert 0.90 <= values["min_agreement"] <= 0.93
    assert values["margin"] == 0.02
    assert any(r.startswith("noise floor 0.9") for r in proposal.reasons)


def test_a_candidate_below_the_proposed_limit_is_named() -> None:
    reasons = " ".join(propose(workload_of(), history(noise=0.99))[0].reasons)
    assert "the gate will not pass" in reasons


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_an_interval_contains_the_mean_whatever_the_order(scores: list[float]) -> None:
    low, high = mean_interval(scores)
    assert 0 <= low <= float(np.mean(scores)) + 1e-12
    assert float(np.mean(scores)) - 1e-12 <= high <= 1
    assert mean_interval(scores[::-1]) == pytest.approx((low, high))


def test_the_interval_of_scores_that_rose_contains_their_mean() -> None:
    """A better candidate replaced the first one. In a confidence sequence, the last scores weigh more."""
    low, high = mean_interval([0.7] * 500 + [0.97] * 8000)
    assert low < (0.7 * 500 + 0.97 * 8000) / 8500 < high
    assert high - low < 0.01


def test_the_interval_covers_the_true_mean_in_nearly_all_samples() -> None:
    rng = np.random.default_rng(4)
    intervals = [mean_interval(rng.beta(8, 2, 200).tolist()) for _ in range(200)]
    assert sum(not low <= 0.8 <= high for low, high in intervals) <= 10


def test_the_quantile_follows_the_volume() -> None:
    busy = History(agreements=[0.9] * 1000, latencies=[100.0] * 100, span_s=60)
    idle = History(agreements=[0.9] * 1000, latencies=[100.0] * 100, span_s=30 * 86400)
    found = [yaml.safe_load(propose(workload_of(), h)[-1].value)["quantile"] for h in (busy, idle)]
    assert found == ["p99", "p50"]


def test_the_proposed_ratio_is_above_the_baselines_own_variation() -> None:
    steady, moving = (
        yaml.safe_load(propose(workload_of(), history(drift=d))[-1].value)["max_ratio"] for d in (1.0, 1.7)
    )
    assert steady <= 1.3
    assert moving > 1.5


def test_a_proposal_from_few_pairs_is_called_a_guess() -> None:
    assert "a guess" in " ".join(propose(workload_of(), History(agreements=[0.9] * 5))[0].reasons)


def test_without_pairs_nothing_is_proposed() -> None:
    assert propose(workload_of(), History()) == ()


def test_the_fragment_is_valid_configuration() -> None:
    found = yaml.safe_load(fragment("chat", propose(workload_of(), history())))
    base = yaml.safe_load(CHAT_CONFIG)
    base["workloads"]["chat"]["gates"] = found["workloads"]["chat"]["gates"]
    assert parse_config(yaml.safe_dump(base)).workload("chat").gates.sameness is not None


def test_scored_pairs_become_a_history_in_the_order_of_their_capture() -> None:
    def with_latency(at_ms: int, ms: float) -> ScoredPair:
        cross = pair(0.9, at_ms)
        fields = {f: getattr(cross, f) for f in ScoredPair.__slots__ if f != "baseline"}
        return ScoredPair(**fields, baseline=AnswerFacts(total_ms=ms))

    found = History.of([with_latency(9000, 2.0), with_latency(1000, 1.0), pair(0.8, 5000, kind=PairKind.NOISE)])
    assert (found.latencies, found.noises, len(found.agreements), found.span_s) == ([1.0, 2.0], [0.8], 2, 8.0)
