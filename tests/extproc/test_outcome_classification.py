"""Classification of access log entries, with every flag that Envoy can set."""

from __future__ import annotations

from dataclasses import replace

import pytest
from envoy.config.core.v3.base_pb2 import RequestMethod
from envoy.data.accesslog.v3.accesslog_pb2 import ResponseFlags
from hypothesis import given
from hypothesis import strategies as st

from extproc.outcome_classification import MAX_UNIX_MS, LocalReply, RequestOutcome, classify
from extproc.response_flags import FLAGS, Flag, Owner
from glidepath import envoy_names
from glidepath.outcome_summaries import AtFault
from glidepath.sides import Origin, Side
from tests.support.access_log_entries import (
    CLIENT_FLAGS,
    FALLBACK,
    WORKLOADS,
    entry,
    flags_of,
    live,
    local,
    set_flag,
    shadow,
)

FIELDS = [flag for flag in FLAGS if flag.field and flag.kind != "client_abort"]


def test_a_good_request_has_its_latency_to_the_last_byte_and_its_first_byte() -> None:
    times = {"latency_ms": 108.0, "ttft_ms": 28.0, "headers_ms": 28.0, "duration_ms": 120}
    made = entry()
    made.response.response_headers["content-type"] = "text/event-stream"
    expected = RequestOutcome("chat", Side.CANDIDATE, Origin.LIVE, 1_000_120, **times)
    assert classify(made, WORKLOADS, shadow=False) == expected
    assert live() == replace(expected, ttft_ms=None)  # an answer that is not streamed has no first token


@pytest.mark.parametrize("flag", flags_of(Owner.SIDE), ids=lambda flag: flag.short)
def test_a_flag_of_the_side_is_the_error_of_the_side_that_the_split_chose(flag: Flag) -> None:
    for cluster, workload, side in (("cloud", "chat", Side.BASELINE), ("spare", "plain", Side.CANDIDATE)):
        for status in (503, 200):  # 200: the answer broke after a good status
            made = set_flag(entry(cluster, status, workload=workload, tries=0), flag)
            outcome = classify(made, WORKLOADS, shadow=False)
            assert isinstance(outcome, RequestOutcome)
            assert (outcome.side, outcome.error, outcome.latency_ms) == (side, flag.kind, None)


@pytest.mark.parametrize("flag", CLIENT_FLAGS)
def test_a_client_abort_is_no_error(flag: str) -> None:
    outcome = live("onprem", 200, flag, details="downstream_remote_disconnect")
    assert (outcome.client_abort, outcome.error, outcome.latency_ms) == (True, "", None)
    assert live("onprem", 0, flag).client_abort


@pytest.mark.parametrize("flag", CLIENT_FLAGS)
def test_a_client_that_left_after_a_part_of_an_answer_may_have_got_the_whole(flag: str) -> None:
    for ended, latency_ms in ((True, 108.0), (False, 118.0)):  # to the end of the answer, else until the client left
        outcome = live("onprem", 200, flag, ended=ended, body_bytes=9)
        assert (outcome.client_abort, outcome.aborted_ms, outcome.latency_ms) == (True, None, None)
        answered = outcome.if_complete
        assert answered is not None
        assert (answered.client_abort, answered.error, answered.untimed) == (False, "", False)
        assert (answered.latency_ms, answered.headers_ms, answered.duration_ms) == (latency_ms, 28.0, 120)


@pytest.mark.parametrize("flag", CLIENT_FLAGS)
def test_an_error_a_refusal_and_a_page_are_no_whole_answer_to_a_client_that_left(flag: str) -> None:
    page = entry("onprem", 200, flag, body_bytes=9)
    page.response.response_headers["content-type"] = "text/html"
    page.request.request_method = RequestMethod.POST
    statuses = [entry("onprem", status, flag, body_bytes=9) for status in (0, 400, 404, 429, 500)]
    for one in (entry("onprem", 200, flag), page, *statuses):
        outcome = classify(one, WORKLOADS, shadow=False)
        assert isinstance(outcome, RequestOutcome)
        assert (outcome.client_abort, outcome.if_complete) == (True, None)
    assert shadow("onprem", 200, flag, body_bytes=9).if_complete is None


@pytest.mark.parametrize("flag", CLIENT_FLAGS)
def test_a_client_abort_after_an_upstream_failure_does_not_hide_the_failure(flag: str) -> None:
    assert live("onprem", 200, flag, "upstream_connection_termination").error == "upstream_died"


@pytest.mark.parametrize("flag", flags_of(Owner.CLIENT, Owner.ENVOY), ids=lambda flag: flag.short)
@pytest.mark.parametrize(("cluster", "side"), [("cloud", Side.BASELINE), ("onprem", Side.CANDIDATE)])
def test_an_answer_of_envoy_itself_is_no_outcome_of_a_side(flag: Flag, cluster: str, side: Side) -> None:
    for status in (429, 503):
        reply = local(set_flag(entry(cluster, status, tries=0), flag))
        # A filter that refuses with a 5xx could not ask its own service.
        envoys = flag.owner is Owner.ENVOY or status == 503
        assert (reply.side, reply.kind) == (side, flag.kind)
        assert reply.at_fault is (AtFault.ENVOY if envoys else AtFault.CLIENT)


def test_an_answer_from_a_cache_is_no_fault_and_no_latency_of_a_side() -> None:
    made = set_flag(entry("cloud", 200, tries=0), next(flag for flag in FLAGS if flag.short == "RFCF"))
    assert (local(made).at_fault, local(made).kind) == (AtFault.NONE, "cache")


@pytest.mark.parametrize("short", ["DI", "URX"])
def test_a_flag_that_shows_no_failure_changes_nothing(short: str) -> None:
    flag = next(flag for flag in FLAGS if flag.short == short)
    assert classify(set_flag(entry(), flag), WORKLOADS, shadow=False) == live()


@pytest.mark.parametrize(
    ("status", "details", "fault", "kind"),
    [
        (500, "lua_error", AtFault.ENVOY, "lua_error"),
        (403, "rbac_access_denied_matched_policy[a b]", AtFault.CLIENT, "rbac_access_denied_matched_policy"),
        (200, "lua_response", AtFault.NONE, "lua_response"),
        (503, "\u2028 a user's own text", AtFault.ENVOY, "filter"),
    ],
)
def test_an_answer_of_a_filter_is_counted_under_its_details(
    status: int, details: str, fault: AtFault, kind: str
) -> None:
    reply = local(entry("onprem", status, details=details, tries=0))
    assert (reply.side, reply.at_fault, reply.kind) == (Side.CANDIDATE, fault, kind)


@pytest.mark.parametrize(("flags", "details"), [(("stream_idle_timeout",), "x"), ((), "request_overall_timeout")])
def test_an_upload_that_took_too_long_is_the_clients_fault(flags: tuple[str, ...], details: str) -> None:
    reply = local(entry("onprem", 408, *flags, details=details))
    assert (reply.at_fault, reply.kind) == (AtFault.CLIENT, "slow_upload")


def test_a_backends_408_is_the_clients_fault_if_it_came_before_the_end_of_the_request() -> None:
    reply = local(entry("onprem", 408, first_byte_ms=1))
    assert (reply.at_fault, reply.kind) == (AtFault.CLIENT, "slow_upload")


def test_silence_after_the_whole_answer_is_no_error_of_the_side_as_the_client_did_not_read() -> None:
    assert live("onprem", 200, "stream_idle_timeout", ended=False).error == "timeout"
    outcome = live("onprem", 200, "stream_idle_timeout")
    assert (outcome.error, outcome.latency_ms) == ("", 108.0)


def test_a_reset_during_the_answer_is_recognised_by_its_details_without_a_flag() -> None:
    details = "upstream_reset_after_response_started{connection_termination}"
    assert live("onprem", 200, details=details).error == "upstream_died"


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
def test_a_5xx_is_an_error_of_its_own_kind(status: int) -> None:
    assert live("cloud", status).error == f"http_{status}"


@pytest.mark.parametrize(("status", "kind"), [(408, "http_408"), (429, "rate_limited"), (0, "no_response")])
def test_statuses_of_an_overloaded_backend_are_errors(status: int, kind: str) -> None:
    assert live("onprem", status).error == kind


def test_a_429_to_a_copy_is_no_error_of_the_side() -> None:
    route = envoy_names.shadow_route_name("chat", "onprem")
    reply = classify(entry("onprem", 429, route=route, workload=""), WORKLOADS, shadow=True)
    assert isinstance(reply, LocalReply)
    assert (reply.side, reply.origin) == (Side.CANDIDATE, Origin.SHADOW)
    assert (reply.at_fault, reply.kind) == (AtFault.NONE, "copy_rate_limited")
    assert shadow("onprem", 429, origin="probe").error == "rate_limited"


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_other_4xx_are_requests_without_error_and_without_latency(status: int) -> None:
    outcome = live("onprem", status)
    assert (outcome.error, outcome.latency_ms, outcome.ttft_ms, outcome.client_abort) == ("", None, None, False)


@pytest.mark.parametrize(("status", "expected"), [(200, False), (400, False), (403, False), (404, True), (500, False)])
def test_a_404_of_a_side_is_marked(status: int, expected: bool) -> None:
    assert live("onprem", status).not_found is expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [(200, False), (307, False), (400, True), (404, True), (422, True), (429, False), (503, False)],
)
def test_a_4xx_that_is_no_error_of_a_side_counts_as_refused(status: int, expected: bool) -> None:
    assert live("cloud", status).refused is expected


@pytest.mark.parametrize("status", [401, 403])
def test_a_401_or_403_is_an_error_if_the_backend_never_gets_the_clients_credential(status: int) -> None:
    assert live("onprem", status).error == f"http_{status}"  # the candidate never gets the client's own credential
    assert live("cloud", status).error == ""
    assert live("spare", status, workload="plain").error == ""  # passthrough


def test_a_copy_that_reached_the_tees_timeout_is_an_error_and_a_copy_that_ended_earlier_is_not() -> None:
    left = "downstream_connection_termination"
    assert shadow("onprem", 0, left, duration_ms=1999, ended=False).error == "tee_timeout"
    assert shadow("onprem", 0, left, duration_ms=400, ended=False).client_abort
    assert live("onprem", 0, left, duration_ms=1999, ended=False).client_abort


def test_a_copy_that_the_tee_did_not_read_in_time_although_it_was_answered_is_no_error_of_the_side() -> None:
    assert shadow("onprem", 200, "downstream_connection_termination", duration_ms=1999).client_abort


def test_a_request_that_could_not_be_timed_counts_without_a_latency_and_says_so() -> None:
    early = live(first_byte_ms=1, last_byte_ms=1)
    assert (early.error, early.latency_ms, early.ttft_ms, early.untimed) == ("", None, None, True)
    assert not live().untimed
    assert not live("onprem", 404).untimed
    assert not live("onprem", 503).untimed


@given(st.binary(max_size=300), st.booleans())
def test_random_entries_are_classified_or_ignored(garbage: bytes, of_shadow: bool) -> None:
    made = entry()
    try:
        made.MergeFromString(garbage)
    except Exception:
        return
    outcome = classify(made, WORKLOADS, of_shadow)
    assert outcome is None or outcome.workload in WORKLOADS


@given(
    st.sampled_from(["cloud", "onprem", "", "elsewhere"]),
    st.sampled_from(["cloud", FALLBACK, "elsewhere"]),
    st.integers(0, 2**32 - 1),
    st.sets(st.sampled_from([f.name for f in ResponseFlags.DESCRIPTOR.fields if f.name != "unauthorized_details"])),
    st.booleans(),
    st.integers(0, 3),
)
def test_no_entry_is_both_an_error_and_a_client_abort(
    cluster: str, chosen: str, status: int, flags: set[str], tee: bool, tries: int
) -> None:
    outcome = classify(entry(cluster, status, *flags, chosen=chosen, tries=tries), WORKLOADS, tee)
    assert outcome is not None or tee or flags & set(CLIENT_FLAGS)  # every answer counts
    if isinstance(outcome, LocalReply):
        assert outcome.side in (None, Side.BASELINE, Side.CANDIDATE)
    elif outcome is not None:
        assert not (outcome.error and outcome.client_abort)
        assert outcome.latency_ms is None or (not outcome.error and not outcome.client_abort)
        assert outcome.rescued is None or outcome.failover
        assert not outcome.failover or (outcome.error in ("failover", "capability") and outcome.side is Side.CANDIDATE)


TIME_FIELDS = (
    "start_time",
    "duration",
    "time_to_last_rx_byte",
    "time_to_first_upstream_rx_byte",
    "time_to_last_upstream_rx_byte",
)


@given(st.sampled_from(TIME_FIELDS), st.integers(-(2**63), 2**63 - 1), st.integers(-(2**31), 2**31 - 1))
def test_a_time_out_of_range_is_read_as_a_time_in_range(field: str, seconds: int, nanos: int) -> None:
    one = entry()
    time = getattr(one.common_properties, field)
    time.seconds, time.nanos = seconds, nanos
    outcome = classify(one, WORKLOADS, shadow=False)
    assert outcome is not None
    assert 0 <= outcome.at_ms <= MAX_UNIX_MS
    assert all(ms is None or ms >= 0 for ms in (outcome.latency_ms, outcome.ttft_ms))
