"""The findings of ``doctor`` about HTTPRoutes that have a workload's weights."""

from __future__ import annotations

from typing import Any

import pytest

from glidepath.config import parse_config
from glidepath_ops.doctor.checks import examine_envoy
from glidepath_ops.doctor.facts import EnvoyFacts, Finding, Severity
from glidepath_ops.doctor.http_route_checks import examine_http_routes, gather_http_routes
from tests.support.chat_config import CHAT_CONFIG
from tests.support.kubernetes_api_server import ApiServer, api_server, http_route, steered_by_http_route


async def findings(server: ApiServer) -> dict[str, Finding]:
    config = parse_config(steered_by_http_route(CHAT_CONFIG, server.url))
    return {one.check: one for one in examine_http_routes(await gather_http_routes(config))}


async def test_a_route_that_can_be_steered_has_no_problem_and_is_not_changed() -> None:
    async with api_server(http_route(95, 5)) as server:
        found = await findings(server)
        assert {one.level for one in found.values()} == {Severity.OK}
        assert found["chat: weights"].detail == "5 % for InferencePool vllm"
        assert set(found) == {"chat: weights", "chat: may be changed", "chat: served"}
        assert server.patches == []
        assert server.weights() == [95, 5]


async def test_a_route_that_may_not_be_read_is_a_failure_with_the_remedy() -> None:
    async with api_server(http_route(95, 5)) as server:
        server.forbidden = True
        (one,) = (await findings(server)).values()
        assert (one.level, one.check) == (Severity.FAIL, "chat: readable")
        assert "403" in one.detail
        assert "deploy/kubernetes/http-route" in one.remedy


async def test_a_route_that_may_not_be_changed_is_a_failure_with_the_remedy() -> None:
    async with api_server(http_route(95, 5)) as server:
        server.on_patch = lambda: server.edit(lambda route: route["spec"]["rules"][0]["backendRefs"].reverse())
        assert (await findings(server))["chat: may be changed"].level is Severity.FAIL


@pytest.mark.parametrize(("weights", "detail"), [((0, 0), "both are 0"), ((None, None), "50 % for InferencePool vllm")])
async def test_the_weights_are_shown(weights: Any, detail: str) -> None:
    async with api_server(http_route(*weights)) as server:
        assert (await findings(server))["chat: weights"].detail.startswith(detail)


async def test_a_gateway_that_does_not_serve_the_route_is_named() -> None:
    async with api_server(http_route(95, 5)) as server:
        server.controller = False
        server.edit(lambda route: route["spec"]["rules"][0].update(name="chat"))
        served = (await findings(server))["chat: served"]
        assert (served.level, served.detail) == (
            Severity.WARN,
            "eg: it serves generation 1 of the HTTPRoute, which has 2",
        )


@pytest.mark.parametrize(("controller", "warned"), [("istio.io/gateway-controller", True), ("another.test/c", False)])
async def test_a_pool_that_istio_would_serve_without_its_picker_is_a_warning(controller: str, warned: bool) -> None:
    def serve(route: dict[str, Any]) -> None:
        route["status"]["parents"][0]["controllerName"] = controller

    async with api_server(http_route(95, 5)) as server:
        server.edit(serve)
        assert "chat: endpoint picker" not in await findings(server), "the pool is the last backendRef"
        server.edit(lambda route: route["spec"]["rules"][0]["backendRefs"].reverse())
        server.edit(serve)
        found = (await findings(server)).get("chat: endpoint picker")
        assert (found is not None and found.level is Severity.WARN) is warned


async def test_a_route_without_the_two_sides_is_a_failure() -> None:
    async with api_server(http_route(95, 5)) as server:
        server.edit(lambda route: route["spec"]["rules"][0]["backendRefs"].pop())
        weights = (await findings(server))["chat: weights"]
        assert weights.level is Severity.FAIL
        assert "no backendRef for the candidate" in weights.detail


async def test_a_configuration_without_httproutes_asks_no_api_server() -> None:
    assert await gather_http_routes(parse_config(CHAT_CONFIG)) == []


def test_an_envoy_needs_no_split_of_a_workload_whose_weights_are_in_an_httproute() -> None:
    def checks(text: str) -> set[str]:
        return {one.check for one in examine_envoy(parse_config(text), EnvoyFacts("http://127.0.0.1:1"))}

    assert "chat: routes" in checks(CHAT_CONFIG)
    assert not [one for one in checks(steered_by_http_route(CHAT_CONFIG, "http://127.0.0.1:1")) if "chat" in one]
