"""Steer workloads by the weights of HTTPRoutes, through the Kubernetes API server. See ADR 0341."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Mapping, Sequence

from glidepath.config.kubernetes import KubernetesSection
from scorer.steering.envoy.actuator import CountersReading, LeaseReading, MayWrite
from scorer.steering.envoy.http_route import HttpRoute
from scorer.steering.envoy.http_route_weights import SteeredRule
from scorer.steering.envoy.kubernetes_api import KubernetesApi
from scorer.steering.envoy.runtime_values import RuntimeEntries


class HttpRouteActuator:
    """The ``Actuator`` whose "Envoys" are rules of HTTPRoutes, and the Gateways that serve them.

    Once the HTTPRoute's status shows that a Gateway serves the HTTPRoute, the Gateway has the reading of the HTTPRoute.
    Before, its reading is None. So a share is confirmed when every Gateway serves it.
    """

    lasts = True

    def __init__(self, settings: KubernetesSection, rules: Sequence[SteeredRule], may_write: MayWrite) -> None:
        self._api = KubernetesApi(settings)
        by_object: dict[tuple[str, str], list[SteeredRule]] = {}
        for rule in rules:
            by_object.setdefault((rule.target.namespace, rule.target.name), []).append(rule)
        self._routes = [HttpRoute(self._api, found, may_write, settings.poll) for found in by_object.values()]

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for route in self._routes:
                    group.create_task(route.run())
        finally:
            await self._api.close()

    def readings(self) -> Mapping[str, RuntimeEntries | None]:
        return {name: entries for route in self._routes for name, entries in route.readings.items()}

    def submit(self, writes: Mapping[str, RuntimeEntries]) -> None:
        for name, values in writes.items():
            for route in self._routes:
                route.submit(name, values)

    def retreat(self, writes: Mapping[str, RuntimeEntries]) -> None:
        for name, values in writes.items():
            for route in self._routes:
                route.retreat(name, values)

    def count(self, path: str) -> None:
        return None

    def counters(self) -> Mapping[str, CountersReading]:
        return {}

    async def settle(self, timeout: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                for route in self._routes:
                    await route.idle.wait()

    def end_term(self) -> None:
        return None

    def envoys_with_unknown_weights(self) -> frozenset[str]:
        return frozenset()

    def admin_layers(self) -> Mapping[str, RuntimeEntries | None]:
        return {}

    def leases(self) -> Mapping[str, LeaseReading]:
        return {}

    def renew_leases(self, withheld: Collection[str]) -> None:
        return None

    def problems(self) -> Mapping[str, str]:
        return {name: text for route in self._routes for name, text in route.problems.items()}
