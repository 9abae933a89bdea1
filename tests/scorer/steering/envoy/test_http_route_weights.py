"""Reading a workload's weights from an HTTPRoute, and the patches that change them."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.config import parse_config
from glidepath.runtime_keys import FULL_WEIGHT
from scorer.steering.envoy.http_route_weights import (
    RouteError,
    ServingGateway,
    SteeredRule,
    entries_of,
    gateways,
    patch_of,
    steered_rules,
)
from scorer.steering.envoy.runtime_values import desired_values
from tests.support.chat_config import CHAT_CONFIG
from tests.support.json_values import JSON
from tests.support.kubernetes_api_server import (
    ApiServer,
    PatchTestError,
    apply_operation,
    http_route,
    steered_by_http_route,
)

CONFIG = parse_config(steered_by_http_route(CHAT_CONFIG, "http://127.0.0.1:1"))
(RULE,) = steered_rules(CONFIG)
CANDIDATE, BASELINE = RULE.keys.candidate, RULE.keys.baseline


def read(route: dict[str, Any], rule: SteeredRule = RULE) -> tuple[int, int]:
    entries = entries_of(route, rule)
    return int(entries[CANDIDATE]), int(entries[BASELINE])


def stored(route: dict[str, Any]) -> dict[str, Any]:
    return ApiServer("").add(route)


def patched(route: dict[str, Any], operations: list[Any]) -> dict[str, Any]:
    after = deepcopy(route)
    for one in operations:
        apply_operation(after, one)
    return after


@pytest.mark.parametrize(
    ("weights", "candidate"),
    [((9500, 500), 500), ((90, 10), 1000), ((None, None), 5000), ((1, 0), 0), ((0, 1), 10_000), ((2, 1), 3333)],
)
def test_weights_are_proportions_in_basis_points(weights: tuple[int | None, int | None], candidate: int) -> None:
    assert read(http_route(*weights)) == (candidate, FULL_WEIGHT - candidate)


def test_two_zeros_are_no_weights() -> None:
    assert read(http_route(0, 0)) == (0, 0)


@given(st.floats(0, 100), st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), st.booleans(), st.booleans())
def test_a_patched_route_has_the_desired_values_and_changes_nothing_else(
    percent: float, weights: tuple[int, int], autopilot: bool, annotated: bool
) -> None:
    route = http_route(*weights)
    if annotated:
        route["metadata"]["annotations"] = {"theirs": "stays"}
    stored(route)
    wanted = desired_values(percent, 10, autopilot)
    after = patched(route, patch_of(route, RULE, RULE.keys.write(wanted)))
    assert RULE.keys.read(entries_of(after, RULE)) == wanted
    assert patch_of(after, RULE, RULE.keys.write(wanted)) == []
    assert after["metadata"]["annotations"].get("theirs") == ("stays" if annotated else None)
    for one in (*route["spec"]["rules"][0]["backendRefs"], *after["spec"]["rules"][0]["backendRefs"]):
        one.pop("weight", None)
    assert after["spec"] == route["spec"]


def test_a_change_by_another_makes_the_patch_fail() -> None:
    route = stored(http_route(90, 10))
    operations = patch_of(route, RULE, {CANDIDATE: "500", BASELINE: "9500"})
    other = deepcopy(route)
    other["spec"]["rules"][0]["backendRefs"][1]["weight"] = 20
    with pytest.raises(PatchTestError):
        patched(other, operations)


def test_a_retreat_is_not_stopped_by_a_change_of_the_weights_but_by_other_backends() -> None:
    route = stored(http_route(90, 10))
    operations = patch_of(route, RULE, {CANDIDATE: "0", BASELINE: "10000"}, at_once=True)
    other = deepcopy(route)
    other["spec"]["rules"][0]["backendRefs"][1]["weight"] = 20
    assert read(patched(other, operations)) == (0, 10_000)
    other["spec"]["rules"][0]["backendRefs"][1]["name"] = "another"
    with pytest.raises(PatchTestError):
        patched(other, operations)


def with_references(*names: str) -> dict[str, Any]:
    route = http_route(1, 1)
    route["spec"]["rules"][0]["backendRefs"] = [{"name": name} for name in names]
    return route


@pytest.mark.parametrize(
    ("route", "message"),
    [
        (with_references("cloud"), "no backendRef for the candidate, InferencePool vllm; it has Service cloud"),
        (with_references(), "it has none at all"),
        ({"spec": {"rules": []}}, "no rule 0: it has 0"),
        ({}, "no rule 0"),
        ({"spec": "x"}, "no rule 0"),
    ],
)
def test_what_is_missing_is_named(route: dict[str, Any], message: str) -> None:
    with pytest.raises(RouteError, match=message):
        entries_of(route, RULE)


def test_a_third_backend_is_refused() -> None:
    route = http_route(1, 1)
    route["spec"]["rules"][0]["backendRefs"].append({"name": "canary"})
    with pytest.raises(RouteError, match=r"more backendRefs than the two sides: .*Service canary"):
        entries_of(route, RULE)


def test_a_rule_is_found_by_its_name() -> None:
    route = http_route(3, 1)
    route["spec"]["rules"] = [{"name": "other"}, {**route["spec"]["rules"][0], "name": "chat"}]
    target = RULE.target.model_copy(update={"rule": "chat"})
    assert read(route, SteeredRule("chat", target, RULE.keys)) == (2500, 7500)


@given(JSON)
def test_any_object_gives_entries_or_an_error(value: Any) -> None:
    for route in (value, {"spec": {"rules": value}}, {"spec": {"rules": [{"backendRefs": value}]}}, {"status": value}):
        if not isinstance(route, dict):
            continue
        try:
            entries_of(route, RULE)
        except RouteError:
            continue
        finally:
            assert gateways(route)


def test_a_gateway_serves_the_weights_once_its_status_is_of_the_present_generation() -> None:
    route = stored(http_route(9500, 500))
    assert gateways(route) == [ServingGateway("eg")]
    route["metadata"]["generation"] = 2
    assert [one.problem for one in gateways(route)] == ["it serves generation 1 of the HTTPRoute, which has 2"]


@pytest.mark.parametrize(("kind", "status"), [("Accepted", "False"), ("ResolvedRefs", "False")])
def test_a_gateway_that_refuses_the_route_says_why(kind: str, status: str) -> None:
    route = stored(http_route(9500, 500))
    for one in route["status"]["parents"][0]["conditions"]:
        if one["type"] == kind:
            one.update(status=status, reason="BackendNotFound", message="no such pool")
    assert [one.problem for one in gateways(route)] == [f"{kind} is False: BackendNotFound: no such pool"]


def test_without_a_gateway_nothing_serves() -> None:
    route = http_route(1, 1)
    assert [one.problem for one in gateways(route)] == ["no Gateway has accepted the HTTPRoute"]
