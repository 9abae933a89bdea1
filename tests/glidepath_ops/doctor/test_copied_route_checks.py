"""Tests of doctor's check that the copy of a user's route has the settings of Istio's other resources too."""

from __future__ import annotations

from typing import Any

import pytest

from glidepath_ops.doctor.copied_route_checks import examine_copied_routes, settings_lost
from glidepath_ops.doctor.facts import EnvoyFacts, Severity

Json = dict[str, Any]
FILTERS = "typed_per_filter_config"
OWN: Json = {
    "name": "models",
    "match": {"prefix": "/v1/"},
    "route": {"cluster": "a", "timeout": "60s"},
    FILTERS: {"envoy.filters.http.cors": {}},
}


def copy_of(own: Json, **changes: Any) -> Json:
    """Return the Envoy route of the VirtualService's copied route, with the split of the EnvoyFilter."""
    route = {key: value for key, value in own["route"].items() if key != "cluster"} | {"weighted_clusters": {}}
    ours = {"metadata": {"filter_metadata": {"glidepath": {"workload": "chat"}}}, "name": "glidepath-chat"}
    return {**own, "route": route, FILTERS: {**own[FILTERS], "glidepath.capture": {}}, **ours, **changes}


def envoy(*routes: Json) -> EnvoyFacts:
    table = {"virtual_hosts": [{"routes": list(routes)}]}
    section = {"@type": "x.RoutesConfigDump", "dynamic_route_configs": [{"route_config": table}]}
    return EnvoyFacts("http://e", dump={"configs": [section]})


RATE_LIMIT = {**OWN, FILTERS: {**OWN[FILTERS], "envoy.filters.http.local_ratelimit": {}}}
LIMITS = {**OWN, "route": {**OWN["route"], "rate_limits": [{}]}}
ADDED = {**OWN, "response_headers_to_add": [{}]}


@pytest.mark.parametrize(
    ("patched", "lost"),
    [
        (OWN, []),
        (RATE_LIMIT, ["envoy.filters.http.local_ratelimit"]),
        (LIMITS, ["route.rate_limits"]),
        (ADDED, ["response_headers_to_add"]),
    ],
)
def test_a_setting_that_an_envoy_filter_added_only_to_the_users_route_is_named(patched: Json, lost: list[str]) -> None:
    assert settings_lost(copy_of(OWN), patched) == lost
    second = copy_of(OWN, name="glidepath-chat-2")
    (found,) = examine_copied_routes("envoy", "chat", envoy(copy_of(OWN), second, patched, {"name": "rest"}))
    assert found.level is (Severity.WARN if lost else Severity.OK)
    assert all(one in found.detail for one in lost)
    assert ("route glidepath-chat too" in found.remedy) == bool(lost)


@pytest.mark.parametrize(
    "routes",
    [
        [copy_of(OWN, name="models"), RATE_LIMIT],  # a route of the user's that has the split itself
        [copy_of(OWN, name="glidepath-chatter"), RATE_LIMIT],
        [copy_of(OWN)],  # nothing behind it
        [],
    ],
)
def test_a_route_that_is_no_copy_is_not_compared(routes: list[Json]) -> None:
    assert list(examine_copied_routes("envoy", "chat", envoy(*routes))) == []
