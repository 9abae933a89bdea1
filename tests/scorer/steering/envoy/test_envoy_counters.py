"""Envoy's own counters: those that are read, and the lower bound of a side's failed requests."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.config import parse_config
from scorer.steering.envoy.envoy_counters import (
    COUNTERS,
    CountedClusters,
    SideClusters,
    SideCounts,
    increase,
    knows,
    log_entries,
    parse_counters,
    stats_path,
)
from tests.support.chat_config import CHAT_CONFIG
from tests.support.json_values import JSON

ALONE = SideClusters("onprem", "onprem")
WITH_FALLBACK = SideClusters("onprem-or-cloud", "onprem")


def counters(cluster: str, **values: int) -> dict[str, int]:
    return {f"cluster.{cluster}.{name}": value for name, value in values.items()}


@pytest.mark.parametrize(
    ("more", "failures"),
    [
        # What Envoy 1.40 counts for ten requests at the candidate, without fallback (docs/proof/failing-parts.md).
        ({"upstream_rq_total": 10, "upstream_rq_completed": 10}, 0),
        ({"upstream_rq_total": 10, "upstream_rq_completed": 10, "upstream_rq_5xx": 10}, 10),
        ({"upstream_rq_total": 10, "upstream_rq_completed": 10, "upstream_cx_destroy_remote_with_active_rq": 10}, 10),
        ({"upstream_rq_completed": 10, "upstream_rq_5xx": 10, "upstream_rq_pending_failure_eject": 10}, 10),
        ({"upstream_rq_total": 10, "upstream_rq_rx_reset": 4, "upstream_rq_completed": 10}, 4),
        ({"upstream_rq_total": 10}, 0),  # in flight: neither good nor bad
    ],
)
def test_ten_requests_without_fallback_count_as_ten_at_most(more: dict[str, int], failures: int) -> None:
    seen = increase({}, counters("onprem", **more), ALONE)
    assert seen == SideCounts(10 if "upstream_rq_completed" in more else 0, failures)


def test_a_failure_that_the_fallback_rescued_is_the_candidates() -> None:
    rescued = {"upstream_rq_completed": 10, "retry.upstream_rq_5xx": 10}
    assert increase({}, counters("onprem-or-cloud", **rescued), WITH_FALLBACK) == SideCounts(10, 10)
    refused = {**counters("onprem-or-cloud", upstream_rq_completed=10)}
    refused |= counters("onprem", upstream_rq_pending_failure_eject=10)
    assert increase({}, refused, WITH_FALLBACK) == SideCounts(10, 10)


def test_a_counter_of_a_restarted_envoy_begins_again() -> None:
    before = counters("onprem", upstream_rq_completed=1000, upstream_rq_5xx=900)
    after = counters("onprem", upstream_rq_completed=7, upstream_rq_5xx=3)
    assert increase(before, after, ALONE) == SideCounts(7, 3)


@given(st.dictionaries(st.sampled_from(COUNTERS), st.integers(0, 1000)), st.booleans())
def test_there_are_never_more_failures_than_requests(values: dict[str, int], fallback: bool) -> None:
    read = {**counters("onprem", **values), **counters("onprem-or-cloud", **values)}
    seen = increase({}, read, WITH_FALLBACK if fallback else ALONE)
    assert 0 <= seen.failures <= seen.requests


def test_the_path_asks_for_the_counters_of_both_sides_and_of_the_access_log_only() -> None:
    config = parse_config(CHAT_CONFIG)
    clusters = CountedClusters.of(config, "chat")
    assert clusters.candidate == WITH_FALLBACK
    (pattern,) = parse_qs(urlsplit(stats_path([clusters])).query)["filter"]
    for name in ("onprem", "onprem-or-cloud", "cloud"):
        assert re.search(pattern, f"cluster.{name}.upstream_rq_total")
    assert re.search(pattern, "access_logs.grpc_access_log.logs_written")
    for other in (
        "cluster.other.upstream_rq_total",
        "cluster.onprem.upstream_rq_active",
        "http.ingress.downstream_rq_total",
    ):
        assert not re.search(pattern, other)


def test_without_a_share_only_the_access_log_is_asked_for() -> None:
    (pattern,) = parse_qs(urlsplit(stats_path([])).query)["filter"]
    assert not re.search(pattern, "cluster.onprem.upstream_rq_total")
    assert re.search(pattern, "access_logs.grpc_access_log.logs_dropped")


def test_the_path_stays_short_for_hundreds_of_clusters() -> None:
    many = [CountedClusters(SideClusters(f"c{i}", f"c{i}"), SideClusters("b", "b")) for i in range(500)]
    assert len(stats_path(many)) < 1000


def test_an_envoy_without_these_clusters_is_not_counted() -> None:
    clusters = CountedClusters(ALONE, SideClusters("cloud", "cloud"))
    assert knows(counters("onprem", upstream_rq_total=0), clusters)
    assert not knows(counters("onprem-renamed", upstream_rq_total=0), clusters)


def test_an_envoy_without_our_access_log_logs_nothing_that_could_be_missed() -> None:
    assert log_entries({}) is None
    written = {"access_logs.grpc_access_log.logs_written": 3, "access_logs.grpc_access_log.logs_dropped": 2}
    assert log_entries(written) == 5


def test_histograms_and_texts_beside_the_counters_are_left_out() -> None:
    body = json.dumps({"stats": [{"name": "a", "value": 3}, {"histograms": {}}]}).encode()
    assert parse_counters(body) == {"a": 3}


@given(st.one_of(st.binary(), JSON.map(lambda value: json.dumps(value).encode())))
def test_any_other_body_is_a_value_error_or_counters(body: bytes) -> None:
    try:
        found = parse_counters(body)
    except ValueError:
        return
    assert all(isinstance(name, str) and isinstance(value, int) for name, value in found.items())
