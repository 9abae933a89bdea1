"""Classification of access log entries, with every flag that Envoy can set."""

from __future__ import annotations

import pytest
from envoy.data.accesslog.v3.accesslog_pb2 import AccessLogType, HTTPAccessLogEntry, ResponseFlags
from hypothesis import given
from hypothesis import strategies as st

from extproc.outcome_classification import (
    CLIENT_FLAGS,
    MAX_UNIX_MS,
    REFUSED_BY_ENVOY_FLAGS,
    UPSTREAM_FLAGS,
    RequestOutcome,
    classify,
)
from extproc.workloads import build_workloads
from glidepath import envoy_names
from glidepath.config import parse_config
from glidepath.pairs_and_outcomes import Origin, Side

CONFIG = """\
backends:
  cloud: {url: "http://127.0.0.1:9001"}
  onprem: {url: "http://127.0.0.1:9002"}
  spare: {url: "http://127.0.0.1:9003", credential: {passthrough: true}}
workloads:
  chat: {match: {path: /v1/chat/completions}, baseline: cloud, candidate: onprem, shadow: {timeout: 2s}}
  plain: {match: {path: /v1/embeddings}, baseline: cloud, candidate: spare, fallback: false}
"""
WORKLOADS = build_workloads(parse_config(CONFIG))
FALLBACK = envoy_names.fallback_cluster("onprem", "cloud")
CHOSEN = {"cloud": "cloud", "onprem": FALLBACK, "spare": "spare"}  # by the cluster of the endpoint, without a failover


def entry(
    cluster: str = "onprem",
    status: int = 200,
    *flags: str,
    workload: str = "chat",
    route: str = "the-users-own-route",
    details: str = "via_upstream",
    duration_ms: int = 120,
    first_byte_ms: int = 30,
    last_byte_ms: int = 110,
    ended: bool = True,
    origin: str = "",
    tries: int = 1,
    chosen: str = "",
) -> HTTPAccessLogEntry:
    made = HTTPAccessLogEntry()
    common = made.common_properties
    common.route_name, common.upstream_cluster = route, cluster
    common.start_time.FromMilliseconds(1_000_000)
    common.duration.FromMilliseconds(duration_ms)
    common.time_to_last_rx_byte.FromMilliseconds(2)
    common.time_to_first_upstream_rx_byte.FromMilliseconds(first_byte_ms)
    if ended:
        common.time_to_last_upstream_rx_byte.FromMilliseconds(last_byte_ms)
    common.upstream_request_attempt_count = tries
    common.custom_tags[envoy_names.CHOSEN_CLUSTER_TAG] = chosen or CHOSEN.get(cluster, cluster)
    if workload:
        common.custom_tags[envoy_names.WORKLOAD_TAG] = workload
    for flag in flags:
        setattr(common.response_flags, flag, True)
    made.response.response_code.value = status
    made.response.response_code_details = details
    if origin:
        made.request.request_headers[envoy_names.HEADER_ORIGIN] = origin
    return made


def live(*args: object, **kwargs: object) -> RequestOutcome:
    outcome = classify(entry(*args, **kwargs), WORKLOADS, shadow=False)  # type: ignore[arg-type]
    assert outcome is not None
    return outcome


def test_a_good_request_has_its_latency_to_the_last_byte_and_its_first_byte() -> None:
    assert live() == RequestOutcome("chat", Side.CANDIDATE, Origin.LIVE, 1_000_120, latency_ms=108.0, ttft_ms=28.0)


@pytest.mark.parametrize(
    ("cluster", "chosen", "side"),
    [
        ("cloud", "cloud", Side.BASELINE),
        ("cloud", FALLBACK, Side.CANDIDATE),
        ("onprem", FALLBACK, Side.CANDIDATE),
        ("", FALLBACK, Side.CANDIDATE),
        ("", "cloud", Side.BASELINE),
    ],
)
def test_the_cluster_that_the_split_chose_names_the_side(cluster: str, chosen: str, side: Side) -> None:
    assert live(cluster, chosen=chosen).side is side


def rescue(*args: object, **kwargs: object) -> RequestOutcome:
    """The outcome of a request that the split sent to the candidate, and that the baseline's cluster answered."""
    return live("cloud", *args, chosen=FALLBACK, **kwargs)


def test_a_rescued_request_is_the_candidates_error_although_the_client_got_200() -> None:
    outcome = rescue(200)
    assert (outcome.side, outcome.error, outcome.failover) == (Side.CANDIDATE, "failover", True)
    assert outcome.latency_ms is None


def test_a_first_attempt_at_the_baseline_is_a_failover_too_as_the_candidate_had_no_usable_endpoint() -> None:
    outcome = rescue(200, tries=1)
    assert (outcome.side, outcome.error, outcome.rescued) == (Side.CANDIDATE, "failover", True)


LEFT, SPENT = "downstream_connection_termination", "upstream_retry_limit_exceeded"
DIED = "upstream_reset_after_response_started{protocol_error}"


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


@pytest.mark.parametrize(("flag", "kind"), UPSTREAM_FLAGS)
def test_an_upstream_flag_is_the_sides_error(flag: str, kind: str) -> None:
    for cluster, workload in (("cloud", "chat"), ("spare", "plain")):
        outcome = live(cluster, 503, flag, workload=workload)
        assert (outcome.error, outcome.client_abort, outcome.latency_ms) == (kind, False, None)
        assert live(cluster, 200, flag, workload=workload).error == kind  # reset during the answer, after a good status


@pytest.mark.parametrize("flag", CLIENT_FLAGS)
def test_a_client_abort_is_no_error(flag: str) -> None:
    outcome = live("onprem", 200, flag, details="downstream_remote_disconnect")
    assert (outcome.client_abort, outcome.error, outcome.latency_ms) == (True, "", None)
    assert live("onprem", 0, flag).client_abort


@pytest.mark.parametrize("flag", CLIENT_FLAGS)
def test_a_client_abort_after_an_upstream_failure_does_not_hide_the_failure(flag: str) -> None:
    assert live("onprem", 200, flag, "upstream_connection_termination").error == "upstream_died"


@pytest.mark.parametrize("flag", REFUSED_BY_ENVOY_FLAGS)
def test_a_refusal_by_envoy_itself_concerns_no_side(flag: str) -> None:
    assert classify(entry("onprem", 429, flag), WORKLOADS, shadow=False) is None


def test_a_refusal_by_an_authorisation_filter_concerns_no_side() -> None:
    made = entry("onprem", 403)
    made.common_properties.response_flags.unauthorized_details.reason = 1
    assert classify(made, WORKLOADS, shadow=False) is None


def test_every_response_flag_of_envoy_is_classified() -> None:
    """A new flag of a new Envoy version makes this test fail."""
    harmless = {"delay_injected", "response_from_cache_filter", "upstream_retry_limit_exceeded", "unauthorized_details"}
    placed = {flag for flag, _ in UPSTREAM_FLAGS} | set(REFUSED_BY_ENVOY_FLAGS) | set(CLIENT_FLAGS) | harmless
    assert placed == {field.name for field in ResponseFlags.DESCRIPTOR.fields}


def test_a_reset_during_the_answer_is_recognised_by_its_details_without_a_flag() -> None:
    details = "upstream_reset_after_response_started{connection_termination}"
    assert live("onprem", 200, details=details).error == "upstream_died"


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
def test_a_5xx_is_an_error_of_its_own_kind(status: int) -> None:
    assert live("cloud", status).error == f"http_{status}"


@pytest.mark.parametrize(("status", "kind"), [(408, "http_408"), (429, "rate_limited"), (0, "no_response")])
def test_statuses_of_an_overloaded_backend_are_errors(status: int, kind: str) -> None:
    assert live("onprem", status).error == kind


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_other_4xx_are_requests_without_error_and_without_latency(status: int) -> None:
    outcome = live("onprem", status)
    assert (outcome.error, outcome.latency_ms, outcome.ttft_ms, outcome.client_abort) == ("", None, None, False)


@pytest.mark.parametrize("status", [401, 403])
def test_a_401_or_403_is_an_error_if_the_backend_never_gets_the_clients_credential(status: int) -> None:
    assert live("onprem", status).error == f"http_{status}"  # the candidate never gets the client's own credential
    assert live("cloud", status).error == ""
    assert live("spare", status, workload="plain").error == ""  # passthrough


def test_without_fallback_an_aggregate_cluster_means_nothing() -> None:
    assert live("spare", workload="plain").side is Side.CANDIDATE
    made = entry("cloud", chosen=envoy_names.fallback_cluster("spare", "cloud"), workload="plain")
    assert classify(made, WORKLOADS, shadow=False) is None


def shadow(*args: object, backend: str = "onprem", **kwargs: object) -> RequestOutcome:
    route = envoy_names.shadow_route_name("chat", backend)
    outcome = classify(entry(*args, route=route, workload="", **kwargs), WORKLOADS, shadow=True)  # type: ignore[arg-type]
    assert outcome is not None
    return outcome


@pytest.mark.parametrize(("backend", "side"), [("onprem", Side.CANDIDATE), ("cloud", Side.BASELINE)])
def test_in_the_shadow_log_the_route_names_the_side(backend: str, side: Side) -> None:
    outcome = shadow(backend, backend=backend)
    assert (outcome.side, outcome.origin, outcome.latency_ms) == (side, Origin.SHADOW, 108.0)


def test_a_probe_is_recognised_by_its_header_and_only_on_the_shadow_listener() -> None:
    assert shadow(origin="probe").origin is Origin.PROBE
    assert shadow(origin="nonsense").origin is Origin.SHADOW
    assert live(origin="probe").origin is Origin.LIVE


def test_a_copy_that_reached_the_tees_timeout_is_an_error_and_a_copy_that_ended_earlier_is_not() -> None:
    left = "downstream_connection_termination"
    assert shadow("onprem", 0, left, duration_ms=1999, ended=False).error == "tee_timeout"
    assert shadow("onprem", 0, left, duration_ms=400, ended=False).client_abort
    assert live("onprem", 0, left, duration_ms=1999, ended=False).client_abort


def test_a_copy_that_the_tee_did_not_read_in_time_although_it_was_answered_is_no_error_of_the_side() -> None:
    assert shadow("onprem", 200, "downstream_connection_termination", duration_ms=1999).client_abort


def test_other_workloads_routes_and_clusters_and_running_requests_are_ignored() -> None:
    for workload in ("", "-", "gone"):  # "-": Envoy's text for metadata that a route lacks
        assert classify(entry(workload=workload), WORKLOADS, shadow=False) is None
    assert classify(entry("elsewhere"), WORKLOADS, shadow=False) is None
    assert (
        classify(entry("onprem", route=envoy_names.shadow_route_name("chat", "gone")), WORKLOADS, shadow=True) is None
    )
    running = entry()
    running.common_properties.access_log_type = AccessLogType.DownstreamPeriodic
    assert classify(running, WORKLOADS, shadow=False) is None
    finished = entry()
    finished.common_properties.access_log_type = AccessLogType.DownstreamEnd
    assert classify(finished, WORKLOADS, shadow=False) is not None


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
    if outcome is not None:
        assert not (outcome.error and outcome.client_abort)
        assert outcome.latency_ms is None or (not outcome.error and not outcome.client_abort)
        assert outcome.rescued is None or outcome.failover
        assert not outcome.failover or (outcome.error == "failover" and outcome.side is Side.CANDIDATE)


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
