"""Classification of access log entries, with every flag that Envoy can set."""

from __future__ import annotations

from dataclasses import replace

import pytest
from envoy.data.accesslog.v3.accesslog_pb2 import AccessLogType, HTTPAccessLogEntry, ResponseFlags
from hypothesis import given
from hypothesis import strategies as st

from extproc.outcome_classification import MAX_UNIX_MS, LocalReply, RequestOutcome, classify, stripped_request
from extproc.response_flags import FLAGS, Flag, Owner
from extproc.workloads import build_workloads
from glidepath import envoy_names
from glidepath.config import parse_config
from glidepath.pairs_and_outcomes import AtFault, Origin, Side

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


CLIENT_FLAGS = [flag.field for flag in FLAGS if flag.kind == "client_abort"]
FIELDS = [flag for flag in FLAGS if flag.field and flag.kind != "client_abort"]


def of(*owners: Owner) -> list[Flag]:
    """Return the flags of these owners, except those of a client that left."""
    return [flag for flag in FLAGS if flag.owner in owners and flag.kind != "client_abort"]


def set_flag(made: HTTPAccessLogEntry, flag: Flag) -> HTTPAccessLogEntry:
    flags = made.common_properties.response_flags
    if not flag.field:
        made.response.response_code_details = flag.details
    elif flag.field == "unauthorized_details":
        flags.unauthorized_details.reason = 1
    else:
        setattr(flags, flag.field, True)
    if flag.short == "SI":  # Envoy waited for the rest of the answer
        made.common_properties.ClearField("time_to_last_upstream_rx_byte")
    return made


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
    assert isinstance(outcome, RequestOutcome)
    return outcome


def local(made: HTTPAccessLogEntry) -> LocalReply:
    reply = classify(made, WORKLOADS, shadow=False)
    assert isinstance(reply, LocalReply)
    return reply


def test_a_good_request_has_its_latency_to_the_last_byte_and_its_first_byte() -> None:
    times = {"latency_ms": 108.0, "ttft_ms": 28.0, "headers_ms": 28.0, "duration_ms": 120}
    made = entry()
    made.response.response_headers["content-type"] = "text/event-stream"
    expected = RequestOutcome("chat", Side.CANDIDATE, Origin.LIVE, 1_000_120, **times)
    assert classify(made, WORKLOADS, shadow=False) == expected
    assert live() == replace(expected, ttft_ms=None)  # an answer that is not streamed has no first token


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


def refused(first: str, status: int = 200, *flags: str, details: str = "via_upstream") -> RequestOutcome:
    """Return the outcome of a request that the candidate refused with ``first``, so that the baseline was asked."""
    made = entry("cloud", status, *flags, chosen=FALLBACK, tries=2, details=details)
    made.common_properties.custom_tags[envoy_names.REFUSED_TAG] = first
    outcome = classify(made, WORKLOADS, shadow=False)
    assert isinstance(outcome, RequestOutcome)
    assert outcome.side is Side.CANDIDATE
    return outcome


@pytest.mark.parametrize("status", ["301", "307", "308"])
def test_a_redirect_of_the_candidate_that_the_baseline_answered_instead_is_an_error_of_its_own_kind(
    status: str,
) -> None:
    outcome = refused(status)
    assert (outcome.error, outcome.failover, outcome.rescued) == ("redirect", True, True)
    assert refused("-").error == "failover"


@pytest.mark.parametrize("first", ["400", "404", "413", "415", "422"])
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


@pytest.mark.parametrize("flag", of(Owner.SIDE), ids=lambda flag: flag.short)
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
def test_a_client_abort_after_an_upstream_failure_does_not_hide_the_failure(flag: str) -> None:
    assert live("onprem", 200, flag, "upstream_connection_termination").error == "upstream_died"


@pytest.mark.parametrize("flag", of(Owner.CLIENT, Owner.ENVOY), ids=lambda flag: flag.short)
@pytest.mark.parametrize(("cluster", "side"), [("cloud", Side.BASELINE), ("onprem", Side.CANDIDATE)])
def test_an_answer_of_envoy_itself_is_no_outcome_of_a_side(flag: Flag, cluster: str, side: Side) -> None:
    for status in (429, 503):
        reply = local(set_flag(entry(cluster, status, tries=0), flag))
        # A filter that refuses with a 5xx could not ask its own service.
        envoys = flag.owner is Owner.ENVOY or status == 503
        assert (reply.side, reply.kind) == (side, flag.kind)
        assert reply.at_fault is (AtFault.ENVOY if envoys else AtFault.CLIENT)


def test_an_answer_from_a_cache_is_nobodys_fault_and_no_latency_of_a_side() -> None:
    made = set_flag(entry("cloud", 200, tries=0), next(flag for flag in FLAGS if flag.short == "RFCF"))
    assert (local(made).at_fault, local(made).kind) == (AtFault.NONE, "cache")


@pytest.mark.parametrize("short", ["DI", "URX"])
def test_a_flag_that_shows_no_failure_changes_nothing(short: str) -> None:
    flag = next(flag for flag in FLAGS if flag.short == short)
    assert classify(set_flag(entry(), flag), WORKLOADS, shadow=False) == live()


def no_cluster(**tags: str) -> HTTPAccessLogEntry:
    made = entry("", 503, "no_cluster_found", details="cluster_not_found", tries=0)
    del made.common_properties.custom_tags[envoy_names.CHOSEN_CLUSTER_TAG]
    made.common_properties.custom_tags.update(tags)
    return made


@pytest.mark.parametrize("without", ["", "-"])
def test_a_missing_cluster_is_the_error_of_the_side_whose_entry_the_split_chose(without: str) -> None:
    marks = {envoy_names.CHOSEN_CLUSTER_TAG: without, envoy_names.CHOSEN_ENTRY_TAG: FALLBACK}
    for made, side in (
        (no_cluster(**marks), Side.CANDIDATE),
        (no_cluster(**marks | {envoy_names.CHOSEN_ENTRY_TAG: without}), Side.BASELINE),
        (no_cluster(), Side.BASELINE),
    ):
        outcome = classify(made, WORKLOADS, shadow=False)
        assert isinstance(outcome, RequestOutcome)
        assert (outcome.side, outcome.error) == (side, "no_cluster")


@pytest.mark.parametrize(
    ("status", "fault"), [(200, AtFault.NONE), (404, AtFault.CLIENT), (503, AtFault.ENVOY), (0, AtFault.ENVOY)]
)
def test_a_request_to_a_third_cluster_is_counted_without_a_side(status: int, fault: AtFault) -> None:
    reply = local(entry("elsewhere", status))
    assert (reply.side, reply.at_fault, reply.kind) == (None, fault, "unknown_side")


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


def test_a_request_that_both_sides_refused_counts_as_refused_once() -> None:
    assert refused("400", 422).refused
    assert not refused("400").refused


@pytest.mark.parametrize("tag", [envoy_names.WORKLOAD_TAG, envoy_names.PINNED_TAG])
def test_the_backend_that_got_no_foreign_reasoning_is_counted(tag: str) -> None:
    made = entry("cloud")
    tags = made.common_properties.custom_tags
    del tags[envoy_names.WORKLOAD_TAG]
    tags[tag] = "chat"
    assert stripped_request(made, WORKLOADS) is None
    for backend, expected in (("-", None), ("", None), ("spare", None), ("cloud", ("chat", "cloud"))):
        tags[envoy_names.STRIPPED_TAG] = backend
        assert stripped_request(made, WORKLOADS) == expected
    made.common_properties.access_log_type = AccessLogType.DownstreamPeriodic
    assert stripped_request(made, WORKLOADS) is None


@pytest.mark.parametrize("status", [401, 403])
def test_a_401_or_403_is_an_error_if_the_backend_never_gets_the_clients_credential(status: int) -> None:
    assert live("onprem", status).error == f"http_{status}"  # the candidate never gets the client's own credential
    assert live("cloud", status).error == ""
    assert live("spare", status, workload="plain").error == ""  # passthrough


def test_without_fallback_an_aggregate_cluster_means_nothing() -> None:
    assert live("spare", workload="plain").side is Side.CANDIDATE
    made = entry("cloud", chosen=envoy_names.fallback_cluster("spare", "cloud"), workload="plain")
    assert local(made).side is None


def shadow(*args: object, backend: str = "onprem", **kwargs: object) -> RequestOutcome:
    route = envoy_names.shadow_route_name("chat", backend)
    outcome = classify(entry(*args, route=route, workload="", **kwargs), WORKLOADS, shadow=True)  # type: ignore[arg-type]
    assert isinstance(outcome, RequestOutcome)
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
