"""What the steer loop needs of others: interfaces, so that either can change without the other."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol, Self

from glidepath.config import Workload
from glidepath.domain import Outcomes, ScoredPair
from glidepath.records import Decision, SideStatus, Verdict


class Evidence(Protocol):
    """One step's evidence of one workload; folding returns the evidence to go on with."""

    def fold_outcomes(self, outcomes: Outcomes) -> Self: ...

    def fold_scored(self, scored: ScoredPair) -> Self: ...

    def verdicts(self, now_ms: int) -> tuple[Verdict, ...]: ...

    def requests(self) -> int: ...

    def sides(self) -> tuple[SideStatus, SideStatus]: ...

    def agreement(self) -> float | None: ...

    def noise(self) -> float | None: ...

    def to_json(self) -> dict[str, Any]: ...


class EvidenceKind(Protocol):
    """The class behind it."""

    def fresh(self, workload: Workload, percent: float, now_ms: int) -> Evidence: ...

    def from_json(self, workload: Workload, raw: dict[str, Any]) -> Evidence: ...


class Sink(Protocol):
    """Where decisions are announced; must not block. ``run`` delivers them, until ``stop``."""

    def announce(self, decision: Decision) -> None: ...

    async def run(self, stop: asyncio.Event) -> None: ...


class Loads(Protocol):
    """The candidates' own load, measured beside the loop."""

    async def run(self) -> None: ...

    def verdict(self, workload: str, percent: float, shadow: float | None = None) -> Verdict | None: ...


class Watch(Protocol):
    """Whether this file's workloads are steered by its group; ``foreign`` ones are another's, and left alone."""

    @property
    def foreign(self) -> Mapping[str, str]: ...

    async def lead(self, *, now: bool = False) -> None: ...

    async def stand_by(self) -> None: ...

    def taken(self, workload: str, group: str) -> None: ...


class Alone:
    """The ``Watch`` of a loop beside which there is no other."""

    foreign: Mapping[str, str] = {}

    async def lead(self, *, now: bool = False) -> None: ...

    async def stand_by(self) -> None: ...

    def taken(self, workload: str, group: str) -> None: ...


class Beside(Protocol):
    """What else only the leader does, beside the loop; raises nothing."""

    async def run(self) -> None: ...


def require_mapping(value: object) -> Mapping[str, Any]:
    """Raises TypeError for what is no JSON object."""
    if not isinstance(value, dict):
        raise TypeError(f"expected an object, got {type(value).__name__}")
    return value
