"""Counts over all steps of a workload."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from glidepath.feedback import Feedback, FeedbackMatch
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.pair_scores import AnswerFacts, Correctness, Preference, ScoredPair
from glidepath.pairs import Ending, PairKind
from glidepath.sides import Origin, Side
from scorer.steering.candidate_activity import CandidateActivity
from scorer.steering.workload.lifetime_counts import MOST_LANGUAGES, Totals


def flush(*sides: SideOutcomes) -> Outcomes:
    return Outcomes("chat", "x", 1, 1_000, 2_000, sides)


def test_the_kinds_of_errors_add_up_by_side_and_origin() -> None:
    live = SideOutcomes(Side.CANDIDATE, Origin.LIVE, 9, 3, {"error_event": 2, "http_503": 1})
    copies = SideOutcomes(Side.CANDIDATE, Origin.SHADOW, 9, 1, {"error_event": 1})
    good = SideOutcomes(Side.BASELINE, Origin.LIVE, 9)
    totals = Totals().with_flush(flush(live, good), 0, 0).with_flush(flush(live, copies), 0, 0)
    assert totals.error_kinds == {
        "candidate live error_event": 4,
        "candidate live http_503": 2,
        "candidate shadow error_event": 1,
    }
    assert Totals.from_json(totals.to_json()) == totals


def test_a_flush_of_copies_without_errors_changes_nothing() -> None:
    totals = Totals()
    assert totals.with_flush(flush(SideOutcomes(Side.BASELINE, Origin.SHADOW, 9, checked=9)), 0, 0) is totals


def pair(**changes: Any) -> ScoredPair:
    return replace(ScoredPair("p", "chat", PairKind.CROSS, 1, 1, scored=True), **changes)


def test_what_the_evaluator_and_the_verifier_said_or_why_they_said_nothing_adds_up() -> None:
    totals = Totals()
    for one in (
        pair(preference=Preference.WIN, correctness=Correctness(1, 0)),
        pair(unjudged="budget", unverified="timeout"),
        pair(preference=Preference.INCONSISTENT),
        pair(preference=Preference.TIE, unjudged="equal"),
        pair(unverified="timeout"),
        pair(),
        pair(scored=False, unscored_reason="cut"),
    ):
        totals = totals.with_pair(one)
    assert totals.instruments == {
        "evaluator judged": 1,
        "evaluator budget": 1,
        "evaluator inconsistent": 1,
        "evaluator equal": 1,
        "verifier verified": 1,
        "verifier timeout": 2,
    }
    flushed = totals.with_flush(flush(SideOutcomes(Side.CANDIDATE, Origin.LIVE, 9, 3, {"http_503": 3})), 0, 0)
    assert flushed.instruments == totals.instruments
    assert Totals.from_json(flushed.to_json()) == flushed


def test_feedback_adds_up_by_what_became_of_it() -> None:
    totals = Totals()
    for match in (FeedbackMatch.CANDIDATE, FeedbackMatch.UNKNOWN, FeedbackMatch.CANDIDATE):
        totals = totals.with_feedback(Feedback(match, 0.5))
    assert totals.feedback == {"candidate": 2, "unknown": 1}


def test_clients_requests_and_their_checked_answers_add_up_by_side() -> None:
    candidate = SideOutcomes(Side.CANDIDATE, Origin.LIVE, 9, checked=4)
    copies = SideOutcomes(Side.CANDIDATE, Origin.SHADOW, 50, checked=50)
    totals = Totals().with_flush(flush(candidate, copies), 0, 0).with_flush(flush(candidate), 0, 0)
    assert totals.live_answers == {"candidate requests": 18, "candidate checked": 8, "candidate copies": 50}


def test_the_languages_of_scored_pairs_are_counted_and_their_number_is_bounded() -> None:
    totals = Totals()
    for language in ("de", "en", "de", ""):
        totals = totals.with_pair(pair(language=language))
    totals = totals.with_pair(pair(language="fr", scored=False, unscored_reason="cut")).with_flush(
        flush(SideOutcomes(Side.CANDIDATE, Origin.LIVE)), 0, 9
    )
    assert totals.languages == {"de": 2, "en": 1}
    for number in range(100):
        totals = totals.with_pair(pair(language=f"x{number}"))
    assert len(totals.languages) == MOST_LANGUAGES + 1
    assert totals.languages["other"] == 100 - (MOST_LANGUAGES - 2)
    assert sum(totals.languages.values()) == 103
    assert Totals.from_json(totals.to_json()) == totals


def test_scored_noise_pairs_and_probes_are_counted_apart() -> None:
    cross = ScoredPair("a", "chat", PairKind.CROSS, 1, 2, scored=True)
    noise = replace(cross, kind=PairKind.NOISE)
    probe = replace(cross, baseline=replace(cross.baseline, origin=Origin.PROBE))
    totals = Totals()
    for pair in (cross, noise, noise, probe, replace(noise, scored=False, unscored_reason="too_long")):
        totals = totals.with_pair(pair)
    assert (totals.pairs_scored, totals.pairs_apart) == (4, {"noise": 2, "probe": 1})
    assert Totals.from_json(totals.to_json()) == totals


@pytest.mark.parametrize(
    ("live", "copy", "counted"),
    [
        (AnswerFacts(status=200), AnswerFacts(status=200), {"cut": 1}),
        (AnswerFacts(status=200), AnswerFacts(status=404), {"cut": 1}),
        (AnswerFacts(status=200), AnswerFacts(status=503), {}),
        (AnswerFacts(status=200), AnswerFacts(status=200, ending=Ending.TIMEOUT), {}),
        (AnswerFacts(status=400), AnswerFacts(status=200), {}),
    ],
)
def test_pairs_whose_exchange_coverage_has_counted_are_not_counted_again(live, copy, counted) -> None:
    pair = ScoredPair("a", "chat", PairKind.CROSS, 1, 2, False, "cut", baseline=live, candidate=copy)
    assert Totals().with_pair(pair).pairs_unscored == counted
    probe = replace(pair, baseline=replace(live, origin=Origin.PROBE))
    assert Totals().with_pair(probe).pairs_unscored == {"cut": 1}


def test_contract_signals_are_counted_by_part_in_pairs_of_both_sides_also_of_failed_copies() -> None:
    totals = Totals()
    failed = replace(pair(), scored=False, candidate=AnswerFacts(status=503), unscored_reason="candidate_status")
    assert failed.uncompared
    for one in (
        pair(signals={"contract_model": 1.0, "contract_usage": 0.0, "numbers": 1.0}),
        pair(signals={"contract_model": 1.0}),
        pair(signals={"contract_model": 1.0}, kind=PairKind.NOISE),
        replace(failed, signals={"contract_error": 1.0}),
        failed,
    ):
        totals = totals.with_pair(one)
    assert totals.contract == {
        "contract_model compared": 2,
        "contract_model different": 2,
        "contract_usage compared": 1,
        "contract_error compared": 1,
        "contract_error different": 1,
    }
    flushed = totals.with_flush(flush(SideOutcomes(Side.CANDIDATE, Origin.LIVE, 9, 3, {"http_503": 3})), 0, 0)
    assert Totals.from_json(flushed.to_json()).contract == totals.contract


def test_any_request_at_the_candidate_ends_its_idle_time() -> None:
    totals = Totals()
    for at_ms, origin in ((1_000, Origin.LIVE), (5_000, Origin.SHADOW), (15_000, Origin.PROBE)):
        busy = replace(flush(SideOutcomes(Side.CANDIDATE, origin, 1)), to_ms=at_ms)
        totals = totals.with_flush(busy, 0, 0, idle_ms=10_000)
    assert totals.activity == CandidateActivity(since_ms=15_000, last_ms=15_000)
    other = replace(flush(SideOutcomes(Side.BASELINE, Origin.LIVE, 1)), to_ms=90_000)
    assert totals.with_flush(other, 0, 0, idle_ms=10_000).activity == totals.activity


def test_the_counts_of_an_older_scorer_can_be_read() -> None:
    stored = Totals(pairs_scored=3).to_json()
    for name in ("contract", "busy_since_ms", "busy_ms"):
        del stored[name]
    assert Totals.from_json(stored) == Totals(pairs_scored=3)
