"""The workload, the side and the origin for which an access log entry counts."""

from __future__ import annotations

import pytest
from envoy.data.accesslog.v3.accesslog_pb2 import AccessLogType, HTTPAccessLogEntry

from extproc.outcome_classification import RequestOutcome, classify
from glidepath import envoy_names
from glidepath.outcome_summaries import AtFault
from glidepath.sides import Origin, Side
from tests.support.access_log_entries import (
    FALLBACK,
    WORKLOADS,
    entry,
    live,
    local,
    shadow,
)


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


def test_without_fallback_an_aggregate_cluster_means_nothing() -> None:
    assert live("spare", workload="plain").side is Side.CANDIDATE
    made = entry("cloud", chosen=envoy_names.fallback_cluster("spare", "cloud"), workload="plain")
    assert local(made).side is None


@pytest.mark.parametrize(("backend", "side"), [("onprem", Side.CANDIDATE), ("cloud", Side.BASELINE)])
def test_in_the_shadow_log_the_route_names_the_side(backend: str, side: Side) -> None:
    outcome = shadow(backend, backend=backend)
    assert (outcome.side, outcome.origin, outcome.latency_ms) == (side, Origin.SHADOW, 108.0)


def test_a_probe_is_recognised_by_its_header_and_only_on_the_shadow_listener() -> None:
    assert shadow(origin="probe").origin is Origin.PROBE
    assert shadow(origin="nonsense").origin is Origin.SHADOW
    assert live(origin="probe").origin is Origin.LIVE


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
