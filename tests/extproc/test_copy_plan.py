"""Which requests are copied, and to which side."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.body_limits import BodyMemory
from extproc.copy_plan import PlannedCopy, plan_copies, share_of
from extproc.exchange import Exchange
from extproc.exchange_events import Chunk, RequestHeaders
from extproc.exchange_transitions import Half
from extproc.workloads import WorkloadInfo, build_workloads
from glidepath import envoy_names
from glidepath.config import parse_config
from glidepath.outcome_summaries import Coverage
from glidepath.pairs import PairKind
from glidepath.sides import Side

CHAT = "/v1/chat/completions"
CANDIDATE = envoy_names.fallback_cluster("onprem", "cloud")  # the cluster to which the split sends its share


def workload(shadow: str = "{}", path: str = CHAT, *, stateless: bool = False) -> WorkloadInfo:
    chat = f"match: {{path: {path}}}, baseline: cloud, candidate: onprem, stateless: {stateless}, shadow: {shadow}"
    text = f"""
backends: {{cloud: {{url: "http://c"}}, onprem: {{url: "http://o"}}}}
workloads: {{chat: {{{chat}}}}}
"""
    return build_workloads(parse_config(text))["chat"]


def exchange(cluster: str = "cloud", path: str = CHAT, method: str = "POST", size: int = 2) -> Exchange:
    made = Exchange(100, BodyMemory(1000))
    made.feed(RequestHeaders({":method": method, ":path": path}, cluster), 1)
    made.feed(Chunk(Half.REQUEST, b"x" * size, True), 2)
    return made


CROSS_TO_CANDIDATE = PlannedCopy(PairKind.CROSS, Side.CANDIDATE, "onprem")
CROSS_TO_BASELINE = PlannedCopy(PairKind.CROSS, Side.BASELINE, "cloud")
NOISE = PlannedCopy(PairKind.NOISE, Side.BASELINE, "cloud")


def test_a_request_served_by_the_baseline_is_copied_to_the_candidate() -> None:
    assert plan_copies(workload(), exchange(), "id") == ((CROSS_TO_CANDIDATE,), None)


def test_a_request_served_by_the_candidate_is_copied_to_the_baseline() -> None:
    assert plan_copies(workload(), exchange(CANDIDATE), "id") == ((CROSS_TO_BASELINE,), None)


def test_the_reverse_rate_limits_copies_to_the_baseline_only() -> None:
    assert plan_copies(workload("{reverse: 0}"), exchange(CANDIDATE), "id") == ((), Coverage.SAMPLED_OUT)
    assert plan_copies(workload("{reverse: 0}"), exchange("cloud"), "id") == ((CROSS_TO_CANDIDATE,), None)


def test_the_body_of_a_request_that_is_sampled_out_is_not_searched() -> None:
    one = Exchange(100, BodyMemory(1000))
    one.feed(RequestHeaders({":method": "POST", ":path": CHAT}, CANDIDATE), 1)
    one.feed(Chunk(Half.REQUEST, b'{"password": "T"}', end=True), 2)
    assert plan_copies(workload("{reverse: 0}"), one, "id") == ((), Coverage.SAMPLED_OUT)
    assert plan_copies(workload(), one, "id") == ((), Coverage.GIVES_CREDENTIAL)


def test_only_requests_served_by_the_baseline_are_copied_to_the_same_side() -> None:
    everything = workload("{same_side: 100}")
    assert plan_copies(everything, exchange(), "id") == ((CROSS_TO_CANDIDATE, NOISE), None)
    assert plan_copies(everything, exchange(CANDIDATE), "id") == ((CROSS_TO_BASELINE,), None)


def test_cut_unfinished_unmatched_and_stateful_requests_are_not_copied() -> None:
    unfinished = Exchange(100, BodyMemory(1000))
    unfinished.feed(RequestHeaders({":method": "POST", ":path": CHAT}, "cloud"), 1)
    for one in (
        exchange(size=101),
        unfinished,
        exchange("strange"),
        exchange(path="/v1/files"),
        exchange(method="GET"),
    ):
        assert plan_copies(workload(), one, "id") == ((), Coverage.NOT_TEED)


def test_an_applications_own_id_is_copied_if_the_workload_is_declared_stateless() -> None:
    one = Exchange(100, BodyMemory(1000))
    one.feed(RequestHeaders({":method": "POST", ":path": CHAT}, "cloud"), 1)
    one.feed(Chunk(Half.REQUEST, b'{"conversation_id": "ours"}', end=True), 2)
    assert plan_copies(workload(), one, "id") == ((), Coverage.NEEDS_STATE)
    assert plan_copies(workload(stateless=True), one, "id") == ((CROSS_TO_CANDIDATE,), None)


def test_a_request_that_gives_a_credential_is_not_copied() -> None:
    one = Exchange(100, BodyMemory(1000))
    one.feed(RequestHeaders({":method": "POST", ":path": CHAT}, "cloud"), 1)
    one.feed(Chunk(Half.REQUEST, b'{"tools": [{"type": "mcp", "authorization": "T"}]}', end=True), 2)
    assert plan_copies(workload(), one, "id") == ((), Coverage.GIVES_CREDENTIAL)


@pytest.mark.parametrize("cluster", ["cloud", CANDIDATE])
@pytest.mark.parametrize("kind", ["application/grpc", "application/grpc+proto", "Application/gRPC-Web-Text"])
def test_a_call_of_grpc_is_not_copied_and_counts_under_a_reason_of_its_own(kind: str, cluster: str) -> None:
    path = "/inference.GRPCInferenceService/ModelInfer"
    one = Exchange(100, BodyMemory(1000))
    one.feed(RequestHeaders({":method": "POST", ":path": path, "content-type": kind}, cluster), 1)
    one.feed(Chunk(Half.REQUEST, b"\0\0\0\0\x02\x0a\0", end=True), 2)
    assert plan_copies(workload(path=path), one, "id") == ((), Coverage.GRPC)


def test_a_request_whose_body_cannot_be_decoded_whole_is_not_copied() -> None:
    giving, harmless = b'{"api_key": "T"}', b'{"messages": []}'
    for encoding, body, reason in (
        ("gzip", gzip.compress(giving), Coverage.GIVES_CREDENTIAL),
        ("gzip", gzip.compress(harmless), None),
        ("unheard-of", harmless, Coverage.GIVES_CREDENTIAL),
        ("gzip", gzip.compress(harmless)[:-9], Coverage.GIVES_CREDENTIAL),
        ("gzip", gzip.compress(b" " * 1000), Coverage.GIVES_CREDENTIAL),
    ):
        one = Exchange(100, BodyMemory(1000))
        headers = {":method": "POST", ":path": CHAT, "content-encoding": encoding}
        one.feed(RequestHeaders(headers, "cloud"), 1)
        one.feed(Chunk(Half.REQUEST, body, end=True), 2)
        assert plan_copies(workload(), one, "id")[1] is reason, (encoding, body)


@pytest.mark.slow
@given(st.uuids().map(str))
def test_the_choice_depends_on_the_request_only_and_a_higher_rate_keeps_all_copies(request_id: str) -> None:
    share = share_of(request_id, "reverse")
    assert 0 <= share < 100
    assert share == share_of(request_id, "reverse") != share_of(request_id, "same-side")
    kept = [
        plan_copies(workload(f"{{reverse: {rate}}}"), exchange("onprem"), request_id)[1] is None
        for rate in (10, 50, 90)
    ]
    assert kept == sorted(kept)


def test_the_share_of_copies_matches_the_configured_rate() -> None:
    chosen = sum(share_of(f"request-{n}", "reverse") < 25 for n in range(10_000))
    assert 2_300 < chosen < 2_700
