"""The time to the first token of copies, where the baseline keeps the prefixes of prompts that clients just sent."""

from __future__ import annotations

import numpy as np
import pytest

from bench import paired_cases
from bench.paired_cases import PrefixCache
from bench.simulated_runs import AT, upper_limit
from scorer.steering.evidence.gate_observations import CopiesCompared, CopyAnswer
from scorer.steering.evidence.gate_specs import GateKind, GateSpec
from scorer.steering.evidence.latency_samples import LatencySignal
from scorer.steering.evidence.paired_evidence import PairedLatency
from tests.support.evidence_builders import through_json


def evidence() -> PairedLatency:
    spec = GateSpec("ttft_p95", GateKind.LATENCY, 1.2, "ratio", AT, AT, signal="ttft")
    return PairedLatency(spec, 0.95, LatencySignal())


def feed(pairs: PairedLatency, cache: PrefixCache, n: int, *, seed: int, known_from: int = 0) -> None:
    """Add ``n`` pairs. Pairs from index ``known_from`` also have the time to the client's first token."""
    for i, (own, copy, client) in enumerate(cache.draw(np.random.default_rng(seed), n).T.tolist()):
        answers = (CopyAnswer(False, False, {"ttft": ms}) for ms in (own, copy))
        pairs.add(CopiesCompared(*answers, as_first={"ttft": client} if i >= known_from else {}))
    pairs.look(everything=True)


def test_an_equal_candidate_passes_although_the_baselines_copies_begin_three_times_as_early() -> None:
    pairs = evidence()
    feed(pairs, PrefixCache(1.0), 1500, seed=1)
    assert pairs.log_fail < 0.5 * AT
    assert pairs.log_pass >= AT
    assert pairs.value == pytest.approx(1.0, abs=0.15)
    assert "with the baseline's first token as late as its clients got it" in pairs.message()


def test_a_candidate_that_is_half_as_slow_again_still_fails() -> None:
    pairs = evidence()
    feed(pairs, PrefixCache(1.5), 1500, seed=2)
    assert pairs.log_fail >= AT
    assert pairs.value == pytest.approx(1.5, abs=0.25)


def test_where_copies_are_slower_than_clients_requests_the_copies_are_compared() -> None:
    pairs = evidence()
    feed(pairs, PrefixCache(1.0, faster=1.0, copies_slower=1.5), 1500, seed=3)
    assert pairs.log_fail < 0.5 * AT
    assert pairs.value == pytest.approx(1.0, abs=0.15)
    assert "as late as its clients" not in pairs.message()


def test_pairs_from_before_the_first_known_token_count_as_they_were() -> None:
    late, copies = evidence(), evidence()
    feed(late, PrefixCache(1.0, faster=1.0), 300, seed=4, known_from=300)
    feed(copies, PrefixCache(1.0, faster=1.0, asked=False), 300, seed=4, known_from=300)
    assert late.state == copies.state
    feed(late, PrefixCache(1.0), 50, seed=5)
    assert late.n == 350
    assert late._as_first is not None
    assert late._as_first.n == 350


def test_both_comparisons_can_be_stored_and_continue_alike() -> None:
    pairs, twin = evidence(), evidence()
    feed(pairs, PrefixCache(1.1), 200, seed=6)
    twin.restore(through_json(pairs.state))
    for one in (pairs, twin):
        feed(one, PrefixCache(1.1), 200, seed=7)
    assert twin.state == pairs.state
    assert twin.message() == pairs.message()


@pytest.mark.slow
def test_at_the_limit_false_decisions_stay_below_alpha() -> None:
    for cache in (PrefixCache(1.2), PrefixCache(1.2 / 1.1, copies_slower=1.1)):
        found = paired_cases.first_token(40, 8, cache, n=300)
        assert max(found.fail_rate, found.pass_rate) <= upper_limit(40)
