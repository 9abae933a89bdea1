"""Families of metrics that are computed at a scrape."""

from __future__ import annotations

import platform

from prometheus_client import Counter, generate_latest

from glidepath.metric_families import OTHER, BoundedNames, FamilyTable, MetricDefinition, ProcessRegistry

GAUGE = MetricDefinition("glidepath_a", "gauge", "a", ("workload",))
COUNTER = MetricDefinition("glidepath_b_total", "counter", "b", ("workload",))


def test_a_family_has_the_samples_that_are_known() -> None:
    table = FamilyTable((GAUGE, COUNTER))
    table.add("glidepath_a", ("chat",), None)
    table.add("glidepath_b_total", ("chat",), 3)
    samples = {family.name: [(s.name, s.value) for s in family.samples] for family in table}
    assert samples == {"glidepath_a": [], "glidepath_b": [("glidepath_b_total", 3)]}


def test_a_process_shows_what_it_runs_and_lists_metrics_without_samples() -> None:
    registry = ProcessRegistry()
    Counter("glidepath_c_total", "c", ["workload"], registry=registry)
    assert f'python="{platform.python_version()}"' in generate_latest(registry).decode()
    by_name = {one.name: one for one in registry.definitions()}
    assert by_name["glidepath_c_total"] == MetricDefinition("glidepath_c_total", "counter", "c", ("workload",))
    assert by_name["glidepath_build_info"].labels == ("version", "python")


def test_names_after_the_limit_are_other() -> None:
    bounded = BoundedNames(2)
    assert [bounded(name) for name in "abcab"] == ["a", "b", OTHER, "a", "b"]
