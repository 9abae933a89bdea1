"""Tests of doctor's checks of an Envoy of a mesh: the remedy names the control plane's resource."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from glidepath.config import parse_config
from glidepath_ops.doctor.checks import examine_envoy
from glidepath_ops.doctor.facts import EnvoyFacts, Severity
from glidepath_ops.envoyconfig.extensions import used_extensions
from tests.support.envoy_facts import (
    CONFIG,
    YAML,
    facts,
    finding,
    server_info,
)


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
