"""Tests of doctor's checks: each fault of an Envoy or a Redis gets its finding and remedy."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from glidepath.config import Config, parse_config
from glidepath.config.request_match import Match
from glidepath.scorer_groups import LastSteering
from glidepath.status_and_decisions import SideRefusal
from glidepath.unseen_log_entries import UnseenRecord
from glidepath_ops.doctor.checks import examine, examine_envoy, examine_languages, examine_redis
from glidepath_ops.doctor.facts import EnvoyFacts, Finding, RedisFacts, Severity
from glidepath_ops.envoyconfig.bootstrap import render_bootstrap
from glidepath_ops.envoyconfig.envoy_api_builders import HTTP_OPTIONS
from glidepath_ops.envoyconfig.extensions import used_extensions
from glidepath_ops.envoyconfig.filters import CAPTURE
from glidepath_ops.envoyconfig.path_conditions import path_header
from tests.support.chat_config import CHAT_CONFIG

Json = dict[str, Any]
WITHOUT_STICKY = CHAT_CONFIG
YAML = WITHOUT_STICKY + "    sticky: {header: x-user-id}\n"
CONFIG = parse_config(YAML)


def facts(config: Config = CONFIG, **changes: Any) -> EnvoyFacts:
    """Return the facts of a healthy Envoy with the rendered configuration, in the form of its own dump."""
    bootstrap = render_bootstrap(config)
    listeners = bootstrap["static_resources"]["listeners"]
    tables = [
        manager["typed_config"]["route_config"]
        for listener in listeners
        for chain in listener["filter_chains"]
        for manager in chain["filters"]
    ]
    clusters = bootstrap["static_resources"]["clusters"]
    kind = "type.googleapis.com/envoy.admin.v3."
    dump = {
        "configs": [
            {"@type": f"{kind}BootstrapConfigDump", "bootstrap": bootstrap},
            {"@type": f"{kind}ListenersConfigDump", "static_listeners": [{"listener": one} for one in listeners]},
            {"@type": f"{kind}RoutesConfigDump", "static_route_configs": [{"route_config": one} for one in tables]},
            {"@type": f"{kind}ClustersConfigDump", "static_clusters": [{"cluster": one} for one in clusters]},
        ]
    }
    connected = {"stats": [{"name": "cx_active", "value": "1"}, {"name": "cx_connect_fail"}]}
    well = {
        "server_info": server_info("1.40.0", used_extensions(config)),
        "dump": dump,
        "clusters": {"cluster_statuses": [{"name": "glidepath-extproc", "host_statuses": [connected]}]},
        "stats": {"access_logs.grpc_access_log.logs_written": 7},
        "clock_skew_s": 0.1,
    }
    return EnvoyFacts("http://127.0.0.1:9901", **(well | changes))


def server_info(version: str, extensions: Iterable[str] = ()) -> dict[str, Any]:
    """Return the answer at /server_info of an Envoy whose build has the ``extensions``."""
    named = [{"name": name, "category": "some"} for name in extensions]
    return {"version": f"abc/{version}/Clean/RELEASE/BoringSSL", "node": {"extensions": named}}


def without(*left_out: str) -> dict[str, Any]:
    return server_info("1.40.0", set(used_extensions(CONFIG)) - set(left_out))


def finding(findings: list[Finding], check: str) -> Finding:
    return next(f for f in findings if f.check == check)


def edited(*path: str | int, value: Any) -> EnvoyFacts:
    """Return the facts of the healthy Envoy with one value of its dump changed."""
    dump = copy.deepcopy(dict(facts().dump))
    node: Any = dump["configs"]
    for part in path[:-1]:
        node = node[part]
    node[path[-1]] = value
    return facts(dump=dump)


def extproc(fails: int) -> Json:
    """Return the answer at /clusters for an extproc without connections, after this number of failed attempts."""
    stats = [{"name": "cx_connect_fail", "value": str(fails)}, {"name": "cx_active"}]
    host = {"address": {"pipe": {"path": "/run/x.sock"}}, "stats": stats}
    return {"cluster_statuses": [{"name": "glidepath-extproc", "host_statuses": [host]}]}


MANAGER = (1, "static_listeners", 0, "listener", "filter_chains", 0, "filters", 0, "typed_config")
WHOLE_ROUTE = (2, "static_route_configs", 0, "route_config", "virtual_hosts", 0, "routes", 1)
ROUTE = (*WHOLE_ROUTE, "route")
FILTERS = facts().section("ListenersConfigDump")["static_listeners"][0]["listener"]["filter_chains"][0]["filters"][0][
    "typed_config"
]["http_filters"]
REWRITES = {"name": "rewrites", "typed_config": {"@type": "type.googleapis.com/envoy.x.Lua"}}
ACTION = (*WHOLE_ROUTE, "typed_per_filter_config", CAPTURE, "xds_matcher", "on_no_match", "action", "typed_config")
EXT_PROC = (*ACTION, "typed_config", "typed_config")
CLUSTERS = [one["cluster"]["name"] for one in facts().section("ClustersConfigDump")["static_clusters"]]
AGGREGATE = CLUSTERS.index("onprem-or-cloud")
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
    """Return the facts of an Envoy where a route of the user's carries the split."""
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
def test_a_file_that_says_otherwise_than_the_route_how_requests_are_assigned_is_a_warning(
    said: str, hashed: bool
) -> None:
    config = parse_config(WITHOUT_STICKY + f"    sticky: {{{said}: true}}\n")
    found = edited(*ROUTE, "weighted_clusters", "use_hash_policy", value=hashed)
    assert finding(examine_envoy(config, found), "chat: stickiness").level is Severity.WARN
    same = parse_config(WITHOUT_STICKY + "    sticky: {route: true}\n")
    assert finding(examine_envoy(same, found), "chat: stickiness").level is (Severity.OK if hashed else Severity.WARN)


def test_two_hash_policies_on_a_sticky_route_are_a_warning() -> None:
    other = [{"header": {"header_name": "x-user-id"}}, {"connection_properties": {"source_ip": True}}]
    found = finding(examine_envoy(CONFIG, edited(*ROUTE, "hash_policy", value=other)), "chat: stickiness")
    assert (found.level, "consistentHash" in found.remedy) == (Severity.WARN, True)


REDIS = RedisFacts(
    "redis://r:6379",
    version="7.2.4",
    eviction="noeviction",
    unseen=UnseenRecord(produced=10),
    append_only=True,
    clock_skew_s=0.0,
    leader="scorer-1",
    last_steering={"chat": LastSteering("", 0.3)},
    status_age_s={"chat": 0.3},
    blind={"chat": ""},
)
SICK_REDIS = [
    ({"error": "refused"}, "reachable", Severity.FAIL),
    ({"version": "6.0.16"}, "version", Severity.FAIL),
    ({"eviction": "allkeys-lru"}, "memory policy", Severity.FAIL),
    ({"eviction": None}, "memory policy", Severity.WARN),
    ({"append_only": False, "snapshots": True}, "persistence", Severity.WARN),
    ({"append_only": False, "snapshots": False}, "persistence", Severity.FAIL),
    ({"append_only": None}, "persistence", Severity.WARN),
    ({"append_only": True, "append_failed": True}, "persistence", Severity.FAIL),
    ({"clock_skew_s": 9.0}, "clock", Severity.WARN),
    ({"leader": ""}, "leader", Severity.FAIL),
    ({"status_age_s": {"chat": None}}, "chat: status", Severity.WARN),
    ({"status_age_s": {"chat": 60.0}}, "chat: status", Severity.FAIL),
    ({"last_steering": {"chat": LastSteering("", 60.0)}}, "chat: group", Severity.FAIL),
    ({"last_steering": {"chat": LastSteering()}}, "chat: group", Severity.FAIL),
    ({"last_steering": {"chat": LastSteering("b", 1.0)}}, "chat: group", Severity.FAIL),
    ({"blind": {"chat": "of 1 of 1 Envoy no outcome arrives"}}, "outcomes arrive", Severity.FAIL),
    ({"blind": {"chat": ""}, "no_counters": {"chat": "no Envoy"}}, "outcomes arrive", Severity.WARN),
]


@pytest.mark.parametrize(("changes", "check", "level"), SICK_REDIS)
def test_a_fault_of_redis_is_found(changes: dict[str, Any], check: str, level: Severity) -> None:
    found = finding(list(examine_redis(replace(REDIS, **changes))), check)
    assert found.level is level
    assert found.remedy


def test_a_side_that_refuses_its_requests_is_named_with_what_to_do() -> None:
    refusal = SideRefusal("candidate", "credential_refused", "the candidate onprem answers 401 …", "check its key")
    found = finding(list(examine_redis(replace(REDIS, refusals={"chat": (refusal,)}))), "candidate")
    assert found == Finding("workload chat", "candidate", Severity.FAIL, refusal.detail, refusal.remedy)


def test_a_healthy_redis_has_only_findings_that_are_ok() -> None:
    assert {f.level for f in examine_redis(REDIS)} == {Severity.OK}


@pytest.mark.parametrize(
    ("record", "level", "text"),
    [
        (None, Severity.WARN, "not counted"),
        (UnseenRecord(silent="all"), Severity.WARN, "not counted"),
        (UnseenRecord(produced=394, unseen=268), Severity.WARN, "268 of 394 entries reached no extproc"),
        (UnseenRecord(produced=9), Severity.OK, "none of 9"),
        (UnseenRecord(produced=9, silent="1 of envoy.admin"), Severity.OK, "none of 9; 1 of envoy.admin not read"),
    ],
)
def test_log_entries_that_reached_no_extproc_are_shown(record: UnseenRecord | None, level: Severity, text: str) -> None:
    found = finding(list(examine_redis(replace(REDIS, unseen=record))), "unseen log entries")
    assert found.level is level
    assert text in found.detail


def test_findings_of_all_envoys_and_redis_are_in_one_list() -> None:
    findings = examine(CONFIG, [facts(), facts(error="x")], REDIS)
    assert len({f.subject for f in findings}) == 3  # the Envoys have one address here, and there is a workload
    assert finding(findings, "leader").level is Severity.OK


def test_a_group_that_does_not_steer_its_workload_is_named_with_the_remedy() -> None:
    left_out = finding(
        list(examine_redis(replace(REDIS, group="a", last_steering={"chat": LastSteering("a", 60.0)}))), "chat: group"
    )
    assert left_out.detail == "scorer-1 holds the lease of group 'a' and does not steer chat"
    assert "scorer.group of its own" in left_out.remedy
    elsewhere = finding(
        list(examine_redis(replace(REDIS, last_steering={"chat": LastSteering("b", 1.0)}))), "chat: group"
    )
    assert elsewhere.detail == "chat is steered by group 'b', this file belongs to the group without a name"
    assert "rename it" in elsewhere.remedy
    nobody = list(examine_redis(replace(REDIS, leader="", last_steering={"chat": LastSteering()})))
    assert [f.check for f in nobody if f.level is Severity.FAIL] == ["leader"]


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


def in_mesh(**changes: Any) -> EnvoyFacts:
    """Return the facts of an Envoy of Envoy Gateway, whose HTTP listeners have only a ``default_filter_chain``."""
    dump = copy.deepcopy(dict(facts().dump))
    listeners = dump["configs"][1]["static_listeners"]
    (listeners[0]["listener"]["default_filter_chain"],) = listeners[0]["listener"].pop("filter_chains")
    listeners.append({"listener": {"name": "envoy-gateway-proxy-ready-0.0.0.0-19003"}})
    return facts(dump=dump, **changes)


def test_the_filters_and_the_log_are_found_in_a_default_filter_chain() -> None:
    findings = examine_envoy(CONFIG, in_mesh())
    assert [one for one in findings if one.level is not Severity.OK] == []


def istio(**changes: Any) -> EnvoyFacts:
    info = server_info("1.40.0", used_extensions(CONFIG))
    info["node"]["metadata"] = {"ISTIO_VERSION": "1.31.0"}
    return facts(server_info=info, **changes)


def test_a_missing_runtime_layer_has_the_remedy_of_the_control_plane() -> None:
    rtds = parse_config(YAML + "envoy: {actuator: rtds}\n")
    for envoy, named in ((istio(), "BOOTSTRAP_XDS_AGENT"), (in_mesh(), "EnvoyProxy")):
        assert named in finding(examine_envoy(rtds, envoy), "runtime layer").remedy


def without_split(envoy: EnvoyFacts) -> EnvoyFacts:
    dump = copy.deepcopy(dict(envoy.dump))
    dump["configs"][2]["static_route_configs"] = []
    clusters = dump["configs"][3]["static_clusters"]
    dump["configs"][3]["static_clusters"] = [one for one in clusters if one["cluster"]["name"] != "onprem-or-cloud"]
    return replace(envoy, dump=dump)


@pytest.mark.parametrize(
    ("envoy", "named", "resource"),
    [
        (istio(), "render istio", "EnvoyFilter"),
        (in_mesh(), "render envoy-gateway", "kubectl get envoypatchpolicy"),
        (facts(), "restart or reload this Envoy", ""),
    ],
)
def test_a_missing_part_has_the_remedy_of_the_control_plane(envoy: EnvoyFacts, named: str, resource: str) -> None:
    findings = examine_envoy(CONFIG, without_split(envoy))
    routes, clusters = finding(findings, "chat: routes"), finding(findings, "clusters")
    assert (routes.level, clusters.level) == (Severity.FAIL, Severity.FAIL)
    assert named in routes.remedy
    assert all(resource in one.remedy for one in (routes, clusters))
    assert ("restart" in routes.remedy) == (not resource)
    assert "Envoy's log says why" in clusters.remedy


def test_a_workload_in_languages_that_the_embedding_model_does_not_read_is_a_warning_with_a_remedy() -> None:
    redis = replace(REDIS, languages={"chat": {"de": 80, "en": 20}, "quiet": {}})
    (found,) = examine_languages(CONFIG, redis)
    assert (found.subject, found.check, found.level) == ("workload chat", "languages", Severity.WARN)
    assert "de 80%" in found.detail
    assert "scorer.embedder.model: multilingual-e5-small (pip install 'glidepath[multilingual]')" in found.remedy
    (found,) = examine_languages(CONFIG, replace(REDIS, languages={"chat": {"en": 96, "de": 4}}))
    assert (found.level, found.detail) == (Severity.OK, "en, de")
