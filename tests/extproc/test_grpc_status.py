"""What the status of a gRPC answer means for the outcome of its request."""

from __future__ import annotations

import pytest

from extproc.grpc_status import GrpcStatus, error_of_grpc_status, logged_grpc_status
from extproc.outcome_classification import RequestOutcome, classify
from glidepath.outcome_summaries import AtFault
from tests.support.access_log_entries import WORKLOADS, entry, local


def answer(
    cluster: str,
    trailer: str = "",
    header: str = "",
    kind: str = "application/grpc",
    body_bytes: int = 5,
    tries: int = 1,
) -> RequestOutcome:
    made = entry(cluster, workload="plain", body_bytes=body_bytes, tries=tries)
    made.response.response_headers["content-type"] = kind
    if trailer:
        made.response.response_trailers["grpc-status"] = trailer
    if header:
        made.response.response_headers["grpc-status"] = header
    found = classify(made, WORKLOADS, shadow=False)
    assert isinstance(found, RequestOutcome)
    return found


@pytest.mark.parametrize("status", list(GrpcStatus))
def test_each_status_is_an_error_of_the_side_or_a_refusal_or_neither(status: GrpcStatus) -> None:
    refused = status in (3, 5, 6, 7, 9, 11, 16)
    failed = status in (1, 2, 4, 8, 10, 12, 13, 14, 15)
    for found in (answer("spare", trailer=str(int(status))), answer("spare", header=str(int(status)), body_bytes=0)):
        assert found.error == (f"grpc_{status.name.lower()}" if failed else "")
        assert (found.refused, found.not_found) == (refused, status == 5)
        assert (found.latency_ms is None) is (failed or refused)


@pytest.mark.parametrize("status", [GrpcStatus.PERMISSION_DENIED, GrpcStatus.UNAUTHENTICATED])
def test_a_denial_is_the_sides_error_if_it_never_gets_the_clients_credential(status: GrpcStatus) -> None:
    assert error_of_grpc_status(status, denies_own_credential=True) == f"grpc_{status.name.lower()}"
    assert error_of_grpc_status(status, denies_own_credential=False) == ""


@pytest.mark.parametrize("text", ["17", "99", "-1", "1e1", "x", "000", "²", "1 "])
def test_an_unknown_status_is_none(text: str) -> None:
    made = entry("spare", workload="plain")
    made.response.response_headers["content-type"] = "application/grpc+proto"
    made.response.response_trailers["grpc-status"] = text
    assert logged_grpc_status(made) is None


def test_the_status_of_an_answer_that_is_not_grpc_says_nothing() -> None:
    assert answer("spare", header="13", kind="application/json").error == ""


@pytest.mark.parametrize(
    ("details", "status", "fault"),
    [
        ("rbac_access_denied_matched_policy[x]", GrpcStatus.PERMISSION_DENIED, AtFault.CLIENT),
        ("ext_proc_error_gRPC_error_14", GrpcStatus.INTERNAL, AtFault.ENVOY),
        ("lua_response", GrpcStatus.OK, AtFault.NONE),
    ],
)
def test_a_call_that_a_filter_of_envoy_answered_is_judged_by_its_grpc_status(
    details: str, status: GrpcStatus, fault: AtFault
) -> None:
    made = entry("spare", workload="plain", details=details, tries=0)
    made.response.response_headers["content-type"] = "application/grpc"
    made.response.response_headers["grpc-status"] = str(int(status))
    assert local(made).at_fault is fault
