"""What the steer loop needs of its store: reading news, writing records. steering_store.py implements it on Redis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from glidepath.domain import Outcomes, ScoredPair
from glidepath.records import Command, Decision
from glidepath.scorer_groups import group_label

START = "0-0"  # the id before a stream's first entry


class FencedError(Exception):
    """A newer leader has written this state, so the reader of this error is not the leader any more."""

    def __init__(self, workload: str, fence: int) -> None:
        super().__init__(f"the state of {workload} was written with token {fence}")
        self.fence = fence


class OwnedError(Exception):
    """Another group of scorers steers this workload now."""

    def __init__(self, workload: str, group: str) -> None:
        super().__init__(f"{workload} is steered by {group_label(group)}")
        self.group = group


@dataclass(frozen=True, slots=True)
class News:
    """The stream entries of one workload after its cursors.

    ``cursors`` are those to continue from; ``bad`` counts entries that could not be decoded; ``full``: a stream has
    more entries than one read returns. See ADR 0002.
    """

    outcomes: tuple[Outcomes, ...] = ()
    scored: tuple[ScoredPair, ...] = ()
    commands: tuple[Command, ...] = ()
    cursors: Mapping[str, str] = field(default_factory=dict)
    bad: int = 0
    full: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """What one tick writes for one workload, atomically: state and status as JSON (None: unchanged), and decisions."""

    state: str | None = None
    status: str | None = None
    decisions: tuple[Decision, ...] = ()

    @property
    def empty(self) -> bool:
        return self.state is None and self.status is None and not self.decisions


class SteeringStore(Protocol):
    """What the steer loop needs of Redis."""

    async def load(self, workload: str) -> Mapping[str, Any] | None: ...

    async def set_aside(self, workload: str, now_ms: int) -> str: ...

    async def news(self, cursors: Mapping[str, Mapping[str, str]], block_ms: int) -> Mapping[str, News]: ...

    async def write(self, fence: int, records: Mapping[str, Record]) -> Mapping[str, Exception]: ...

    async def clocks_ms(self, workloads: Sequence[str]) -> Mapping[str, int]: ...


def no_cursors() -> dict[str, str]:
    """Return cursors from which every stream is read from its beginning."""
    return {"outcomes": START, "results": START, "commands": START}
