"""Classification of requests on a user's route: the user's cluster as baseline, and refusals by the user's filters."""

from __future__ import annotations

import pytest
from envoy.data.accesslog.v3.accesslog_pb2 import HTTPAccessLogEntry

from extproc.outcome_classification import LocalReply, RequestOutcome, classify
from extproc.workloads import build_workloads
from glidepath import envoy_names
from glidepath.config import parse_config
from glidepath.outcome_summaries import AtFault
from glidepath.sides import Side

CLUSTER = "outbound|80||llm.example"
WORKLOADS = build_workloads(
    parse_config(f"""\
backends:
  cloud: {{cluster: "{CLUSTER}", host: llm.example}}
  onprem: {{url: "http://127.0.0.1:9002"}}
workloads:
  chat: {{match: {{path: /v1/chat/completions}}, baseline: cloud, candidate: onprem}}
""")
)
FALLBACK = envoy_names.fallback_cluster("onprem", "cloud")


def outcome(
    chosen: str, backend: str = "", status: int = 200, details: str = "via_upstream", tries: int = 1, flag: str = ""
) -> RequestOutcome | LocalReply | None:
    entry = HTTPAccessLogEntry()
    common = entry.common_properties
    common.custom_tags[envoy_names.WORKLOAD_TAG] = "chat"
    common.custom_tags[envoy_names.CHOSEN_CLUSTER_TAG] = chosen
    if backend:
        common.custom_tags[envoy_names.BACKEND_TAG] = backend
    if tries:
        common.upstream_cluster = f"{CLUSTER};" if chosen == CLUSTER else chosen  # Istio's name for statistics
        common.upstream_remote_address.socket_address.address = "192.0.2.1"
    common.upstream_request_attempt_count = tries
    if flag:
        setattr(common.response_flags, flag, True)
    entry.response.response_code.value = status
    entry.response.response_code_details = details
    return classify(entry, WORKLOADS, shadow=False)


@pytest.mark.parametrize("backend", ["", "-"])
def test_an_endpoint_that_names_no_backend_is_the_baselines(backend: str) -> None:
    rescued = outcome(FALLBACK, backend, tries=2)
    assert isinstance(rescued, RequestOutcome)
    assert (rescued.side, rescued.error, rescued.rescued) == (Side.CANDIDATE, "failover", True)


def test_an_endpoint_that_names_the_candidate_is_no_failover() -> None:
    served = outcome(FALLBACK, "onprem")
    assert isinstance(served, RequestOutcome)
    assert (served.side, served.error) == (Side.CANDIDATE, "")


def test_the_users_existing_cluster_is_the_baseline() -> None:
    served = outcome(CLUSTER)
    assert isinstance(served, RequestOutcome)
    assert (served.side, served.error) == (Side.BASELINE, "")


@pytest.mark.parametrize("chosen", [CLUSTER, FALLBACK])
@pytest.mark.parametrize(
    ("status", "details"),
    [(403, "rbac_access_denied_matched_policy[x]"), (401, "jwt_authn_access_denied{x}"), (413, "request_too_large")],
)
def test_a_refusal_by_a_filter_of_the_route_is_no_outcome_of_a_side(chosen: str, status: int, details: str) -> None:
    refused = outcome(chosen, status=status, details=details, tries=0)
    assert isinstance(refused, LocalReply)
    assert refused.at_fault is AtFault.CLIENT


def test_a_refusal_by_the_backend_or_without_a_backend_is_an_outcome_of_the_side() -> None:
    denied = outcome(FALLBACK, "onprem", status=403)
    assert isinstance(denied, RequestOutcome)
    assert denied.error == "http_403"
    missing = outcome(CLUSTER, status=503, details="no_healthy_upstream", tries=0, flag="no_healthy_upstream")
    assert isinstance(missing, RequestOutcome)
    assert missing.error == "no_healthy_upstream"
