"""Tests of doctor's checks: each fault of an Envoy gets its finding and remedy."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from glidepath.config import parse_config
from glidepath.config.request_match import Match
from glidepath_ops.doctor.checks import examine_envoy
from glidepath_ops.doctor.facts import EnvoyFacts, Severity
from glidepath_ops.envoyconfig.envoy_api_builders import HTTP_OPTIONS
from glidepath_ops.envoyconfig.extensions import used_extensions
from glidepath_ops.envoyconfig.filters import CAPTURE
from glidepath_ops.envoyconfig.path_conditions import path_header
from glidepath_ops.envoyconfig.sticky_hash_policy import with_empty_value
from tests.support.envoy_facts import (
    AGGREGATE,
    CLUSTERS,
    CONFIG,
    FILTERS,
    MANAGER,
    ROUTE,
    WHOLE_ROUTE,
    WITHOUT_STICKY,
    YAML,
    Json,
    edited,
    facts,
    finding,
    server_info,
    without,
)


def extproc(fails: int) -> Json:
    """Return the answer at /clusters for an extproc without connections, after this number of failed attempts."""
    stats = [{"name": "cx_connect_fail", "value": str(fails)}, {"name": "cx_active"}]
    host = {"address": {"pipe": {"path": "/run/x.sock"}}, "stats": stats}
    return {"cluster_statuses": [{"name": "glidepath-extproc", "host_statuses": [host]}]}


REWRITES = {"name": "rewrites", "typed_config": {"@type": "type.googleapis.com/envoy.x.Lua"}}
ACTION = (*WHOLE_ROUTE, "typed_per_filter_config", CAPTURE, "xds_matcher", "on_no_match", "action", "typed_config")
EXT_PROC = (*ACTION, "typed_config", "typed_config")
EXTPROC = (3, "static_clusters", CLUSTERS.index("glidepath-extproc"), "cluster")
EXTPROC_OPTIONS = (*EXTPROC, "typed_extension_protocol_options", HTTP_OPTIONS)


HTTP2 = (*EXTPROC_OPTIONS, "explicit_http_config", "http2_protocol_options")


STARTED, LOST = (f"http.x.ext_proc.{name}" for name in ("streams_started", "failure_mode_allowed"))
POST = {"name": ":method", "string_match": {"exact": "POST"}}
ONLY_CHAT = path_header(Match(path="/v1/chat/completions"))


def dynamic(refused: str) -> EnvoyFacts:
    """Return the facts of an Envoy that has refused a listener of a control plane."""
    dump = copy.deepcopy(dict(facts().dump))
    dump["configs"][1]["dynamic_listeners"] = [{"name": refused, "error_state": {"details": "unknown type"}}]
    return facts(dump=dump)


def with_match(**match: Any) -> EnvoyFacts:
    """Return the facts of an Envoy in which a route of the user has the split. ``match``: the route's match."""
    dump = copy.deepcopy(dict(facts().dump))
    routes = dump["configs"][2]["static_route_configs"][0]["route_config"]["virtual_hosts"][0]["routes"]
    routes[1] = {**routes[1], "name": "theirs", "match": match}
    return facts(dump=dump)


SICK = [
    (facts(error="refused"), "reachable", Severity.FAIL, "envoy.admin"),
    (facts(server_info=server_info("1.36.4")), "version", Severity.FAIL, '1.37 or newer, or set envoy.version: "1.36"'),
    (facts(server_info=server_info("1.35.9")), "version", Severity.FAIL, "1.37 or newer"),
    (facts(server_info=server_info("1.38.0")), "version", Severity.WARN, "upgrade"),
    (facts(server_info={}), "version", Severity.WARN, "Envoy"),
    (edited(0, "bootstrap", "layered_runtime", value={"layers": []}), "runtime layer", Severity.FAIL, "admin_layer"),
    (
        edited(0, "bootstrap", "admin", "address", value={"socket_address": {"address": "0.0.0.0"}}),
        "admin exposure",
        Severity.WARN,
        "127.0.0.1",
    ),
    (facts(clock_skew_s=-30.0), "clock", Severity.WARN, "NTP"),
    (facts(clock_skew_s=None), "clock", Severity.WARN, "proxy"),
    (facts(server_info=server_info("1.40.0")), "extensions", Severity.WARN, "node.extensions"),
    (facts(server_info=without("envoy.clusters.aggregate")), "extensions", Severity.FAIL, "fallback: false"),
    (facts(server_info=without("envoy.filters.http.composite")), "extensions", Severity.FAIL, "build of Envoy"),
    (edited(3, "static_clusters", AGGREGATE, value={}), "clusters", Severity.FAIL, "share stays"),
    (
        edited(3, "dynamic_warming_clusters", value=[{"cluster": {"name": "theirs"}}]),
        "clusters",
        Severity.OK,
        "",
    ),
    (dynamic("glidepath-live"), "listeners", Severity.FAIL, "Envoy's log"),
    (edited(1, "static_listeners", 1, value={}), "listeners", Severity.FAIL, "share stays"),
    (edited(*MANAGER, "http_filters", value=FILTERS[-1:]), "filters", Severity.FAIL, "render"),
    (edited(*MANAGER, "http_filters", value=FILTERS[1:]), "filters", Severity.FAIL, "render"),
    (edited(*MANAGER, "http_filters", value=[*FILTERS, REWRITES]), "filters", Severity.WARN, "before the router"),
    (edited(*EXT_PROC, "observability_mode", value=False), "chat: capture", Severity.FAIL, "render"),
    (edited(*EXT_PROC, "grpc_service", value={}), "chat: capture", Severity.FAIL, "render"),
    (edited(*EXT_PROC, "grpc_service", "initial_metadata", value=[]), "chat: capture", Severity.FAIL, "render"),
    (edited(*ACTION, "sample_percent", value={}), "chat: capture", Severity.FAIL, "render"),
    (with_match(path="/v1/chat/completions"), "chat: routes", Severity.FAIL, "method POST"),
    (with_match(path="/v1/chat", headers=[POST]), "chat: routes", Severity.FAIL, "narrow"),
    (with_match(prefix="/v1/chat/completions", headers=[POST]), "chat: routes", Severity.FAIL, "narrow"),
    (with_match(safe_regex={"regex": ".*"}, headers=[POST]), "chat: routes", Severity.FAIL, "narrow"),
    (with_match(path="/v1/chat/completions", headers=[POST]), "chat: routes", Severity.OK, ""),
    (with_match(prefix="/v1/", headers=[POST, ONLY_CHAT]), "chat: routes", Severity.OK, ""),
    (facts(clusters={}), "extproc health", Severity.FAIL, "render"),
    (facts(clusters=extproc(fails=3), earlier_clusters=extproc(fails=2)), "extproc health", Severity.FAIL, "start"),
    (facts(clusters=extproc(fails=3), earlier_clusters=extproc(fails=3)), "extproc health", Severity.WARN, "send"),
    (facts(clusters=extproc(fails=0), earlier_clusters=extproc(fails=0)), "extproc health", Severity.WARN, "send"),
    (edited(*EXTPROC, "per_connection_buffer_limit_bytes", value=2**20), "slow extproc", Severity.FAIL, "render"),
    (edited(*HTTP2, "initial_stream_window_size", value=2**16), "slow extproc", Severity.FAIL, "render"),
    (edited(*EXTPROC_OPTIONS, "http_filters", value=[]), "slow extproc", Severity.FAIL, "render"),
    (facts(stats={STARTED: 200, LOST: 2}), "captured", Severity.OK, ""),
    (facts(stats={STARTED: 200, LOST: 3}), "captured", Severity.WARN, "extproc runs"),
    (facts(stats={}), "captured", Severity.OK, ""),
    (edited(*MANAGER, "access_log", value=[]), "access log", Severity.FAIL, "render"),
    (facts(stats={}), "access log", Severity.WARN, "send a request"),
    (
        facts(stats={"a.grpc_access_log.logs_written": 5, "a.grpc_access_log.logs_dropped": 2}),
        "access log",
        Severity.WARN,
        "down or too slow",
    ),
    (edited(*ROUTE, "weighted_clusters", "runtime_key_prefix", value="theirs"), "chat: split", Severity.FAIL, "render"),
    (
        edited(*ROUTE, "weighted_clusters", "clusters", value=[{"name": "cloud"}, {"name": "onprem-or-cloud"}]),
        "chat: split",
        Severity.FAIL,
        "candidate first",
    ),
    (
        facts(runtime={"entries": {"glidepath.chat.weight.cloud": {"final_value": "9000"}}}),
        "chat: weights",
        Severity.FAIL,
        "one POST",
    ),
    (edited(*ROUTE, "hash_policy", value=[]), "chat: stickiness", Severity.FAIL, "render"),
    (
        edited(2, "static_route_configs", 0, "route_config", "virtual_hosts", 0, "routes", value=[]),
        "chat: routes",
        Severity.FAIL,
        "render",
    ),
]


@pytest.mark.parametrize(("envoy", "check", "level", "remedy"), SICK, ids=[f"{c}: {r}" for _, c, _, r in SICK])
def test_a_fault_of_envoy_is_found_with_its_remedy(envoy: EnvoyFacts, check: str, level: Severity, remedy: str) -> None:
    found = finding(examine_envoy(CONFIG, envoy), check)
    assert found.level is level, found
    assert remedy in found.remedy


def test_a_rendered_envoy_has_no_warning() -> None:
    findings = examine_envoy(CONFIG, facts())
    assert {f.level for f in findings} == {Severity.OK}, [f for f in findings if f.level is not Severity.OK]
    assert not any(f.remedy for f in findings)


def test_envoy_1_36_may_run_the_form_for_it_and_needs_the_filter_of_this_form() -> None:
    config = CONFIG.model_copy(update={"envoy": CONFIG.envoy.model_copy(update={"version": "1.36"})})
    found = examine_envoy(config, facts(config, server_info=server_info("1.36.4", used_extensions(config))))
    assert finding(found, "version").level is Severity.WARN
    assert not [one for one in found if one.level is Severity.FAIL]
    without_it = finding(examine_envoy(config, facts()), "filters")
    assert (without_it.level, "glidepath.record" in without_it.detail) == (Severity.FAIL, True)


def test_rtds_as_actuator_needs_the_rtds_layer() -> None:
    config = parse_config(YAML + "envoy: {actuator: rtds}\n")
    assert finding(examine_envoy(config, facts()), "runtime layer").level is Severity.FAIL
    assert finding(examine_envoy(config, facts(config)), "runtime layer").level is Severity.OK


def test_a_workload_without_stickiness_is_a_warning() -> None:
    config = parse_config(WITHOUT_STICKY + "    sticky: {random: true}\n")
    assert finding(examine_envoy(config, facts(config)), "chat: stickiness").level is Severity.WARN


@pytest.mark.parametrize(("used", "level"), [(True, Severity.OK), (False, Severity.WARN)])
def test_the_users_own_hash_policy_is_stickiness_if_the_split_uses_it(used: bool, level: Severity) -> None:
    found = edited(*ROUTE, "weighted_clusters", "use_hash_policy", value=used)  # the route has a hash policy
    assert finding(examine_envoy(parse_config(WITHOUT_STICKY), found), "chat: stickiness").level is level


@pytest.mark.parametrize(("said", "hashed"), [("random", True), ("route", False)])
def test_a_file_that_contradicts_the_route_about_the_assignment_of_requests_is_a_warning(
    said: str, hashed: bool
) -> None:
    config = parse_config(WITHOUT_STICKY + f"    sticky: {{{said}: true}}\n")
    found = edited(*ROUTE, "weighted_clusters", "use_hash_policy", value=hashed)
    assert finding(examine_envoy(config, found), "chat: stickiness").level is Severity.WARN
    same = parse_config(WITHOUT_STICKY + "    sticky: {route: true}\n")
    assert finding(examine_envoy(same, found), "chat: stickiness").level is (Severity.OK if hashed else Severity.WARN)


def test_a_route_for_empty_sticky_headers_needs_no_hash_policy() -> None:
    dump = copy.deepcopy(dict(facts().dump))
    routes = dump["configs"][2]["static_route_configs"][0]["route_config"]["virtual_hosts"][0]["routes"]
    routes[1:2] = with_empty_value(CONFIG, "chat", routes[1])
    assert "hash_policy" not in routes[1]["route"]
    assert finding(examine_envoy(CONFIG, facts(dump=dump)), "chat: stickiness").level is Severity.OK
    del routes[2]["route"]["hash_policy"]
    assert finding(examine_envoy(CONFIG, facts(dump=dump)), "chat: stickiness").level is Severity.FAIL


def test_a_route_for_requests_with_a_sticky_value_needs_a_hash_policy() -> None:
    value = {"name": "x-user-id", "string_match": {"exact": ""}, "invert_match": True}
    dump = copy.deepcopy(dict(edited(*ROUTE[:-1], "match", "headers", value=[value]).dump))
    assert finding(examine_envoy(CONFIG, facts(dump=dump)), "chat: stickiness").level is Severity.OK
    route = dump["configs"][2]["static_route_configs"][0]["route_config"]["virtual_hosts"][0]["routes"][1]
    del route["route"]["hash_policy"]
    assert finding(examine_envoy(CONFIG, facts(dump=dump)), "chat: stickiness").level is Severity.FAIL


def test_two_hash_policies_on_a_sticky_route_are_a_warning() -> None:
    other = [{"header": {"header_name": "x-user-id"}}, {"connection_properties": {"source_ip": True}}]
    found = finding(examine_envoy(CONFIG, edited(*ROUTE, "hash_policy", value=other)), "chat: stickiness")
    assert (found.level, "consistentHash" in found.remedy) == (Severity.WARN, True)


@pytest.mark.parametrize(
    ("prefix", "match", "level"),
    [
        ("/v1", {"path_separated_prefix": "/v1"}, Severity.OK),
        ("/v1", {"prefix": "/v1/chat"}, Severity.OK),
        ("/v1", {"path": "/v1/models"}, Severity.OK),
        ("/v1", {"prefix": "/v1"}, Severity.FAIL),  # it takes /v1beta too
        ("/v1", {"path": "/v2"}, Severity.FAIL),
        ("/", {"prefix": "/"}, Severity.OK),
    ],
)
def test_a_route_inside_a_workloads_prefix_may_carry_its_split(prefix: str, match: Json, level: Severity) -> None:
    config = parse_config(YAML.replace("path: /v1/chat/completions", f"path_prefix: {prefix}"))
    findings = examine_envoy(config, with_match(**match, headers=[POST]))
    assert finding(findings, "chat: routes").level is level


def test_a_baseline_that_is_a_cluster_of_the_users_must_be_in_envoy_and_in_the_split() -> None:
    there = 'cloud: {cluster: "theirs", host: a}'
    config = parse_config(YAML.replace('cloud: {url: "http://127.0.0.1:9001"}', there))
    healthy = facts(config)
    found = finding(examine_envoy(config, healthy), "clusters")
    assert (found.level, found.detail) == (Severity.FAIL, "not in this Envoy: theirs")
    assert finding(examine_envoy(config, healthy), "chat: split").level is Severity.OK
    assert "theirs" in finding(examine_envoy(config, facts()), "chat: split").remedy


def test_an_aggregate_of_an_earlier_configuration_is_found() -> None:
    place = (3, "static_clusters", AGGREGATE, "cluster", "cluster_type", "typed_config", "clusters")
    found = [f for f in examine_envoy(CONFIG, edited(*place, value=["onprem", "cloud-for-onprem"])) if f.remedy]
    assert [(f.check, f.level) for f in found] == [("clusters", Severity.FAIL)]
    assert "cloud-for-onprem" in found[0].detail
