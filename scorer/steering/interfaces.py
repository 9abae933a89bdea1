"""What the steer loop needs of its parts: interfaces, so that each part can change by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol, Self

from glidepath.config import Workload
from glidepath.domain import Outcomes, ScoredPair
from glidepath.records import Decision, SideStatus, Verdict


class Evidence(Protocol):
    """The evidence of one workload at one step.

    Folding returns the evidence to continue with, and may change the old one in place: it is the hot path of a tick.
    """

    def fold_outcomes(self, outcomes: Outcomes) -> Self: ...

    def fold_scored(self, scored: ScoredPair) -> Self: ...

    def verdicts(self, now_ms: int) -> tuple[Verdict, ...]: ...

    def requests(self) -> int: ...

    def sides(self) -> tuple[SideStatus, SideStatus]: ...

    def agreement(self) -> float | None: ...

    def noise(self) -> float | None: ...

    def to_json(self) -> dict[str, Any]: ...


class EvidenceKind(Protocol):
    """Makes evidence: empty, or from its stored form."""

    def fresh(self, workload: Workload, percent: float, now_ms: int) -> Evidence: ...

    def from_json(self, workload: Workload, raw: dict[str, Any]) -> Evidence: ...


class DecisionSink(Protocol):
    """A receiver of decisions. ``announce`` must not block; ``run`` delivers until ``stop`` is set."""

    def announce(self, decision: Decision) -> None: ...

    async def run(self, stop: asyncio.Event) -> None: ...


class CapacityForecast(Protocol):
    """The verdict on the candidates' load at the next step; ``run`` measures the load beside the loop."""

    async def run(self) -> None: ...

    def verdict(self, workload: str, percent: float, shadow: float | None = None) -> Verdict | None: ...


class Ownership(Protocol):
    """Which workloads of the file this scorer's group steers.

    ``foreign``: workload → the other group that steers it; the loop leaves such a workload alone.
    """

    @property
    def foreign(self) -> Mapping[str, str]: ...

    async def check_as_leader(self, *, now: bool = False) -> None: ...

    async def check_as_standby(self) -> None: ...

    def taken(self, workload: str, group: str) -> None: ...


class SoleOwner:
    """The ``Ownership`` of a loop that shares its workloads with no other group."""

    foreign: Mapping[str, str] = {}

    async def check_as_leader(self, *, now: bool = False) -> None: ...

    async def check_as_standby(self) -> None: ...

    def taken(self, workload: str, group: str) -> None: ...


class LeaderTask(Protocol):
    """Another task of the leader, which runs beside the loop and raises nothing."""

    async def run(self) -> None: ...
