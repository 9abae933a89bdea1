"""Outcomes of requests that failed at the candidate, and that Envoy then sent or could not send to the baseline."""

from __future__ import annotations

import pytest

from glidepath.sides import Side
from tests.support.access_log_entries import (
    DIED,
    FALLBACK,
    LEFT,
    SPENT,
    live,
    refused,
    rescue,
    shadow,
)


def test_a_rescued_request_is_the_candidates_error_although_the_client_got_200() -> None:
    outcome = rescue(200)
    assert (outcome.side, outcome.error, outcome.failover) == (Side.CANDIDATE, "failover", True)
    assert outcome.latency_ms is None


def test_a_first_attempt_at_the_baseline_is_a_failover_too_as_the_candidate_had_no_usable_endpoint() -> None:
    outcome = rescue(200, tries=1)
    assert (outcome.side, outcome.error, outcome.rescued) == (Side.CANDIDATE, "failover", True)


@pytest.mark.parametrize(
    ("status", "flags", "details", "rescued"),
    [
        (200, (), "via_upstream", True),
        (200, (SPENT,), "via_upstream", True),  # the candidate exceeded its timeout
        (400, (), "via_upstream", True),  # a 400 of the baseline is the client's fault
        (401, (SPENT,), "via_upstream", True),  # the baseline gets the client's own credential
        (503, (SPENT,), "via_upstream", False),
        (429, (SPENT,), "via_upstream", False),
        (408, (), "via_upstream", False),
        (503, ("upstream_connection_failure", SPENT), "upstream_reset_before_response_started{…}", False),
        (503, ("upstream_connection_termination", SPENT), "upstream_reset_before_response_started{…}", False),
        (504, ("stream_idle_timeout", SPENT), "stream_idle_timeout", False),
        (200, ("upstream_protocol_error",), DIED, False),
        (200, (), DIED, False),
        (200, (LEFT, "upstream_protocol_error"), DIED, False),
        (0, (), "", False),
        (0, (LEFT,), "downstream_remote_disconnect", None),
        (0, (LEFT, SPENT), "downstream_remote_disconnect", None),
        (200, (LEFT,), "downstream_remote_disconnect", None),
    ],
)
def test_a_failover_records_whether_the_baseline_answered(
    status: int, flags: tuple[str, ...], details: str, rescued: bool | None
) -> None:
    outcome = rescue(status, *flags, details=details, tries=2)
    assert (outcome.side, outcome.error, outcome.failover) == (Side.CANDIDATE, "failover", True)
    assert outcome.rescued is rescued


@pytest.mark.parametrize(
    ("status", "flags", "details", "own"),
    [
        (500, (), "via_upstream", True),
        (500, (SPENT,), "via_upstream", True),
        (502, (), "via_upstream", True),
        (503, (), "via_upstream", False),  # no capacity
        (504, (), "via_upstream", False),  # no time
        (529, (), "via_upstream", False),
        (429, (), "via_upstream", False),
        (401, (), "via_upstream", False),
        (200, (), "via_upstream", False),
        (500, ("upstream_protocol_error",), DIED, False),
        (504, ("upstream_request_timeout", SPENT), "response_timeout", False),  # the candidate may have spent the time
        (500, (), "upstream_response_timeout", False),
        (500, (LEFT,), "downstream_remote_disconnect", False),
    ],
)
def test_a_request_failed_at_both_sides_if_the_baseline_itself_answered_with_an_error(
    status: int, flags: tuple[str, ...], details: str, own: bool
) -> None:
    assert rescue(status, *flags, details=details, tries=2).failed_at_both is own


@pytest.mark.parametrize(
    ("cluster", "flag", "tries"),
    [
        ("", "upstream_overflow", 2),
        ("onprem", "no_healthy_upstream", 2),  # the baseline has no host
        ("", "no_healthy_upstream", 1),  # neither side has a host: the aggregate cluster skips members without one
    ],
)
def test_a_rescue_stopped_by_a_circuit_breaker_or_missing_hosts_is_a_failed_rescue(
    cluster: str, flag: str, tries: int
) -> None:
    outcome = live(cluster, 503, flag, tries=tries, chosen=FALLBACK)
    assert (outcome.side, outcome.error, outcome.failover) == (Side.CANDIDATE, "failover", True)
    assert outcome.rescued is False


@pytest.mark.parametrize("status", ["301", "307", "308"])
def test_a_redirect_of_the_candidate_that_the_baseline_answered_instead_is_an_error_of_its_own_kind(
    status: str,
) -> None:
    outcome = refused(status)
    assert (outcome.error, outcome.failover, outcome.rescued) == ("redirect", True, True)
    assert refused("-").error == "failover"


@pytest.mark.parametrize("first", ["402", "408", "409", "424", "425"])
def test_a_refusal_that_another_time_might_not_bring_is_no_lack_of_a_capability(first: str) -> None:
    outcome = refused(first)
    assert (outcome.error, outcome.failover, outcome.rescued) == (f"rejected_{first}", True, True)
    both = refused(first, 409)
    assert (both.error, both.failover, both.refused) == ("", False, True)


@pytest.mark.parametrize("first", ["400", "404", "410", "413", "415", "422"])
def test_a_request_that_only_the_baseline_can_answer_is_an_error_of_the_candidates_capability(first: str) -> None:
    outcome = refused(first)
    assert (outcome.error, outcome.failover, outcome.rescued) == ("capability", True, True)
    assert outcome.not_found is (first == "404")


def test_a_request_that_both_sides_refuse_is_the_clients_fault() -> None:
    outcome = refused("400", 422)
    assert (outcome.error, outcome.failover, outcome.latency_ms) == ("", False, None)


def test_a_refusal_that_the_baseline_could_not_answer_either_is_an_error_of_the_candidate() -> None:
    assert (refused("413", 503).error, refused("413", 503).rescued) == ("capability", False)
    left = refused("413", 0, "downstream_connection_termination", details="downstream_remote_disconnect")
    assert (left.error, left.rescued) == ("capability", None)


@pytest.mark.parametrize("first", ["-", "", "429", "401", "nonsense"])
def test_any_other_failure_of_the_candidate_is_a_failover(first: str) -> None:
    assert refused(first).error == "failover"


def test_a_candidates_own_circuit_breaker_is_no_failover() -> None:
    outcome = live("", 503, "upstream_overflow", chosen=FALLBACK)
    assert (outcome.side, outcome.error, outcome.rescued) == (Side.CANDIDATE, "overflow", None)


def test_a_copy_and_a_workload_without_fallback_have_no_rescue() -> None:
    copy = shadow("onprem", 503, "no_healthy_upstream", tries=2)
    assert (copy.error, copy.failover) == ("no_healthy_upstream", False)
    plain = live("spare", 503, "no_healthy_upstream", tries=2, workload="plain")
    assert (plain.side, plain.error, plain.failover) == (Side.CANDIDATE, "no_healthy_upstream", False)


def test_a_candidate_that_answers_on_a_second_attempt_is_no_failover() -> None:
    assert live("onprem", 200, SPENT, tries=2).latency_ms == 108.0
    broken = live("onprem", 200, "upstream_protocol_error", details=DIED, tries=2)
    assert (broken.error, broken.failover, broken.rescued) == ("upstream_died", False, None)


def test_a_baseline_request_that_a_retry_policy_repeats_is_no_failover() -> None:
    outcome = live("cloud", 503, "upstream_overflow", tries=2)
    assert (outcome.side, outcome.error, outcome.failover) == (Side.BASELINE, "overflow", False)


def test_a_request_that_both_sides_refused_counts_as_refused_once() -> None:
    assert refused("400", 422).refused
    assert not refused("400").refused
