"""The configuration to observe all traffic: with workloads, without, and inserted into a user's bootstrap."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from glidepath import envoy_names, runtime_keys
from glidepath.call_classes import CallClass, call_class
from glidepath.config import Config, parse_config
from glidepath.errors import ConfigError
from glidepath.inventory.callers import CREDENTIALS
from glidepath_ops.envoyconfig.bootstrap import render_bootstrap
from glidepath_ops.envoyconfig.filters import CAPTURE
from glidepath_ops.envoyconfig.insert_into_bootstrap import insert_glidepath
from glidepath_ops.envoyconfig.observing_filters import CALLER
from tests.conftest import VALID
from tests.integration.capture.test_inventory_before_workloads import USERS_BOOTSTRAP
from tests.support import quick_yaml
from tests.support.commands import run_cli

WITHOUT = """\
envoy: {default_backend: cloud}
inventory: {callers: [x-team], sample: 12.5, paths: [/ask.it]}
backends: {cloud: {url: "http://127.0.0.1:9001"}}
"""


def manager(config: Config) -> dict[str, Any]:
    live = render_bootstrap(config)["static_resources"]["listeners"][0]
    found: dict[str, Any] = live["filter_chains"][0]["filters"][0]["typed_config"]
    return found


def filter_named(found: dict[str, Any], name: str) -> Any:
    return next((one["typed_config"] for one in found["http_filters"] if one["name"] == name), None)


def matcher(found: dict[str, Any]) -> Any:
    (one,) = filter_named(found, CAPTURE)["xds_matcher"]["matcher_list"]["matchers"]
    return one


def test_without_the_section_nothing_is_observed() -> None:
    found = manager(parse_config(VALID))
    assert filter_named(found, CALLER) is None
    assert filter_named(found, CAPTURE)["xds_matcher"] == {}
    assert envoy_names.CALLER_TAG not in str(found["access_log"])


def test_a_sample_of_the_inference_calls_is_copied_without_waiting() -> None:
    config = parse_config(WITHOUT)
    action = matcher(manager(config))["on_match"]["action"]["typed_config"]
    copying = action["typed_config"]["typed_config"]
    assert (copying["observability_mode"], copying["failure_mode_allow"]) == (True, True)
    assert action["sample_percent"]["default_value"] == {"numerator": 125_000, "denominator": "MILLION"}
    assert action["sample_percent"]["runtime_key"] == runtime_keys.INVENTORY_SAMPLE
    layer = render_bootstrap(config)["layered_runtime"]["layers"][0]["static_layer"]
    assert layer[runtime_keys.INVENTORY_SAMPLE] == {"numerator": 125_000, "denominator": "MILLION"}


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/v1/messages?x=1", "/ask.it", "/ask.it?x", "/askXit", "/v1/models", "/"]
)
def test_the_paths_that_are_copied_are_those_of_inference_and_the_declared_ones(path: str) -> None:
    _, by_path = matcher(manager(parse_config(WITHOUT)))["predicate"]["and_matcher"]["predicate"]
    pattern = by_path["single_predicate"]["value_match"]["safe_regex"]["regex"]
    inference = call_class("POST", path, "/ask.it") is CallClass.INFERENCE
    assert bool(re.fullmatch(pattern, path)) == inference


def test_extproc_gets_credentials_only_if_callers_are_told_apart_by_them() -> None:
    def sent(text: str) -> set[str]:
        action = matcher(manager(parse_config(text)))["on_match"]["action"]["typed_config"]
        patterns = action["typed_config"]["typed_config"]["forward_rules"]["allowed_headers"]["patterns"]
        return {one["exact"] for one in patterns}

    assert {"x-team", *CREDENTIALS} <= sent(WITHOUT)
    without = sent(WITHOUT.replace("callers: [x-team]", "fingerprint: false"))
    assert without.isdisjoint({"x-team", *envoy_names.CREDENTIAL_HEADERS})


def test_a_workload_keeps_its_own_capture() -> None:
    found = manager(parse_config(VALID + "inventory: {}\n"))
    routes = found["route_config"]["virtual_hosts"][0]["routes"]
    split = next(route for route in routes if route["name"] == envoy_names.route_name("chat"))
    assert runtime_keys.shadow_key("chat") in str(split["typed_per_filter_config"][CAPTURE])
    assert runtime_keys.INVENTORY_SAMPLE in str(filter_named(found, CAPTURE))


def test_a_users_bootstrap_gets_no_route_and_no_listener() -> None:
    config = parse_config("inventory: {}\n")
    text = USERS_BOOTSTRAP.replace("%LISTEN%", "1000").replace("%ADMIN%", "1001").replace("%BACKEND%", "1002")
    before, after = quick_yaml.safe_load(text), quick_yaml.safe_load(insert_glidepath(text, config, "envoy.yaml"))
    old, new = before["static_resources"], after["static_resources"]
    assert len(new["listeners"]) == 1
    added = [one["name"] for one in new["clusters"][len(old["clusters"]) :]]
    assert added == [envoy_names.EXTPROC_CLUSTER, envoy_names.ACCESS_LOG_CLUSTER]
    mine, theirs = (one["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"] for one in (new, old))
    assert [one["name"] for one in mine.pop("http_filters")] == [CALLER, CAPTURE, "envoy.filters.http.router"]
    assert len(mine.pop("access_log")) == 1
    theirs.pop("http_filters")
    assert mine == theirs


def test_a_complete_bootstrap_needs_a_route_for_the_traffic(tmp_path: Path) -> None:
    file = tmp_path / "glidepath.yaml"
    file.write_text("inventory: {}\n")
    with pytest.raises(ConfigError, match=r"envoy\.default_backend: is missing"):
        run_cli("render", "-c", str(file))


@pytest.mark.parametrize("target", [("istio",), ("envoy-gateway", "--new-route")])
def test_a_mesh_without_workloads_is_refused_with_the_other_way(target: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "glidepath.yaml"
    file.write_text(WITHOUT)
    with pytest.raises(ConfigError, match="glidepath inventory --from FILE"):
        run_cli("render", *target, "-c", str(file), "-o", str(tmp_path))


def test_a_mesh_with_a_workload_observes_the_other_requests_too(tmp_path: Path) -> None:
    file = tmp_path / "glidepath.yaml"
    cluster = '{cluster: "outbound|80||llm.svc", host: llm.svc}'
    file.write_text(VALID.replace('{url: "http://127.0.0.1:9001", model: gpt-4o-mini}', cluster) + "inventory: {}\n")
    place = ("--context", "sidecar", "--service", "llm.svc:80", "--workload-selector", "app=shop")
    shown = run_cli("render", "istio", "-c", str(file), *place, "-o", "-")
    (envoy_filter,) = (one for one in quick_yaml.safe_load_all(shown) if one and one.get("kind") == "EnvoyFilter")
    patches = [one["patch"]["value"] for one in envoy_filter["spec"]["configPatches"]]
    added = {one.get("name"): one for one in patches if isinstance(one, dict)}
    assert CALLER in added
    assert runtime_keys.INVENTORY_SAMPLE in str(added[CAPTURE])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("backends: {}\n", "workloads: is missing"),
        ("{}", "workloads: is missing"),
        (VALID.partition("workloads:")[2].join(["workloads:", ""]), "backends: is missing"),
        ("inventory: {callers: [authorization]}", "carries a credential"),
        ("inventory: {callers: ['a b']}", "is not the name of a header"),
        ("inventory: {paths: [ask]}", "is not a path"),
    ],
)
def test_what_is_missing_or_wrong_is_named(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_config(text)
