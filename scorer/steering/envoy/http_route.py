"""One HTTPRoute: its last reading, and the writes that wait for it.

The API server gets one request at a time for an HTTPRoute, so a reading is never older than the last write. If another
program changed the HTTPRoute before a write, the write is refused and not repeated: the next reading leads to a new
plan, which includes that change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from glidepath.logs import get_logger
from glidepath.timed_wait import wait_until_set
from scorer.steering.envoy.actuator import MayWrite
from scorer.steering.envoy.http_route_weights import (
    Json,
    RouteError,
    SteeredRule,
    entries_of,
    gateways,
    patch_of,
)
from scorer.steering.envoy.kubernetes_api import ApiError, KubernetesApi, http_route_path
from scorer.steering.envoy.runtime_values import RuntimeEntries

FIRST_PAUSE_S, MAX_PAUSE_S = 0.1, 2.0  # after the first failure; doubled after each further one
CONFLICTS_AT_ONCE = 5  # after a conflict, read again at once; at most this often until a write succeeds

log = get_logger()


class HttpRoute:
    """One HTTPRoute with the rules of one or more workloads. ``poll_s``: the time between two readings.

    - ``readings``: a rule's name → the runtime entries that stand for its weights. Also "NAME at GATEWAY" → the entries
      that this Gateway serves, or None if it does not serve the present generation of the HTTPRoute
    - ``problems``: a name as in ``readings`` → why it cannot be read or is not served
    """

    def __init__(self, api: KubernetesApi, rules: Sequence[SteeredRule], may_write: MayWrite, poll_s: float) -> None:
        target = rules[0].target
        self.path = http_route_path(target.namespace, target.name)
        self.shown = f"{target.namespace}/{target.name}"
        self._api, self._rules, self._may_write, self._poll_s = api, {one.name: one for one in rules}, may_write, poll_s
        self.readings: dict[str, RuntimeEntries | None] = dict.fromkeys(self._rules)
        self.problems: dict[str, str] = dict.fromkeys(self._rules, "not read yet")
        self._route: Json | None = None
        self._pending: dict[str, dict[str, str]] = {}
        self._retreats: dict[str, dict[str, str]] = {}
        self._failures = self._conflicts = 0
        self._wake = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()

    def submit(self, name: str, values: RuntimeEntries) -> None:
        """Queue a write to a rule. ``name``: a name in ``readings``, of the rule or of one of its Gateways."""
        if (rule := self._rule(name)) is not None:
            self._queue(self._pending, rule, values)

    def retreat(self, name: str, values: RuntimeEntries) -> None:
        """Send these values before all others, because they lower the candidate's share.

        They are sent even if this scorer does not hold the leader's lease.
        """
        if (rule := self._rule(name)) is not None:
            self._pending.pop(rule, None)
            self._queue(self._retreats, rule, values)

    def _rule(self, name: str) -> str | None:
        rule = name.partition(" at ")[0]
        return rule if rule in self._rules else None

    def _queue(self, writes: dict[str, dict[str, str]], rule: str, values: RuntimeEntries) -> None:
        writes.setdefault(rule, {}).update(values)
        self.idle.clear()
        self._wake.set()

    async def run(self) -> None:
        while True:
            pause = await self._step()
            if pause == 0.0:
                continue
            if not (self._pending or self._retreats):
                self.idle.set()
            await wait_until_set(self._wake, pause)
            self._wake.clear()

    async def _step(self) -> float:
        """Read or write once. Return the seconds until the next step. A submitted write ends this pause."""
        try:
            if (self._pending or self._retreats) and self._route is not None:
                await self._write(self._route)
                self._conflicts = 0
            else:
                self._take(await self._api.get(self.path))
            self._failures = 0
        except ApiError as error:
            return self._failed(error)
        return 0.0 if self._pending or self._retreats else self._poll_s

    def _failed(self, error: ApiError) -> float:
        self._pending = {}  # the next reading leads to a new plan
        if error.is_conflict and self._conflicts < CONFLICTS_AT_ONCE:
            self._conflicts += 1
            self._route = None  # read again; a retreat waits for it
            return 0.0
        self._retreats, self._failures = {}, self._failures + 1
        text = f"{self.shown}: {error}{_remedy(error)}"
        if text not in self.problems.values():
            log.warning("http_route_failed", http_route=self.shown, reason=str(error))
        self._route = None
        self.readings = dict.fromkeys(self.readings)
        self.problems = dict.fromkeys(self.readings, text)
        self.idle.set()
        pause: float = min(FIRST_PAUSE_S * 2 ** min(self._failures - 1, 10), MAX_PAUSE_S)
        return max(pause, error.retry_after_s)

    async def _write(self, route: Json) -> None:
        """Send the waiting retreats, and then the other writes."""
        retreats, self._retreats = self._retreats, {}
        try:
            route = await self._patch(route, retreats, at_once=True)
        except ApiError as error:
            if error.is_conflict:
                self._retreats = {**retreats, **self._retreats}
            raise
        pending, self._pending = self._pending, {}
        if pending and not self._may_write():
            raise ApiError("the lease was lost: nothing was written")
        self._take(await self._patch(route, pending))

    async def _patch(self, route: Json, writes: Mapping[str, RuntimeEntries], *, at_once: bool = False) -> Json:
        operations: list[Json] = []
        for name, values in writes.items():
            try:
                operations += patch_of(route, self._rules[name], values, at_once=at_once)
            except RouteError as error:
                self.readings[name], self.problems[name] = None, f"{self.shown}: {error}"
        return await self._api.patch(self.path, operations) if operations else route

    def _take(self, route: Json) -> None:
        """Keep an answer of the API server as the present reading. Unchanged entries stay the same objects."""
        readings: dict[str, RuntimeEntries | None] = {}
        problems: dict[str, str] = {}
        for name, rule in self._rules.items():
            try:
                entries: RuntimeEntries | None = self._same(name, entries_of(route, rule))
            except RouteError as error:
                entries, problems[name] = None, f"{self.shown}: {error}"
            readings[name] = entries
            for gateway in gateways(route) if entries is not None else ():
                place = f"{name} at {gateway.name}"
                readings[place] = entries if not gateway.problem else None
                if gateway.problem:
                    problems[place] = f"{self.shown}: {gateway.name}: {gateway.problem}"
        for place, text in problems.items():
            if self.problems.get(place) != text:
                log.info("http_route_not_served", place=place, reason=text)
        self._route, self.readings, self.problems = route, readings, problems

    def _same(self, name: str, entries: dict[str, str]) -> RuntimeEntries:
        known = self.readings.get(name)
        return known if known == entries and known is not None else entries


_REMEDIES = {
    401: "check kubernetes.token_file",
    403: "apply deploy/kubernetes/http-route: the scorer needs get and patch on this HTTPRoute",
    404: "check actuator.namespace and actuator.name, and that the Gateway API is installed",
}


def _remedy(error: ApiError) -> str:
    return f" ({_REMEDIES[error.status]})" if error.status in _REMEDIES else ""
