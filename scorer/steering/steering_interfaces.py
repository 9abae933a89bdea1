"""The interfaces between the steer loop and its parts, so that each part can change independently."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol, Self

from glidepath.config import Workload
from glidepath.feedback import Feedback
from glidepath.outcome_summaries import Outcomes
from glidepath.pair_scores import ScoredPair
from glidepath.status_and_decisions import Decision, SideStatus, Verdict


class StepEvidence(Protocol):
    """The evidence of one workload at one step.

    The fold methods add a record and return the evidence to use from then on. They may change the old evidence in
    place, because folding is the hot path of a tick.
    """

    def fold_outcomes(self, outcomes: Outcomes) -> Self: ...

    def fold_scored(self, scored: ScoredPair) -> Self: ...

    def fold_feedback(self, feedback: Feedback) -> Self: ...

    def verdicts(self, now_ms: int) -> tuple[Verdict, ...]: ...

    def still_decides(self, verdicts: tuple[Verdict, ...]) -> bool:
        """Return whether every gate would still decide as in ``verdicts``, whose numbers may be out of date.

        This takes far less time than computing new verdicts.
        """
        ...

    def requests(self) -> int: ...

    def sides(self) -> tuple[SideStatus, SideStatus]: ...

    def agreement(self) -> float | None: ...

    def noise(self) -> float | None: ...

    def tool_calls(self) -> tuple[int, int]: ...

    def to_json(self) -> dict[str, Any]: ...


class EvidenceKind(Protocol):
    """A factory for evidence: ``fresh`` returns empty evidence, ``from_json`` decodes stored evidence.

    ``before``: the evidence that the new evidence replaces, or None. Only its counts of Envoy's own failures are kept,
    for comparison.
    """

    def fresh(
        self, workload: Workload, percent: float, now_ms: int, before: StepEvidence | None = None
    ) -> StepEvidence: ...

    def from_json(self, workload: Workload, raw: dict[str, Any]) -> StepEvidence: ...


class DecisionSink(Protocol):
    """A receiver of decisions. ``announce`` must not block. ``run`` delivers the decisions until ``stop`` is set."""

    def announce(self, decision: Decision) -> None: ...

    async def run(self, stop: asyncio.Event) -> None: ...


class CapacityForecast(Protocol):
    """A forecast of the candidates' load at the next step. ``run`` measures the present load, in a task of its own."""

    async def run(self) -> None: ...

    def verdict(
        self, workload: str, percent: float, shadow: float | None = None, copied: float | None = None
    ) -> Verdict | None: ...


class Ownership(Protocol):
    """The division of the configured workloads among the groups of scorers.

    ``foreign``: workload → the other group that steers it. The steer loop does not steer these workloads.
    """

    @property
    def foreign(self) -> Mapping[str, str]: ...

    async def check_as_leader(self, *, now: bool = False) -> None: ...

    async def check_as_standby(self) -> None: ...

    def taken(self, workload: str, group: str) -> None: ...


class SoleOwner:
    """The ``Ownership`` of a loop that steers every workload, because there is no other group of scorers."""

    foreign: Mapping[str, str] = {}

    async def check_as_leader(self, *, now: bool = False) -> None: ...

    async def check_as_standby(self) -> None: ...

    def taken(self, workload: str, group: str) -> None: ...


class LeaderTask(Protocol):
    """A task that the leader runs alongside the steer loop. ``run`` never raises an error."""

    async def run(self) -> None: ...
