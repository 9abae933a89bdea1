"""What people and tools read and write in Redis as JSON: status, commands, decisions.

JSON, not protobuf, because a person with ``redis-cli`` at 3 a.m. must be able to read it. See ADR 0005.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from glidepath.errors import InputError


class Phase(StrEnum):
    """Where a workload's ramp stands."""

    SHADOW = "shadow"  # 0 %, the candidate sees copies only
    BAKING = "baking"  # a step serves and gathers evidence
    AWAITING_APPROVAL = "awaiting_approval"  # the evidence is there, a person must say yes
    HELD = "held"  # a person (or a curl) stopped the automation
    ROLLING_BACK = "rolling_back"  # new weights are on their way, not yet confirmed
    COOLING_DOWN = "cooling_down"  # after a rollback, before a retry
    VALIDATING = "validating"  # at the final step, still compared
    COMPLETED = "completed"
    ABORTED = "aborted"  # 0 % for good, until a person starts again


class CommandKind(StrEnum):
    HOLD = "hold"
    RESUME = "resume"
    PROMOTE = "promote"  # one step on, past gates that are inconclusive; never past one that fails (unless forced)
    APPROVE = "approve"
    ROLLBACK = "rollback"  # to `percent`, 0 unless given
    RETRY = "retry"
    ABORT = "abort"
    DRILL = "drill"
    SHADOW = "shadow"  # copy `percent` of the requests; none: as configured again
    ANNOTATE = "annotate"


@dataclass(frozen=True, slots=True)
class Command:
    """What a person asked for, by CLI or console."""

    kind: CommandKind
    actor: str
    reason: str = ""
    percent: float | None = None
    force: bool = False
    target: str = ""  # annotate: the decision's id
    at_ms: int = 0
    id: str = ""  # the stream's entry id, set on reading


@dataclass(frozen=True, slots=True)
class Verdict:
    """One gate's verdict with its numbers.

    ``value`` and ``limit`` are in ``unit``; ``n`` counts the candidate's samples; ``evidence`` is the larger of the two
    running e-values' natural logarithms divided by ln(1/α) (1.0 decides); ``missing`` and ``eta_s`` say how many more
    samples, and how long at today's rate, a decision would take (None: not known).
    """

    gate: str
    outcome: str  # domain.Outcome value
    value: float | None
    limit: float | None
    unit: str
    n: int
    evidence: float = 0.0
    gating: bool = True
    fast: bool = False  # a catastrophe guard: straight to 0 %
    missing: int | None = None
    eta_s: float | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class SideStatus:
    """What one side did in the current step."""

    requests: int = 0
    errors: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    ttft_p50_ms: float | None = None
    rescued: int = 0  # of the candidate's errors: the client got the baseline's answer and saw none of it
    rescues_failed: int = 0  # the baseline failed there too: the client got an error


@dataclass(frozen=True, slots=True)
class WorkloadStatus:
    """The steer loop's view of a workload, written on every tick."""

    workload: str
    phase: str
    percent: float  # the candidate's desired share; see share_known
    step: int  # index into the ramp's steps; -1: shadow
    steps: tuple[float, ...]
    since_ms: int
    updated_at_ms: int
    hold_until_ms: int | None = None
    held_by: str = ""
    message: str = ""  # what happens next, in words
    autopilot: bool = True
    confirmed: int = 0  # k of n Envoys run the desired weights
    envoys: int = 0
    weights: Mapping[str, int] = field(default_factory=dict)
    verdicts: tuple[Verdict, ...] = ()
    baseline: SideStatus = field(default_factory=SideStatus)
    candidate: SideStatus = field(default_factory=SideStatus)
    agreement: float | None = None  # mean of the current step
    noise: float | None = None  # the baseline's agreement with itself
    pairs_scored: int = 0  # since the beginning
    pairs_unscored: Mapping[str, int] = field(default_factory=dict)
    coverage: Mapping[str, int] = field(default_factory=dict)  # domain.Coverage, since the beginning
    leader: str = ""
    config_digest: str = ""
    min_samples: int = 0  # the candidate's requests that this step takes at least; 0: none, where nothing is proven
    share_known: bool = True  # False: Envoys serve something else than percent, and it cannot be seen what


@dataclass(frozen=True, slots=True)
class Decision:
    """One line of the append-only log."""

    at_ms: int
    workload: str
    event: str  # promote, roll_back, hold, resume, approve, adopt, complete, abort, drill, restore, annotate, …
    from_percent: float
    to_percent: float
    phase: str
    reason: str
    trigger: str = ""  # the gate, guard, command or condition
    actor: str = "glidepath"
    verdicts: tuple[Verdict, ...] = ()
    config_digest: str = ""
    model_versions: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""  # the stream's entry id, set on reading


R = TypeVar("R", Command, WorkloadStatus, Decision)

_NESTED: dict[str, type] = {"verdicts": Verdict, "baseline": SideStatus, "candidate": SideStatus}


def to_json(record: Command | WorkloadStatus | Decision) -> str:
    return json.dumps(record, default=_fields, separators=(",", ":"), ensure_ascii=False)


def _fields(record: Any) -> dict[str, Any]:
    """One level of a dataclass; json asks again for the next. ``asdict`` would copy it all, at ten times the cost."""
    if not dataclasses.is_dataclass(record):
        raise TypeError(f"{type(record).__name__} cannot be written as JSON")
    return {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}


def from_json(kind: type[R], text: str | bytes) -> R:
    """Parse a record; fields of a newer version are ignored. Raises InputError for what is not one."""
    try:
        record: R = _build(kind, json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"not a {kind.__name__}: {error}") from error
    return record


def _build(kind: Any, raw: Mapping[str, Any]) -> Any:
    known = {f.name for f in dataclasses.fields(kind)}
    values = {name: value for name, value in raw.items() if name in known}
    for name, nested in _NESTED.items():
        value = values.get(name)
        if isinstance(value, list):
            values[name] = tuple(_build(nested, item) for item in value)
        elif isinstance(value, dict):
            values[name] = _build(nested, value)
    if "steps" in values:
        values["steps"] = tuple(values["steps"])
    if kind is Command:
        values["kind"] = CommandKind(values["kind"])
    return kind(**values)
