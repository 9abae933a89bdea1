"""The steer loop with a real Redis and the weights of an HTTPRoute; the API server is a stand-in over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from glidepath.config import Config, parse_config
from glidepath.config.connections import RedisSection
from glidepath.sides import Origin
from glidepath.status_and_decisions import CommandKind
from tests.integration.steering.test_steering_by_admin_api import YAML
from tests.support.kubernetes_api_server import ApiServer, api_server, http_route, steered_by_http_route
from tests.support.steering_client import SteeringClient, steering
from tests.support.waiting import eventually


def config_of(server: ApiServer, redis_url: str) -> Config:
    config = parse_config(steered_by_http_route(YAML, server.url))
    return config.model_copy(update={"redis": RedisSection(url=redis_url)})


@asynccontextmanager
async def steered(redis_url: str, *weights: int) -> AsyncIterator[tuple[ApiServer, SteeringClient]]:
    async with api_server(http_route(*weights)) as server, steering(config_of(server, redis_url)) as client:
        yield server, client


async def test_the_share_rises_on_proof_and_falls_on_a_failed_guard(redis_url: str) -> None:
    async with steered(redis_url, 1, 0) as (server, client):
        await eventually(lambda: client.stands("shadow", 0, 2))  # the rule, and the Gateway that serves it
        await client.score(0.95)
        await client.outcomes(3, 0, Origin.SHADOW)
        await eventually(lambda: client.stands("baking", 5, 2))
        assert server.weights() == [9500, 500]
        await client.outcomes(3, 3)
        await eventually(lambda: server.weights() == [10_000, 0])
        await eventually(lambda: client.stands("cooling_down", 0, 2))


async def test_weights_set_by_a_person_are_adopted_and_held(redis_url: str) -> None:
    def change(route: dict[str, Any]) -> None:
        baseline, candidate = route["spec"]["rules"][0]["backendRefs"]
        baseline["weight"], candidate["weight"] = 70, 30

    async with steered(redis_url, 1, 0) as (server, client):
        await eventually(lambda: client.stands("shadow", 0, 2))
        server.edit(change)
        await eventually(lambda: client.stands("held", 30, 2))
        decision = await client.logged("adopt_weights")
        assert decision is not None
        assert "httproute models/chat/0" in decision.reason


async def test_no_step_before_the_gateway_serves_the_last_one(redis_url: str) -> None:
    async with steered(redis_url, 1, 0) as (server, client):
        await eventually(lambda: client.stands("shadow", 0, 2))
        server.controller = False
        await client.order(CommandKind.PROMOTE)
        await eventually(lambda: client.stands("baking", 5, 1))
        await client.score(0.95)
        await client.outcomes(5, 0)
        status = await client.status()
        assert status is not None
        assert (status.percent, status.confirmed, status.envoys) == (5, 1, 2)
        server.serve(server.route())
        await eventually(lambda: client.stands("baking", 5, 2))


async def test_a_rollback_is_written_although_no_gateway_takes_it(redis_url: str) -> None:
    async with steered(redis_url, 1, 0) as (server, client):
        await eventually(lambda: client.stands("shadow", 0, 2))
        await client.order(CommandKind.PROMOTE)
        await eventually(lambda: client.stands("baking", 5, 2))
        server.controller = False
        await client.order(CommandKind.ROLLBACK)
        await eventually(lambda: server.weights() == [10_000, 0])
        await eventually(lambda: client.stands("rolling_back", 0, 1))


async def test_an_annotation_switches_the_automation_off_and_on(redis_url: str) -> None:
    def annotate(value: str | None) -> Any:
        def change(route: dict[str, Any]) -> None:
            annotations = route["metadata"].setdefault("annotations", {})
            annotations.pop("glidepath/chat.autopilot", None)
            annotations.update({} if value is None else {"glidepath/chat.autopilot": value})

        return change

    async def autopilot_is(on: bool) -> bool:
        status = await client.status()
        return status is not None and status.autopilot is on

    async with steered(redis_url, 1, 0) as (server, client):
        await eventually(lambda: client.stands("shadow", 0, 2))
        server.edit(annotate("0"))
        await eventually(lambda: autopilot_is(False))
        server.edit(annotate(None))
        await eventually(lambda: autopilot_is(True))
