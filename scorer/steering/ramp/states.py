"""The states of a workload's ramp, and what a transition between them changes.

::

    shadow ──► baking ──► … ──► validating ──► completed     up: by evidence, or by a person's command
       │          │                  │
       ▼          ▼                  ▼
    awaiting approval            rolling back ──► cooling down ──► (retry) shadow or baking
                                     ▲
    held, aborted: reached from      any state with candidate traffic
    every state by command

``percent`` is the candidate's desired share. The target ``BY_SHARE`` is the state that belongs to a share: shadow at 0,
validating at the ramp's last step, baking in between. ``HELD_FROM`` is the state that a hold interrupted.
A transition that is not in the table raises IllegalTransitionError and changes nothing, because states are frozen.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from glidepath.errors import CommandRefusedError, InputError
from glidepath.status_and_decisions import Phase
from scorer.steering.ramp.transition_table import TABLE, DerivedPhase, RampEvent
from scorer.steering.stored_fields import dataclass_fields


class IllegalTransitionError(CommandRefusedError):
    """The event is not possible in the ramp's present state: the table has no transition for it."""


_ON_THE_RAMP = frozenset({Phase.SHADOW, Phase.BAKING, Phase.AWAITING_APPROVAL, Phase.VALIDATING})
_MOVES_WHILE_HELD = frozenset({RampEvent.PROMOTE, RampEvent.ADOPT_WEIGHTS, RampEvent.REPLACE_BACKEND})
_RESTARTS_EVIDENCE = frozenset(
    {RampEvent.RETRY, RampEvent.RECONFIGURE, RampEvent.REPLACE_BACKEND, RampEvent.EXTEND},
)

# In these states, an Envoy may still show a value that a person set before the rollback reached that Envoy. The value
# is then overwritten, not adopted.
RETREATING = frozenset({Phase.ROLLING_BACK, Phase.ABORTED})


class DrillStage(StrEnum):
    RAISING = "raising"  # a small weight, so that there is traffic to withdraw
    WITHDRAWING = "withdrawing"  # weight 0, until every Envoy confirms it; if ``lost``, until the lease has expired
    DRAINING = "draining"  # until no request reaches the candidate
    RESTORING = "restoring"  # the former weights, until every Envoy confirms them


@dataclass(frozen=True, slots=True)
class Drill:
    """A rehearsal of a rollback, or of the loss of all scorers (``lost``). Times are steady milliseconds; 0: not yet.

    - ``percent``: the candidate's share that the drill lowers to 0
    - ``stage_ms``: when the present stage began
    - ``withdrawn_ms``: when the desired weight became 0; if ``lost``, when the renewal of the split's lease stopped
    - ``confirmed_ms``: when every Envoy had confirmed weight 0; if ``lost``, when the split's lease had expired
      everywhere
    - ``last_request_ms``: the end of the last flush in which a client's request reached the candidate
    - ``failure``: why the drill failed, or ""
    """

    stage: DrillStage
    percent: float
    actor: str
    stage_ms: int
    withdrawn_ms: int = 0
    confirmed_ms: int = 0
    last_request_ms: int = 0
    failure: str = ""
    lost: bool = False

    @property
    def withholds_lease(self) -> bool:
        return self.lost and self.stage in (DrillStage.WITHDRAWING, DrillStage.DRAINING)


@dataclass(frozen=True, slots=True)
class WarmUp:
    """A warm-up of the candidate, which began at ``since_ms``. ``share``: the percentage of requests to copy."""

    share: float
    since_ms: int


@dataclass(frozen=True, slots=True)
class RampState:
    """The state of one workload's ramp.

    ``percent``: the candidate's desired share. ``epoch``: how often the evidence has started again. ``since_ms``: when
    the present evidence started. ``entered_ms``: when the ramp entered its present state. Times are steady milliseconds
    (see steady_time.py).
    """

    phase: Phase
    percent: float
    since_ms: int
    entered_ms: int
    epoch: int = 0
    held_from: Phase = Phase.SHADOW  # the state that a hold interrupted
    held_by: str = ""
    held_reason: str = ""
    retries: int = 0
    cool_until_ms: int = 0
    autopilot: bool = True
    guard_overridden: bool = False  # a guard failed while the autopilot was off; logged once
    holding_gates: tuple[str, ...] = ()  # failing gates whose action is to hold; each is logged once
    drilled: bool = False
    drill: Drill | None = None
    shadow_override: float | None = None  # percent, set by a person; None: the configured sample applies
    config_digest: str = ""
    baseline: str = ""  # the baseline that the evidence is about: its name, and a digest of its address and model
    candidate: str = ""
    first_start: bool = False  # Redis had no state, or an unreadable one, at the start; no transition since
    state_lost: bool = False  # held because Envoys run weights that this state never wrote; nothing is written
    unexpected_traffic: bool = False  # clients' requests reach the candidate although its desired share is 0
    invalid_override: str = ""  # the last invalid values that a person set; shown until the next transition
    warm_up: WarmUp | None = None
    next_warm_up_ms: int = 0  # after a stopped warm-up, no other begins before this time

    @property
    def share_unknown(self) -> bool:
        """Return whether the candidate's actual share is unknown.

        The guards judge the candidate's answers even if its share is unknown. See ADR 0120.
        """
        return self.state_lost or self.unexpected_traffic

    @property
    def serving(self) -> float:
        """Return the candidate's share that Envoy should serve now. During a drill, it may differ from ``percent``."""
        if self.drill is None:
            return self.percent
        return self.drill.percent if self.drill.stage is DrillStage.RAISING else self._after_raising(self.drill)

    def _after_raising(self, drill: Drill) -> float:
        if drill.stage is DrillStage.RESTORING:
            return self.percent
        return drill.percent if drill.lost else 0.0  # without a lease, Envoy ignores the weights, which stay

    @property
    def withholds_lease(self) -> bool:
        """Return whether a drill is letting the lease of the split expire, so that the lease must not be renewed."""
        return self.drill is not None and self.drill.withholds_lease

    def to_json(self) -> dict[str, Any]:
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        nested = {name: None if (one := values[name]) is None else dataclasses.asdict(one) for name in _NESTED}
        return {**values, **nested}


_NESTED = ("drill", "warm_up")
_NEWER: Mapping[str, Any] = {"warm_up": None, "next_warm_up_ms": 0}  # fields that an older scorer does not store


def state_from_json(raw: object) -> RampState:
    """Parse the result of ``to_json``. Raises InputError if a field of ``raw`` is missing, unknown or invalid."""
    try:
        known = {**_NEWER, **raw} if isinstance(raw, dict) else raw
        values = dataclass_fields(RampState, known, "ramp")
        phases = {name: Phase(values[name]) for name in ("phase", "held_from")}
        gates = tuple(map(str, values["holding_gates"]))
        nested = {"drill": _drill(values["drill"]), "warm_up": _warm_up(values["warm_up"])}
        return RampState(**{**values, **phases, **nested, "holding_gates": gates})
    except (TypeError, ValueError) as error:
        raise InputError(f"not a stored ramp state: {error}") from error


def _drill(raw: object) -> Drill | None:
    if raw is None:
        return None
    known = {"lost": False, **raw} if isinstance(raw, dict) else raw  # an older scorer's drill has no such field
    values = dataclass_fields(Drill, known, "drill")
    return Drill(**{**values, "stage": DrillStage(values["stage"])})


def _warm_up(raw: object) -> WarmUp | None:
    return None if raw is None else WarmUp(**dataclass_fields(WarmUp, raw, "warm_up"))


def phase_at(percent: float, last: float) -> Phase:
    """Return the state at the share ``percent``: shadow at 0, validating from the last step ``last``, else baking."""
    if percent <= 0:
        return Phase.SHADOW
    return Phase.VALIDATING if percent >= last else Phase.BAKING


def initial(percent: float, last: float, now_ms: int, config_digest: str = "") -> RampState:
    return RampState(phase_at(percent, last), percent, now_ms, now_ms, config_digest=config_digest)


def transition(
    state: RampState, event: RampEvent, now_ms: int, *, last: float, percent: float | None = None
) -> RampState:
    """Return the ramp's state after ``event``.

    ``percent``: the new share; None: the share stays. ``last``: the share of the ramp's last step. The evidence starts
    again if the share, a side or the configuration changed, if the share was unknown, and on a retry. Raises
    IllegalTransitionError if the table has no transition for ``event`` from this state.
    """
    share = state.percent if percent is None else percent
    target = TABLE[event].get(state.phase)
    if target is None:
        raise IllegalTransitionError(f"{event.value} is not possible while {state.phase.value.replace('_', ' ')}")
    fresh = _starts_evidence_again(state, event, share)
    changed = dataclasses.replace(
        state,
        phase=_target_phase(state, target, share, last),
        percent=share,
        entered_ms=now_ms,
        epoch=state.epoch + fresh,
        since_ms=now_ms if fresh else state.since_ms,
        drill=state.drill if event is RampEvent.ROLLBACK_CONFIRMED else None,
        guard_overridden=False,
        holding_gates=() if fresh else state.holding_gates,
        first_start=False,
        state_lost=state.state_lost and event is RampEvent.HOLD,
        unexpected_traffic=state.unexpected_traffic and event is RampEvent.HOLD,
        invalid_override="",
        warm_up=None,
        next_warm_up_ms=0 if fresh else state.next_warm_up_ms,
    )
    return _with_hold(state, changed, event, share, last)


def _target_phase(state: RampState, target: Phase | DerivedPhase, share: float, last: float) -> Phase:
    if not isinstance(target, DerivedPhase):
        return target
    moved = share != state.percent  # true for a resume from a share above the ramp's last step
    return phase_at(share, last) if target is DerivedPhase.BY_SHARE or moved else state.held_from


def _starts_evidence_again(state: RampState, event: RampEvent, share: float) -> bool:
    if state.share_unknown and event is not RampEvent.HOLD:
        return True  # evidence of an unknown share does not apply to a known one
    return share != state.percent or event in _RESTARTS_EVIDENCE


def _with_hold(old: RampState, new: RampState, event: RampEvent, share: float, last: float) -> RampState:
    """Return ``new`` with corrected hold fields: who holds the workload and why, and the state after a resume.

    A resume returns to the state that the hold interrupted, or to the state of the new share if the share has been
    changed during the hold.
    """
    if new.phase is old.phase is Phase.ROLLING_BACK:
        return new  # a hold that was ordered during a rollback begins after it, even if another rollback follows
    if new.phase is not Phase.HELD:
        return dataclasses.replace(new, held_by="", held_reason="")
    if event is RampEvent.HOLD:
        return new if old.phase is Phase.HELD else dataclasses.replace(new, held_from=old.phase)
    if event in _MOVES_WHILE_HELD or (event is RampEvent.RECONFIGURE and old.held_from in _ON_THE_RAMP):
        return dataclasses.replace(new, held_from=phase_at(share, last))
    return new
