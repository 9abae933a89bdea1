"""A scorer that steers the weights of an HTTPRoute behind Envoy Gateway, and the traffic of clients through it.

Here Envoy Gateway takes its resources from a file. So the API server is a stand-in. The test copies each new form of
the HTTPRoute to the file, and Envoy Gateway's status of it back to the API server. ``steered_on_kubernetes.py`` has a
real API server, and needs no such bridge.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import yaml

from glidepath.config import Config, parse_config
from glidepath.config.connections import RedisSection
from glidepath.status_and_decisions import CommandKind
from tests.mesh.base_resources import HTTP_PORT
from tests.mesh.build_control_planes import ControlPlanes
from tests.mesh.envoy_gateway_lab import EnvoyGateway, Options, envoy_gateway
from tests.mesh.traffic import Caller, Seen, backends, statuses
from tests.support.chat_config import CHAT_CONFIG
from tests.support.kubernetes_api_server import ApiServer, api_server
from tests.support.steering_client import SteeringClient, steering
from tests.support.waiting import eventually

STEPS = (5, 25, 50, 100)
RAMP = {"steps": list(STEPS), "hold": "1h", "min_samples": 2, "cool_down": "1h"}
# Of so many requests, the candidate's part at each share is within these bounds, except once in about 10,000 times.
REQUESTS, BOUNDS = 400, {0: (0, 0), 5: (4, 40), 25: (65, 135), 30: (80, 160), 50: (160, 240), 100: (400, 400)}
_STATUS = re.compile(r"Got new status for HTTPRoute\n(.*?)\n\t(?=\{)", re.S)
_PROCESSING = "processing HTTPRoute\t"
Reference = dict[str, Any]


def http_route(baseline: Reference, candidate: Reference, namespace: str = "default") -> dict[str, Any]:
    """Return an HTTPRoute as a user has just written it: the baseline has all the weight."""
    references = [{**baseline, "weight": 1}, {**candidate, "weight": 0}]
    rule = {"matches": [{"path": {"type": "PathPrefix", "value": "/v1"}}], "backendRefs": references}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "chat", "namespace": namespace},
        "spec": {"parentRefs": [{"name": "eg"}], "rules": [rule]},
    }


def configured(
    api: Mapping[str, str], namespace: str, redis_url: str, baseline: Reference, candidate: Reference
) -> Config:
    """Return the configuration of the scorer. ``api``: the settings of the connection to the API server."""
    data = yaml.safe_load(CHAT_CONFIG)
    actuator = {"namespace": namespace, "name": "chat", "baseline": baseline, "candidate": candidate}
    chat = {**data["workloads"]["chat"], "fallback": False, "actuator": actuator, "ramp": RAMP}
    section = {**api, "poll": "200ms", "timeout": "5s"}
    config = parse_config(yaml.safe_dump({**data, "kubernetes": section, "workloads": {"chat": chat}}))
    return config.model_copy(update={"redis": RedisSection(url=redis_url)})


@dataclass(slots=True)
class Bridge:
    """Copies the HTTPRoute to Envoy Gateway's file, and its status to the API server. ``others``: the other resources.

    A file has no generations, so Envoy Gateway's conditions have none. The bridge adds the generation that Envoy
    Gateway has processed, as on a cluster.
    """

    server: ApiServer
    others: Sequence[Any]
    given: int = 0  # the generation that Envoy Gateway was given last
    processed: int = 0  # how often it had processed the HTTPRoute before

    def documents(self) -> list[Any]:
        """Return all resources with the present form of the HTTPRoute."""
        route = deepcopy(self.server.route("default"))
        route.pop("status", None)
        self.given = route["metadata"].pop("generation")
        del route["metadata"]["resourceVersion"]
        return [*self.others, route]

    async def run(self, gateway: EnvoyGateway) -> None:
        while True:
            log = gateway.child.log.read_text(errors="replace")
            times = log.count(_PROCESSING)
            if times > self.processed and (found := _STATUS.findall(log)):
                self._write_status(yaml.safe_load(found[-1]))
            if self.server.route("default")["metadata"]["generation"] != self.given:
                self.processed = times
                gateway.apply(self.documents())
            await asyncio.sleep(0.1)

    def _write_status(self, status: Any) -> None:
        for parent in status["parents"]:
            for condition in parent["conditions"]:
                condition["observedGeneration"] = self.given
        self.server.route("default")["status"] = status


class StoredRoute(Protocol):
    """The HTTPRoute at an API server. ``place``: the scorer's name for its rule."""

    @property
    def place(self) -> str: ...

    def weights(self) -> list[int]: ...

    def set_weights(self, baseline: int, candidate: int) -> None:
        """Set the weights as a person does."""
        ...


@dataclass(frozen=True, slots=True)
class _AtTheStandIn:
    server: ApiServer
    place: str = "default/chat/0"

    def weights(self) -> list[int]:
        found = self.server.route("default")["spec"]["rules"][0]["backendRefs"]
        return [one["weight"] for one in found]

    def set_weights(self, baseline: int, candidate: int) -> None:
        def change(route: dict[str, Any]) -> None:
            for reference, weight in zip(route["spec"]["rules"][0]["backendRefs"], (baseline, candidate), strict=True):
                reference["weight"] = weight

        self.server.edit(change, "default")


@dataclass(frozen=True, slots=True)
class Steered:
    """A Gateway that serves the HTTPRoute. ``client``: a client of the scorer; ``caller``: a client of the Gateway.

    The backends answer with the names ``own`` (the baseline) and ``vllm``.
    """

    route: StoredRoute
    client: SteeringClient
    caller: Caller

    async def share_is(self, percent: int) -> bool:
        """Return whether the candidate answers about ``percent`` of many requests. Assert that each gets a 200."""
        seen: Seen = sum(await asyncio.gather(*(self.caller.ask(REQUESTS // 8) for _ in range(8))), Counter())
        assert statuses(seen) == {200}
        least, most = BOUNDS[percent]
        return least <= backends(seen)["vllm"] <= most

    async def stands(self, phase: str, percent: float, confirmed: int = 2) -> float:
        """Wait until the status shows this phase and share; return the seconds that this took.

        ``confirmed``: the number of places that must have confirmed it; 2: the rule and the Gateway.
        """
        return await eventually(lambda: self.client.stands(phase, percent, confirmed), within=60)


@asynccontextmanager
async def steered(
    programs: ControlPlanes,
    folder: Path,
    redis_url: str,
    others: Sequence[Any],
    baseline: Reference,
    candidate: Reference,
) -> AsyncIterator[Steered]:
    """Serve the HTTPRoute by Envoy Gateway, beside the resources ``others``, and steer it until the block ends."""
    async with (
        api_server(http_route(baseline, candidate)) as server,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session,
    ):
        server.controller = False  # Envoy Gateway is it
        server.route("default").pop("status", None)
        bridge, caller = Bridge(server, others), Caller(session, f"http://127.0.0.1:{HTTP_PORT}", {})
        with envoy_gateway(programs, folder, bridge.documents(), Options(patches=False)) as gateway:

            async def served() -> bool:
                return statuses(await caller.ask()) == {200}

            await eventually(served, within=60, what=f"a route that serves: {gateway.child.tail()}")
            running = asyncio.create_task(bridge.run(gateway))
            try:
                config = configured({"api": server.url}, "default", redis_url, baseline, candidate)
                async with steering(config) as client:
                    yield Steered(_AtTheStandIn(server), client, caller)
            finally:
                running.cancel()
                await asyncio.wait({running})


@dataclass(slots=True)
class Load:
    """Requests of clients. ``sent``: the time of each, its status, and the name of the backend that answered."""

    caller: Caller
    sent: list[tuple[float, int, str]] = field(default_factory=list)

    async def run(self, end: asyncio.Event) -> None:
        while not end.is_set():
            at = time.monotonic()
            seen = await self.caller.ask()
            self.sent += [(at, status, who) for status, who in seen]

    def last(self, who: str) -> float:
        """Return the time of the last request that this backend answered."""
        return max(at for at, _, backend in self.sent if backend == who)


@asynccontextmanager
async def loaded(caller: Caller) -> AsyncIterator[Load]:
    """Send requests, four at a time, until the block ends."""
    load, end = Load(caller), asyncio.Event()
    tasks = [asyncio.create_task(load.run(end)) for _ in range(4)]
    try:
        yield load
    finally:
        end.set()
        await asyncio.gather(*tasks)


async def check_the_ramp(under_test: Steered) -> list[str]:
    """Take each step of the ramp, and then roll back under load. Return a line of figures for each.

    At each step the answers show the share, and no request fails.
    """
    lines = []
    await under_test.stands("shadow", 0)
    assert await under_test.share_is(0)
    for percent in STEPS:
        await under_test.client.order(CommandKind.PROMOTE)
        confirmed = await under_test.stands("validating" if percent == 100 else "baking", percent)
        assert under_test.route.weights() == [10_000 - 100 * percent, 100 * percent]
        await eventually(lambda p=percent: under_test.share_is(p), within=30)  # type: ignore[misc]
        lines.append(f"{percent} % | confirmed after {confirmed:.2f} s")
    return [*lines, await _check_the_rollback(under_test)]


async def _check_the_rollback(under_test: Steered) -> str:
    async with loaded(under_test.caller) as load:
        await eventually(lambda: len(load.sent) > 100, within=60)
        ordered = time.monotonic()
        await under_test.client.order(CommandKind.ROLLBACK)
        confirmed = await under_test.stands("cooling_down", 0)
        await eventually(lambda: load.sent[-1][2] == "own" and load.last("own") > load.last("vllm") + 2, within=60)
    assert {status for _, status, _ in load.sent} == {200}
    assert under_test.route.weights() == [10_000, 0]
    rate = len(load.sent) / (load.sent[-1][0] - load.sent[0][0])
    return (
        f"rollback | the candidate's last request {load.last('vllm') - ordered:.2f} s after the order, "
        f"confirmed {confirmed:.2f} s | {len(load.sent)} requests, {rate:.0f} a second, none failed"
    )


async def check_the_adoption(under_test: Steered) -> None:
    """Check that the weights that a person sets are adopted and stay, and that traffic follows them."""
    client, route = under_test.client, under_test.route
    await under_test.stands("shadow", 0)
    await client.order(CommandKind.PROMOTE)
    await under_test.stands("baking", 5)
    route.set_weights(7, 3)
    await under_test.stands("held", 30)
    decision = await client.logged("adopt_weights")
    assert decision is not None
    assert f"httproute {route.place}" in decision.reason
    await eventually(lambda: under_test.share_is(30), within=30)
    assert route.weights() == [7, 3]
    await client.order(CommandKind.ROLLBACK)
    await under_test.stands("cooling_down", 0)
    await eventually(lambda: under_test.share_is(0), within=30)


async def check_a_candidate_that_is_not_served(under_test: Steered) -> None:
    """Check that the baseline continues to serve, without a step, if the Gateway does not serve the candidate."""
    client = under_test.client
    await under_test.stands("shadow", 0, confirmed=1)
    await client.score(0.95)
    await client.outcomes(5, 0)
    assert await under_test.share_is(0)
    assert await client.stands("shadow", 0, 1)
    assert under_test.route.weights()[1] == 0
