"""Steering by the weights of an HTTPRoute, with a stand-in for the API server over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from glidepath.config import parse_config
from glidepath.config.kubernetes import KubernetesSection
from scorer.steering.envoy.http_route import CONFLICTS_AT_ONCE
from scorer.steering.envoy.http_route_actuator import HttpRouteActuator
from scorer.steering.envoy.http_route_weights import steered_rules
from scorer.steering.envoy.kubernetes_api import ApiError, KubernetesApi
from scorer.steering.envoy.runtime_values import RuntimeEntries, desired_values
from tests.support.chat_config import CHAT_CONFIG
from tests.support.kubernetes_api_server import ApiServer, api_server, http_route, steered_by_http_route
from tests.support.waiting import eventually

PLACE, GATEWAY = "httproute models/chat/0", "httproute models/chat/0 at eg"


class Steered:
    """A running actuator of the workload ``chat``. ``leads``: whether this process holds the leader's lease."""

    def __init__(self, server: ApiServer) -> None:
        config = parse_config(steered_by_http_route(CHAT_CONFIG, server.url))
        (rule,) = steered_rules(config)
        self.server, self.keys, self.leads = server, rule.keys, True
        self.actuator = HttpRouteActuator(config.kubernetes, [rule], lambda: self.leads)

    def values(self, percent: float, autopilot: bool = True) -> RuntimeEntries:
        return self.keys.write(desired_values(percent, 10, autopilot))

    def share(self, place: str = PLACE) -> float | None:
        """Return the candidate's share in percent at this place; None if the share cannot be read."""
        entries = self.actuator.readings().get(place)
        values = None if entries is None else self.keys.read(entries)
        return None if values is None else values.percent

    def shows(self, percent: float) -> bool:
        return self.share() == self.share(GATEWAY) == percent


@asynccontextmanager
async def steered(*weights: int | None) -> AsyncIterator[Steered]:
    async with api_server(http_route(*weights)) as server:
        one = Steered(server)
        running = asyncio.create_task(one.actuator.run())
        try:
            yield one
        finally:
            running.cancel()
            await asyncio.wait({running})


async def test_weights_are_read_written_and_read_back() -> None:
    async with steered(1, 0) as one:
        await eventually(lambda: one.shows(0))
        one.actuator.submit({PLACE: one.values(5), GATEWAY: one.values(5)})
        await eventually(lambda: one.shows(5))
        assert one.server.weights() == [9500, 500]
        assert one.server.annotations() == {"glidepath/chat.shadow": "10"}
        assert len(one.server.patches) == 1, "one write, whatever the number of Gateways"
        assert one.actuator.problems() == {}


async def test_a_share_is_confirmed_only_when_the_gateway_serves_it() -> None:
    async with steered(1, 0) as one:
        await eventually(lambda: one.shows(0))
        one.server.controller = False
        one.actuator.submit({PLACE: one.values(5)})
        await eventually(lambda: one.share() == 5)
        assert one.share(GATEWAY) is None
        assert (
            one.actuator.problems()[GATEWAY] == "models/chat: eg: it serves generation 1 of the HTTPRoute, which has 2"
        )
        one.server.serve(one.server.route())
        await eventually(lambda: one.shows(5))


async def test_a_change_by_a_person_is_seen_and_not_overwritten_by_an_older_plan() -> None:
    def change(route: dict[str, Any]) -> None:
        route["spec"]["rules"][0]["backendRefs"][1]["weight"] = 7000
        route["spec"]["rules"][0]["backendRefs"][0]["weight"] = 3000

    async with steered(1, 0) as one:
        await eventually(lambda: one.shows(0))
        one.server.on_patch = lambda: one.server.edit(change)  # between the reading and the write
        one.actuator.submit({PLACE: one.values(5)})
        await eventually(lambda: one.shows(70))
        assert one.server.weights() == [3000, 7000]
        assert one.server.patches == []


@pytest.mark.parametrize("fault", [409, 422])
async def test_after_a_conflict_the_route_is_read_again_at_once(fault: int) -> None:
    async with steered(1, 0) as one:
        await eventually(lambda: one.shows(0))
        one.server.faults = [fault]
        one.actuator.submit({PLACE: one.values(5)})
        await eventually(lambda: not one.server.faults)
        await eventually(lambda: one.actuator._routes[0].idle.is_set())
        assert one.share() == 0
        assert one.actuator.problems() == {}
        one.actuator.submit({PLACE: one.values(5)})
        await eventually(lambda: one.shows(5))


async def test_conflicts_without_end_become_a_problem_and_do_not_flood_the_server() -> None:
    async with steered(5000, 5000) as one:
        await eventually(lambda: one.shows(50))
        one.server.conflicts = True  # such as an admission webhook that refuses each change
        one.actuator.retreat({PLACE: one.values(0)})
        await eventually(lambda: "answered 409" in str(one.actuator.problems()))
        patches = [method for method, _ in one.server.requests if method == "PATCH"]
        assert len(patches) == CONFLICTS_AT_ONCE + 1
        one.server.conflicts = False
        await eventually(lambda: one.shows(50))
        one.actuator.retreat({PLACE: one.values(0)})
        await eventually(lambda: one.shows(0))


async def test_a_retreat_is_sent_again_after_conflicts_also_without_the_lease() -> None:
    async with steered(5000, 5000) as one:
        await eventually(lambda: one.shows(50))
        one.leads, one.server.faults = False, [409, 422, 409]
        one.actuator.submit({PLACE: one.values(75)})
        one.actuator.retreat({PLACE: one.values(0)})
        await eventually(lambda: one.shows(0))
        assert one.server.weights() == [10_000, 0]


async def test_without_the_lease_nothing_is_written() -> None:
    async with steered(1, 0) as one:
        await eventually(lambda: one.shows(0))
        one.leads = False
        one.actuator.submit({PLACE: one.values(5)})
        await eventually(lambda: "lease was lost" in str(one.actuator.problems()))
        await eventually(lambda: one.shows(0))
        assert one.server.patches == []


@pytest.mark.parametrize("fault", [500, 503, 429, 403, 404, 401])
async def test_a_failing_api_server_is_a_problem_that_ends_with_it(fault: int) -> None:
    async with steered(1, 0) as one:
        await eventually(lambda: one.shows(0))
        one.server.faults = [fault] * 3
        await eventually(lambda: one.share() is None)
        assert f"answered {fault}: the server is out of order" in one.actuator.problems()[PLACE]
        await eventually(lambda: one.shows(0))
        assert one.actuator.problems() == {}


async def test_a_server_that_does_not_answer_is_given_up_after_the_timeout() -> None:
    async with steered(1, 0) as one:
        await eventually(lambda: one.shows(0))
        one.server.hang = True
        await eventually(lambda: "did not answer within 1 s" in str(one.actuator.problems()))
        assert one.share() is None
        one.server.hang = False
        await eventually(lambda: one.shows(0))


async def test_a_rule_that_is_gone_is_named() -> None:
    async with steered(1, 0) as one:
        await eventually(lambda: one.shows(0))
        one.server.edit(lambda route: route["spec"]["rules"][0]["backendRefs"].pop())
        await eventually(lambda: "no backendRef for the candidate" in str(one.actuator.problems()))
        assert one.share() is None


async def test_a_new_token_is_read_from_its_file(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    api = KubernetesApi(KubernetesSection(api="https://127.0.0.1:1", token_file=str(token)))
    assert api._read_token() == "first"
    token.write_text("the second\n")
    assert api._read_token() == "the second"


@pytest.mark.parametrize("text", ["", "two\nlines", "é"])
async def test_a_file_without_a_token_is_named(tmp_path: Path, text: str) -> None:
    token = tmp_path / "token"
    token.write_text(text)
    api = KubernetesApi(KubernetesSection(api="https://127.0.0.1:1", token_file=str(token)))
    with pytest.raises(ApiError, match=f"cannot be reached: {token} has no token"):
        await api.get("/")
    await api.close()


async def test_outside_a_pod_the_error_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    api = KubernetesApi(KubernetesSection())
    with pytest.raises(ApiError, match=r"set kubernetes\.api"):
        await api.get("/")
    await api.close()
