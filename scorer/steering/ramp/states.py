"""The states of a workload's ramp and the one table of moves between them.

::

    shadow ──► holding ──► … ──► validating ──► completed        a step up: proof, or a person's word
       │          │                  │
       ▼          ▼                  ▼
    awaiting approval              rolling back ──► cooling down ──► (retry) shadow or holding
                                     ▲
    held, aborted: reached from everywhere a person may stand    any state with candidate traffic

``percent`` is what the candidate is to serve. A target of ``REST`` is the state that belongs to a percent: shadow at 0,
validating at the ramp's last step, holding between. ``BEFORE`` is where a hold found the workload.
A move that the table does not know raises IllegalTransitionError; states are frozen, so nothing has changed then.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any

from glidepath.errors import CommandRefusedError, InputError
from glidepath.records import Phase


class IllegalTransitionError(CommandRefusedError):
    """The ramp's table knows no such move from this state."""


class Event(StrEnum):
    """What moves a ramp; the value is the decision's ``event`` in the log."""

    STEP = "promote"
    ASK = "await_approval"
    HOLD = "hold"
    RESUME = "resume"
    ADOPT = "adopt"  # a person set weights by curl
    ROLL_BACK = "roll_back"
    CONFIRM = "rolled_back"  # every Envoy runs the weights of a rollback
    FAIL_SHADOW = "fail"  # the evidence at 0 % says no
    RETRY = "retry"
    VALIDATED = "complete"
    ABORT = "abort"
    RECONFIGURE = "reconfigure"
    REPLACE = "replace"  # the configuration names another candidate or baseline
    EXTEND = "extend"  # the configuration has steps beyond the one that was the last


class Target(Enum):
    REST = "rest"
    BEFORE = "before"


REST, BEFORE = Target.REST, Target.BEFORE

TABLE: Mapping[Event, Mapping[Phase, Phase | Target]] = {
    Event.STEP: {
        Phase.SHADOW: REST,
        Phase.BAKING: REST,
        Phase.AWAITING_APPROVAL: REST,
        Phase.HELD: Phase.HELD,
    },
    Event.ASK: {
        Phase.SHADOW: Phase.AWAITING_APPROVAL,
        Phase.BAKING: Phase.AWAITING_APPROVAL,
    },
    Event.HOLD: {
        Phase.SHADOW: Phase.HELD,
        Phase.BAKING: Phase.HELD,
        Phase.AWAITING_APPROVAL: Phase.HELD,
        Phase.COOLING_DOWN: Phase.HELD,
        Phase.VALIDATING: Phase.HELD,
        Phase.COMPLETED: Phase.HELD,
        Phase.HELD: Phase.HELD,
    },
    Event.RESUME: {Phase.HELD: BEFORE},
    Event.ADOPT: {
        Phase.SHADOW: Phase.HELD,
        Phase.BAKING: Phase.HELD,
        Phase.AWAITING_APPROVAL: Phase.HELD,
        Phase.HELD: Phase.HELD,
        Phase.ROLLING_BACK: Phase.HELD,
        Phase.COOLING_DOWN: Phase.HELD,
        Phase.VALIDATING: Phase.HELD,
        Phase.COMPLETED: Phase.HELD,
        Phase.ABORTED: Phase.HELD,
    },
    Event.ROLL_BACK: {
        Phase.SHADOW: Phase.ROLLING_BACK,
        Phase.BAKING: Phase.ROLLING_BACK,
        Phase.AWAITING_APPROVAL: Phase.ROLLING_BACK,
        Phase.HELD: Phase.ROLLING_BACK,
        Phase.ROLLING_BACK: Phase.ROLLING_BACK,
        Phase.COOLING_DOWN: Phase.ROLLING_BACK,
        Phase.VALIDATING: Phase.ROLLING_BACK,
        Phase.COMPLETED: Phase.ROLLING_BACK,
        Phase.ABORTED: Phase.ABORTED,
    },
    Event.CONFIRM: {Phase.ROLLING_BACK: Phase.COOLING_DOWN},
    Event.FAIL_SHADOW: {
        Phase.SHADOW: Phase.COOLING_DOWN,
        Phase.AWAITING_APPROVAL: Phase.COOLING_DOWN,
    },
    Event.RETRY: {
        Phase.SHADOW: REST,
        Phase.BAKING: REST,
        Phase.AWAITING_APPROVAL: REST,
        Phase.VALIDATING: REST,
        Phase.COOLING_DOWN: REST,
        Phase.ABORTED: REST,
    },
    Event.VALIDATED: {Phase.VALIDATING: Phase.COMPLETED},
    Event.ABORT: {
        Phase.SHADOW: Phase.ABORTED,
        Phase.BAKING: Phase.ABORTED,
        Phase.AWAITING_APPROVAL: Phase.ABORTED,
        Phase.HELD: Phase.ABORTED,
        Phase.ROLLING_BACK: Phase.ABORTED,
        Phase.COOLING_DOWN: Phase.ABORTED,
        Phase.VALIDATING: Phase.ABORTED,
        Phase.COMPLETED: Phase.ABORTED,
        Phase.ABORTED: Phase.ABORTED,
    },
    Event.RECONFIGURE: {
        Phase.SHADOW: REST,
        Phase.BAKING: REST,
        Phase.AWAITING_APPROVAL: REST,
        Phase.HELD: Phase.HELD,
        Phase.ROLLING_BACK: Phase.ROLLING_BACK,
        Phase.COOLING_DOWN: Phase.COOLING_DOWN,
        Phase.VALIDATING: REST,
        Phase.COMPLETED: Phase.COMPLETED,
        Phase.ABORTED: Phase.ABORTED,
    },
    Event.REPLACE: {
        Phase.SHADOW: REST,
        Phase.BAKING: REST,
        Phase.AWAITING_APPROVAL: REST,
        Phase.HELD: Phase.HELD,
        Phase.ROLLING_BACK: Phase.ROLLING_BACK,
        Phase.COOLING_DOWN: REST,
        Phase.VALIDATING: REST,
        Phase.COMPLETED: REST,
        Phase.ABORTED: Phase.ABORTED,
    },
    Event.EXTEND: {Phase.COMPLETED: REST},
}

_AT_REST = frozenset({Phase.SHADOW, Phase.BAKING, Phase.AWAITING_APPROVAL, Phase.VALIDATING})

# States whose share must be what we say, even against a value that a person set before the news reached an Envoy.
RETREATING = frozenset({Phase.ROLLING_BACK, Phase.ABORTED})


class DrillStage(StrEnum):
    RAISING = "raising"  # a small weight, so that there is something to take back
    LEAVING = "leaving"  # weights to 0, until every Envoy confirms
    DRAINING = "draining"  # until no request reaches the candidate
    RESTORING = "restoring"


@dataclass(frozen=True, slots=True)
class Drill:
    """A rehearsal of the way back; ``percent`` is what it takes back, times are Unix milliseconds."""

    stage: DrillStage
    percent: float
    actor: str
    stage_ms: int
    left_ms: int = 0
    confirmed_ms: int = 0
    last_request_ms: int = 0
    failure: str = ""


@dataclass(frozen=True, slots=True)
class RampState:
    """Where one workload's ramp stands. ``epoch`` counts the times that evidence began afresh, at ``since_ms``."""

    phase: Phase
    percent: float
    since_ms: int
    entered_ms: int
    epoch: int = 0
    before: Phase = Phase.SHADOW
    held_by: str = ""
    held_reason: str = ""
    retries: int = 0
    cool_until_ms: int = 0
    autopilot: bool = True
    overridden: bool = False  # a guard fired while the autopilot was off; said once
    drilled: bool = False
    drill: Drill | None = None
    shadow: float | None = None  # set by a person; None: the configured sample
    config_digest: str = ""
    baseline: str = ""  # whom the evidence is about: name, and a digest of address and model
    candidate: str = ""
    first_start: bool = False  # begun where Redis knew of no workload at all, and nothing was decided since
    state_lost: bool = False  # held because Envoys run what this state never told them: nothing is written meanwhile
    unexpected_traffic: bool = (
        False  # clients reach the candidate though its share is 0: some Envoy does not do as it was told
    )
    invalid_override: str = ""  # a person's last values that say nothing; shown until the next move

    @property
    def share_unknown(self) -> bool:
        """Whether ``percent`` is not what the candidate serves: what clients get from it is judged all the same."""
        return self.state_lost or self.unexpected_traffic

    @property
    def serving(self) -> float:
        """The share that Envoy is to give the candidate just now: a running drill takes it away for a moment."""
        if self.drill is None:
            return self.percent
        return self.drill.percent if self.drill.stage is DrillStage.RAISING else self._after_raising(self.drill)

    def _after_raising(self, drill: Drill) -> float:
        return self.percent if drill.stage is DrillStage.RESTORING else 0.0

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def state_from_json(raw: Mapping[str, Any]) -> RampState:
    """Raises InputError for what is not a stored state; fields of a newer version are ignored."""
    try:
        known = {f.name for f in dataclasses.fields(RampState)}
        values = {name: value for name, value in raw.items() if name in known}
        drill = values.pop("drill", None)
        return RampState(
            **{
                **values,
                "phase": Phase(values["phase"]),
                "before": Phase(values.get("before", Phase.SHADOW)),
                "drill": _drill(drill) if drill else None,
            }
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"not a stored ramp state: {error}") from error


def _drill(raw: Mapping[str, Any]) -> Drill:
    known = {f.name for f in dataclasses.fields(Drill)}
    values = {name: value for name, value in raw.items() if name in known}
    return Drill(**{**values, "stage": DrillStage(values["stage"])})


def rest_phase(percent: float, last: float) -> Phase:
    """The state that belongs to ``percent`` on a ramp that ends at ``last``."""
    if percent <= 0:
        return Phase.SHADOW
    return Phase.VALIDATING if percent >= last else Phase.BAKING


def initial(percent: float, last: float, now_ms: int, config_digest: str = "") -> RampState:
    return RampState(rest_phase(percent, last), percent, now_ms, now_ms, config_digest=config_digest)


def transition(state: RampState, event: Event, now_ms: int, *, last: float, percent: float | None = None) -> RampState:
    """The state after ``event``, with ``percent`` as the new share if given; evidence begins afresh where it must.

    Raises IllegalTransitionError where the table has no such move.
    """
    share = state.percent if percent is None else percent
    target = TABLE[event].get(state.phase)
    if target is None:
        raise IllegalTransitionError(f"{event.value} is not possible while {state.phase.value.replace('_', ' ')}")
    if isinstance(target, Target):
        moved = share != state.percent  # a resume from beyond the ramp's end
        phase = rest_phase(share, last) if target is Target.REST or moved else state.before
    else:
        phase = target
    # Evidence of an unknown share says nothing about a known one.
    known = state.share_unknown and event is not Event.HOLD
    fresh = known or share != state.percent or event in (Event.RETRY, Event.RECONFIGURE, Event.REPLACE, Event.EXTEND)
    changed = dataclasses.replace(
        state,
        phase=phase,
        percent=share,
        entered_ms=now_ms,
        epoch=state.epoch + fresh,
        since_ms=now_ms if fresh else state.since_ms,
        drill=state.drill if event is Event.CONFIRM else None,
        overridden=False,
        first_start=False,
        state_lost=state.state_lost and event is Event.HOLD,
        unexpected_traffic=state.unexpected_traffic and event is Event.HOLD,
        invalid_override="",
    )
    return _with_hold(state, changed, event, share, last)


def _with_hold(old: RampState, new: RampState, event: Event, share: float, last: float) -> RampState:
    """``before`` follows a hold: where it found the workload, or where its share belongs once a person moved it."""
    if new.phase is old.phase is Phase.ROLLING_BACK:
        return new  # a hold that was said meanwhile begins when it is over, whatever else happens on the way
    if new.phase is not Phase.HELD:
        return dataclasses.replace(new, held_by="", held_reason="")
    if event is Event.HOLD:
        return new if old.phase is Phase.HELD else dataclasses.replace(new, before=old.phase)
    if event in (Event.STEP, Event.ADOPT, Event.REPLACE) or (event is Event.RECONFIGURE and old.before in _AT_REST):
        return dataclasses.replace(new, before=rest_phase(share, last))
    return new
