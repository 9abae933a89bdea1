"""Join two actuators into one: some workloads are steered at Envoys and others at HTTPRoutes."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

from scorer.steering.envoy.actuator import Actuator, CountersReading, LeaseReading
from scorer.steering.envoy.http_route_weights import PREFIX
from scorer.steering.envoy.runtime_values import RuntimeEntries


def is_http_route(place: str) -> bool:
    """Return whether ``place``, an "Envoy" in the readings, is a rule of an HTTPRoute or a Gateway that serves it."""
    return place.startswith(PREFIX)


class JoinedActuators:
    """The ``Actuator`` that passes each write to one of two actuators, depending on where the write goes.

    ``envoys`` writes to Envoys, for the workloads without an ``actuator`` section. ``routes`` writes to HTTPRoutes.
    """

    def __init__(self, envoys: Actuator, routes: Actuator) -> None:
        self._envoys, self._routes = envoys, routes
        self.lasts = envoys.lasts and routes.lasts

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for one in (self._envoys, self._routes):
                group.create_task(one.run())

    def readings(self) -> Mapping[str, RuntimeEntries | None]:
        return {**self._envoys.readings(), **self._routes.readings()}

    def submit(self, writes: Mapping[str, RuntimeEntries]) -> None:
        envoys, routes = _sorted(writes)
        self._envoys.submit(envoys)
        self._routes.submit(routes)

    def retreat(self, writes: Mapping[str, RuntimeEntries]) -> None:
        envoys, routes = _sorted(writes)
        self._envoys.retreat(envoys)
        self._routes.retreat(routes)

    def count(self, path: str) -> None:
        self._envoys.count(path)

    def counters(self) -> Mapping[str, CountersReading]:
        return self._envoys.counters()

    async def settle(self, timeout: float) -> None:
        async with asyncio.TaskGroup() as group:
            for one in (self._envoys, self._routes):
                group.create_task(one.settle(timeout))

    def end_term(self) -> None:
        for one in (self._envoys, self._routes):
            one.end_term()

    def envoys_with_unknown_weights(self) -> frozenset[str]:
        return self._envoys.envoys_with_unknown_weights()

    def admin_layers(self) -> Mapping[str, RuntimeEntries | None]:
        return self._envoys.admin_layers()

    def leases(self) -> Mapping[str, LeaseReading]:
        return self._envoys.leases()

    def renew_leases(self, withheld: Collection[str]) -> None:
        self._envoys.renew_leases(withheld)

    def problems(self) -> Mapping[str, str]:
        return {**self._envoys.problems(), **self._routes.problems()}


def _sorted(writes: Mapping[str, RuntimeEntries]) -> tuple[dict[str, RuntimeEntries], dict[str, RuntimeEntries]]:
    routes = {place: values for place, values in writes.items() if is_http_route(place)}
    return {place: values for place, values in writes.items() if place not in routes}, routes
