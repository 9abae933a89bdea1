"""The interface to the steer loop's store: read news, write records. redis_store.py implements it with Redis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from glidepath.feedback import Feedback
from glidepath.outcome_summaries import Outcomes
from glidepath.pair_scores import ScoredPair
from glidepath.scorer_groups import group_label
from glidepath.status_and_decisions import Command, Decision

START = "0-0"  # the id before a stream's first entry


class FencedError(Exception):
    """A newer leader has written this state, so this process is no longer the leader."""

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
    """The entries of one workload's streams that come after the workload's cursors. See ADR 0002.

    - ``outcomes``, ``scored``, ``commands``, ``feedback``: the decoded entries of the four streams
    - ``cursors``: stream → the id of its last entry that was read now
    - ``bad``: the number of entries that could not be decoded
    - ``full``: the read returned as many entries of one stream as it may return, so there may be more entries
    """

    outcomes: tuple[Outcomes, ...] = ()
    scored: tuple[ScoredPair, ...] = ()
    commands: tuple[Command, ...] = ()
    cursors: Mapping[str, str] = field(default_factory=dict)
    bad: int = 0
    full: bool = False
    feedback: tuple[Feedback, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """The data that one tick stores atomically for one workload.

    ``state`` and ``status`` are JSON; None means that the stored value stays. ``decisions`` are added to the log.
    """

    state: str | None = None
    status: str | None = None
    decisions: tuple[Decision, ...] = ()

    @property
    def empty(self) -> bool:
        return self.state is None and self.status is None and not self.decisions


@dataclass(frozen=True, slots=True)
class OldCommands:
    """The ids of two commands in a workload's command stream.

    - ``answered``: the last command that former leaders have certainly read
    - ``last``: the last command that is in the stream now
    """

    answered: str = START
    last: str = START


class SteeringStore(Protocol):
    """The operations of Redis that the steer loop needs. ``RedisSteeringStore`` describes each operation."""

    async def load(self, workload: str) -> Mapping[str, Any] | None: ...

    async def set_aside(self, workload: str, now_ms: int) -> OldCommands: ...

    async def news(self, cursors: Mapping[str, Mapping[str, str]], block_ms: int) -> Mapping[str, News]: ...

    async def write(self, fence: int, records: Mapping[str, Record]) -> Mapping[str, Exception]: ...

    async def clocks_ms(self, workloads: Sequence[str]) -> Mapping[str, int]: ...


def no_cursors() -> dict[str, str]:
    """Return the cursors with which every stream is read from its beginning."""
    return dict.fromkeys(("outcomes", "results", "commands", "feedback"), START)
