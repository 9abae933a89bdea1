"""Access log entries of two workloads, and the outcomes that extproc derives from them."""

from __future__ import annotations

from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry

from extproc.outcome_classification import LocalReply, RequestOutcome, classify
from extproc.response_flags import FLAGS, Flag, Owner
from extproc.workloads import build_workloads
from glidepath import envoy_names
from glidepath.config import parse_config
from glidepath.sides import Side

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
    body_bytes: int = 0,
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
    made.response.response_body_bytes = body_bytes
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


def shadow(*args: object, backend: str = "onprem", **kwargs: object) -> RequestOutcome:
    route = envoy_names.shadow_route_name("chat", backend)
    outcome = classify(entry(*args, route=route, workload="", **kwargs), WORKLOADS, shadow=True)  # type: ignore[arg-type]
    assert isinstance(outcome, RequestOutcome)
    return outcome


def rescue(*args: object, **kwargs: object) -> RequestOutcome:
    """Return the outcome of a request that the split sent to the candidate and that the baseline answered."""
    return live("cloud", *args, chosen=FALLBACK, **kwargs)


LEFT, SPENT = "downstream_connection_termination", "upstream_retry_limit_exceeded"


DIED = "upstream_reset_after_response_started{protocol_error}"


def refused(first: str, status: int = 200, *flags: str, details: str = "via_upstream") -> RequestOutcome:
    """Return the outcome of a request that Envoy sent to the baseline after the candidate refused it.

    ``first``: the status of the refusal. ``status``: the status for the client.
    """
    made = entry("cloud", status, *flags, chosen=FALLBACK, tries=2, details=details)
    made.common_properties.custom_tags[envoy_names.REFUSED_TAG] = first
    outcome = classify(made, WORKLOADS, shadow=False)
    assert isinstance(outcome, RequestOutcome)
    assert outcome.side is Side.CANDIDATE
    return outcome


CLIENT_FLAGS = [flag.field for flag in FLAGS if flag.kind == "client_abort"]


def flags_of(*owners: Owner) -> list[Flag]:
    """Return the response flags of these owners, except the flags for a client that disconnected."""
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
