"""Both sides' copies of one request are joined, and failed copies count as failures."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.pair_scores import AnswerFacts, ScoredPair
from glidepath.pairs import Ending, PairKind
from glidepath.sides import Origin
from scorer.steering.evidence.gate_observations import CopiesCompared, CopyAnswer, PairRef
from scorer.steering.evidence.paired_copies import MOST_WAITING, CopyMatcher, copy_ended
from tests.support.evidence_builders import through_json

FINE = AnswerFacts(
    Origin.SHADOW, status=200, first_byte_ms=50.0, total_ms=400.0, output_tokens=40, text_chars=200, streamed=True
)
LATE = AnswerFacts(Origin.SHADOW, status=0, total_ms=60_000.0, ending=Ending.TIMEOUT)


def pairs(
    request: str,
    candidate: AnswerFacts = FINE,
    baseline: AnswerFacts = FINE,
    live: AnswerFacts = AnswerFacts(Origin.LIVE, status=200),  # noqa: B008 - frozen
) -> list[ScoredPair]:
    """Return the cross pair and the noise pair of a request, given the answers to its two copies and to the client."""
    cross = ScoredPair(
        request, "chat", PairKind.CROSS, 5, 6, True, baseline=live, candidate=candidate, both_copied=True, entry="1-0"
    )
    return [cross, replace(cross, pair_id=f"{request}~noise", kind=PairKind.NOISE, candidate=baseline)]


def joined(
    candidate: AnswerFacts = FINE,
    baseline: AnswerFacts = FINE,
    live: AnswerFacts = AnswerFacts(Origin.LIVE, status=200),  # noqa: B008 - frozen
) -> CopiesCompared | None:
    matcher = CopyMatcher()
    found = [matcher.add(pair) for pair in pairs("a", candidate, baseline, live)]
    assert found[0] is None
    return found[1]


def failures(candidate: AnswerFacts, baseline: AnswerFacts = FINE) -> tuple[bool, bool]:
    copies = joined(candidate, baseline)
    assert copies is not None
    return copies.candidate.failed, copies.baseline.failed


def test_the_two_pairs_of_a_request_are_joined_in_any_order_and_among_others() -> None:
    slow = replace(FINE, total_ms=800.0)
    expected = CopiesCompared(
        CopyAnswer(False, False, {"total": 800.0, "ttft": 50.0, "per_token": 20.0}),
        CopyAnswer(False, False, {"total": 400.0, "ttft": 50.0, "per_token": 10.0}),
        PairRef("a", "1-0", 5),
    )
    for order in (1, -1):
        matcher = CopyMatcher()
        both = pairs("a", candidate=slow)[::order]
        assert matcher.add(both[0]) is None
        assert matcher.add(pairs("b")[0]) is None
        assert matcher.add(both[1]) == expected
        assert matcher.add(both[1]) is None  # it waits for another one


def test_the_clients_own_first_token_shows_the_time_of_a_first_copy_to_the_baseline() -> None:
    answers = AnswerFacts(Origin.LIVE, status=200, first_byte_ms=150.0, total_ms=900.0, streamed=True)
    found = joined(live=answers)
    assert found is not None
    assert found.baseline.ms == {"total": 400.0, "ttft": 50.0, "per_token": 10.0}
    assert found.as_first == pytest.approx({"total": 500.0, "ttft": 150.0, "per_token": 12.5})


@pytest.mark.parametrize(
    "live",
    [
        AnswerFacts(Origin.LIVE, status=200, first_byte_ms=150.0, total_ms=900.0),  # not streamed
        AnswerFacts(Origin.LIVE, status=503, first_byte_ms=150.0, total_ms=900.0, streamed=True),
        AnswerFacts(Origin.PROBE, status=200, first_byte_ms=150.0, total_ms=900.0, streamed=True),
    ],
)
def test_without_the_clients_first_token_the_copy_counts_as_it_was(live: AnswerFacts) -> None:
    found = joined(live=live)
    assert found is not None
    assert found.as_first == {}


@pytest.mark.parametrize("baseline", [replace(FINE, streamed=False), LATE])
def test_a_copy_without_a_first_token_counts_as_it_was(baseline: AnswerFacts) -> None:
    live = AnswerFacts(Origin.LIVE, status=200, first_byte_ms=150.0, total_ms=900.0, streamed=True)
    found = joined(baseline=baseline, live=live)
    assert found is not None
    assert found.as_first == {}


def test_a_request_with_one_copy_is_not_waited_for() -> None:
    matcher = CopyMatcher()
    assert matcher.add(replace(pairs("a")[0], both_copied=False)) is None
    assert matcher.state == [{}]


@pytest.mark.parametrize(
    "answer",
    [
        replace(FINE, status=500),
        replace(FINE, status=429),
        replace(FINE, status=0, ending=Ending.ABORTED),
        replace(FINE, ending=Ending.ABORTED),
        replace(FINE, faults=("error_body",)),
        replace(FINE, status=404),
    ],
    ids=["500", "429", "no answer", "broken off", "an error with a status of success", "refused by one side"],
)
def test_an_answer_that_a_client_would_see_as_an_error_is_a_failure_without_a_latency(answer: AnswerFacts) -> None:
    assert failures(answer) == (True, False)
    assert failures(FINE, answer) == (False, True)
    copies = joined(answer)
    assert copies is not None
    assert copies.candidate.ms == {}


def test_a_request_that_both_sides_refuse_is_no_failure() -> None:
    refused = replace(FINE, status=400)
    assert failures(refused, refused) == (False, False)
    assert failures(refused, replace(FINE, status=503)) == (False, True)


def test_a_defect_is_no_failure() -> None:
    assert failures(replace(FINE, faults=("refusal",))) == (False, False)


def test_a_copy_that_was_given_up_fails_if_the_other_side_answered_far_sooner() -> None:
    slow, slower = replace(FINE, total_ms=14_000.0), replace(FINE, total_ms=16_000.0)
    assert failures(LATE, slow) == (True, False)
    assert failures(slow, LATE) == (False, True)
    assert failures(LATE, slower) == (False, False)
    assert failures(LATE, LATE) == (False, False)
    assert failures(LATE, replace(FINE, status=503)) == (False, True)
    assert failures(LATE, replace(FINE, status=400)) == (False, False)


def test_a_copy_that_was_given_up_has_least_latencies() -> None:
    copies = joined(LATE)
    assert copies is not None
    assert copies.candidate == CopyAnswer(True, True, {"total": 60_000.0, "ttft": 60_000.0})
    begun = joined(replace(LATE, status=200, first_byte_ms=70.0, streamed=True))
    assert begun is not None
    assert begun.candidate.ms == {"total": 60_000.0, "ttft": 70.0}


def test_an_answer_that_is_not_streamed_has_no_first_token() -> None:
    whole = replace(FINE, streamed=False)
    for candidate in (whole, LATE):
        copies = joined(candidate, whole)
        assert copies is not None
        assert "ttft" not in {*copies.candidate.ms, *copies.baseline.ms}


def test_without_a_count_of_tokens_both_answers_are_counted_by_their_characters() -> None:
    copies = joined(replace(FINE, output_tokens=0))
    assert copies is not None
    assert (copies.candidate.ms["per_token"], copies.baseline.ms["per_token"]) == (8.0, 8.0)


def test_a_copy_that_could_not_be_sent_is_no_observation() -> None:
    assert joined(FINE, replace(FINE, status=0, ending=Ending.REFUSED)) is None


def test_the_number_of_waiting_copies_is_bounded() -> None:
    matcher = CopyMatcher()
    for n in range(2 * MOST_WAITING):
        matcher.add(pairs(f"id-{n}")[n % 2])
    assert len(matcher.state[0]) == MOST_WAITING
    assert matcher.add(pairs("id-0")[1]) is None  # the oldest was dropped
    assert matcher.add(pairs(f"id-{2 * MOST_WAITING - 1}")[0]) is not None


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 1)), max_size=30))
def test_the_waiting_copies_continue_from_their_stored_form(events: list[tuple[int, int]]) -> None:
    whole, parts = CopyMatcher(), CopyMatcher()
    for number, which in events:
        pair = pairs(f"id-{number}")[which]
        assert whole.add(pair) == parts.add(pair)
        stored = through_json(parts.state)
        parts = CopyMatcher()
        parts.restore(stored)


@pytest.mark.parametrize(
    ("live", "copy", "failed"),
    [
        (FINE, FINE, False),
        (FINE, replace(FINE, status=503), True),
        (FINE, replace(FINE, status=404), True),
        (FINE, replace(FINE, faults=("empty_body",)), True),
        (FINE, replace(FINE, ending=Ending.ABORTED), True),
        (FINE, LATE, True),
        (replace(FINE, total_ms=16_000.0), LATE, None),
        (replace(FINE, total_ms=0.0), LATE, None),
        (FINE, replace(FINE, status=0, ending=Ending.REFUSED), None),
        (replace(FINE, status=503), replace(FINE, status=503), None),
        (replace(FINE, faults=("error_body",)), replace(FINE, status=503), None),
        (replace(FINE, origin=Origin.SHADOW), replace(FINE, origin=Origin.LIVE), None),
    ],
)
def test_a_copy_shows_a_failure_of_the_candidate_only_if_the_baseline_answered(live, copy, failed) -> None:
    live = live if live.origin is Origin.SHADOW and copy.origin is Origin.LIVE else replace(live, origin=Origin.LIVE)
    pair = ScoredPair("a", "chat", PairKind.CROSS, 5, 6, True, baseline=live, candidate=copy)
    ended = copy_ended(pair)
    assert (None if ended is None else ended.failed) == failed
    assert copy_ended(replace(pair, kind=PairKind.NOISE)) is None
