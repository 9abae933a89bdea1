"""The table of the transitions between a ramp's states, see states.py."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, StrEnum

from glidepath.status_and_decisions import Phase


class RampEvent(StrEnum):
    """The cause of a transition. Its value is the ``event`` of the decision in the log."""

    PROMOTE = "promote"
    AWAIT_APPROVAL = "await_approval"
    HOLD = "hold"
    RESUME = "resume"
    ADOPT_WEIGHTS = "adopt_weights"  # a person set weights at an Envoy
    ROLLBACK = "rollback"  # by a guard or by command, see the decision's trigger
    ROLLBACK_CONFIRMED = "rollback_confirmed"  # every Envoy runs the new weights
    SHADOW_FAILED = "shadow_failed"  # a gate fails at 0 %
    RETRY = "retry"
    COMPLETE = "complete"
    ABORT = "abort"
    RECONFIGURE = "reconfigure"
    REPLACE_BACKEND = "replace_backend"  # the configuration has another candidate or baseline, or another model of one
    EXTEND = "extend"  # a completed ramp got further steps


class DerivedPhase(Enum):
    """A rule in the table that derives the target state from the new share or from the state before a hold."""

    BY_SHARE = "by_share"
    HELD_FROM = "held_from"


BY_SHARE, HELD_FROM = DerivedPhase.BY_SHARE, DerivedPhase.HELD_FROM

TABLE: Mapping[RampEvent, Mapping[Phase, Phase | DerivedPhase]] = {
    RampEvent.PROMOTE: {
        Phase.SHADOW: BY_SHARE,
        Phase.BAKING: BY_SHARE,
        Phase.AWAITING_APPROVAL: BY_SHARE,
        Phase.HELD: Phase.HELD,
    },
    RampEvent.AWAIT_APPROVAL: {
        Phase.SHADOW: Phase.AWAITING_APPROVAL,
        Phase.BAKING: Phase.AWAITING_APPROVAL,
    },
    RampEvent.HOLD: {
        Phase.SHADOW: Phase.HELD,
        Phase.BAKING: Phase.HELD,
        Phase.AWAITING_APPROVAL: Phase.HELD,
        Phase.COOLING_DOWN: Phase.HELD,
        Phase.VALIDATING: Phase.HELD,
        Phase.COMPLETED: Phase.HELD,
        Phase.HELD: Phase.HELD,
    },
    RampEvent.RESUME: {Phase.HELD: HELD_FROM},
    RampEvent.ADOPT_WEIGHTS: {
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
    RampEvent.ROLLBACK: {
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
    RampEvent.ROLLBACK_CONFIRMED: {Phase.ROLLING_BACK: Phase.COOLING_DOWN},
    RampEvent.SHADOW_FAILED: {
        Phase.SHADOW: Phase.COOLING_DOWN,
        Phase.AWAITING_APPROVAL: Phase.COOLING_DOWN,
    },
    RampEvent.RETRY: {
        Phase.SHADOW: BY_SHARE,
        Phase.BAKING: BY_SHARE,
        Phase.AWAITING_APPROVAL: BY_SHARE,
        Phase.VALIDATING: BY_SHARE,
        Phase.COOLING_DOWN: BY_SHARE,
        Phase.ABORTED: BY_SHARE,
    },
    RampEvent.COMPLETE: {Phase.VALIDATING: Phase.COMPLETED},
    RampEvent.ABORT: {
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
    RampEvent.RECONFIGURE: {
        Phase.SHADOW: BY_SHARE,
        Phase.BAKING: BY_SHARE,
        Phase.AWAITING_APPROVAL: BY_SHARE,
        Phase.HELD: Phase.HELD,
        Phase.ROLLING_BACK: Phase.ROLLING_BACK,
        Phase.COOLING_DOWN: Phase.COOLING_DOWN,
        Phase.VALIDATING: BY_SHARE,
        Phase.COMPLETED: Phase.COMPLETED,
        Phase.ABORTED: Phase.ABORTED,
    },
    RampEvent.REPLACE_BACKEND: {
        Phase.SHADOW: BY_SHARE,
        Phase.BAKING: BY_SHARE,
        Phase.AWAITING_APPROVAL: BY_SHARE,
        Phase.HELD: Phase.HELD,
        Phase.ROLLING_BACK: Phase.ROLLING_BACK,
        Phase.COOLING_DOWN: BY_SHARE,
        Phase.VALIDATING: BY_SHARE,
        Phase.COMPLETED: BY_SHARE,
        Phase.ABORTED: Phase.ABORTED,
    },
    RampEvent.EXTEND: {Phase.COMPLETED: BY_SHARE},
}
