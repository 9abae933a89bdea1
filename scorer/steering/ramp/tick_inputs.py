"""The ramp's inputs in one tick, and the functions that build a decision for the log from these inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from glidepath import runtime_keys
from glidepath.status_and_decisions import Command, Decision, Verdict
from scorer.steering.candidate_activity import NO_ACTIVITY, CandidateActivity
from scorer.steering.ramp.states import RampState


@dataclass(frozen=True, slots=True)
class TickInputs:
    """The inputs of one tick for one workload.

    ``confirmed`` of the ``envoys`` Envoys run the desired share. ``frozen`` and ``waiting_for`` are reasons why no step
    may be taken. ``baseline`` and ``candidate`` identify the configured sides, see RampState. ``old_commands_to`` is
    the id of the last command that was given before this state began; "" if the state continues a stored one.

    Manual overrides: ``adopted`` is a share that a person set at the Envoy ``adopted_at``; ``autopilot`` is the value
    that a person gave the autopilot key (None: no change); ``ambiguous_weights`` and ``invalid_override`` describe
    values without a valid meaning, see Observation. ``unknown_envoys`` run weights that this state never wrote.

    Traffic at the candidate: ``live_ms`` is the end of the last flush in which a client's request reached the
    candidate; ``live_errors`` is the number of clients' requests that failed there since the drill began;
    ``unexpected_traffic`` is the number of clients' requests that reached the candidate although they began while its
    share was 0. ``activity`` says when the candidate had requests of any kind. ``error_kinds`` and ``errors_before``
    are ``Totals.error_kinds`` at present and when the step began.

    The lease of the split (``glidepath.split_leases``) is in force in ``leases_held`` of ``lease_envoys`` Envoys. It
    expires after ``lost_after_ms`` without a scorer (0: the split needs no lease). ``lease_set_at``: the Envoys at
    which a person set it.

    Warm-up and quotas: ``quota`` is why a backend's quota forbids the next step; "" if none does, or if the load is
    unknown (``quota_known`` is False). ``copies_failing`` is how many copies of the warm-up failed, as text; "" if only
    a few did.

    A retreat is a lower share that a scorer sent to the Envoys before it was stored. ``retreat_percent``: the share
    (None: there is no retreat). ``retreat_reason``: why it was sent.
    """

    workload: str = ""
    verdicts: tuple[Verdict, ...] = ()
    samples: int = 0
    commands: tuple[Command, ...] = ()
    old_commands_to: str = ""
    confirmed: int = 0
    envoys: int = 0
    adopted: float | None = None
    adopted_at: str = ""
    ambiguous_weights: str = ""
    invalid_override: str = ""
    autopilot: bool | None = None
    frozen: str = ""
    waiting_for: str = ""
    capacity: Verdict | None = None
    quota: str = ""
    quota_known: bool = True
    copies_failing: str = ""
    config_digest: str = ""
    baseline: str = ""
    candidate: str = ""
    unknown_envoys: tuple[str, ...] = ()
    live_ms: int = 0
    activity: CandidateActivity = NO_ACTIVITY
    live_errors: int = 0
    error_kinds: Mapping[str, int] = field(default_factory=dict)
    errors_before: Mapping[str, int] = field(default_factory=dict)
    unexpected_traffic: int = 0
    leases_held: int = 0
    lease_envoys: int = 0
    lost_after_ms: int = 0
    lease_set_at: tuple[str, ...] = ()
    retreat_percent: float | None = None
    retreat_reason: str = ""

    @property
    def autopilot_key(self) -> str:
        return runtime_keys.autopilot_key(self.workload)

    @property
    def all_confirmed(self) -> bool:
        """True if every Envoy runs the desired share; False if there is no Envoy."""
        return 0 < self.envoys <= self.confirmed

    @property
    def all_leased(self) -> bool:
        """True if the lease of the split is in force in every Envoy; False if there is no Envoy."""
        return 0 < self.lease_envoys <= self.leases_held

    @property
    def all_verdicts(self) -> tuple[Verdict, ...]:
        """The verdicts on the present step, and the capacity verdict on the next step."""
        return self.verdicts + ((self.capacity,) if self.capacity else ())


StageResult = tuple[RampState, tuple[Decision, ...]]
"""The state after one stage of a tick, and the decisions that the stage made."""


def new_decision(
    event: str,
    old: RampState,
    new: RampState,
    inputs: TickInputs,
    now_ms: int,
    reason: str,
    trigger: str,
    *,
    actor: str = "glidepath",
    details: Mapping[str, Any] | None = None,
) -> Decision:
    """Return a decision for the log. It contains all verdicts of this tick.

    ``old`` and ``new``: the ramp's states before and after the decision.
    """
    return Decision(
        at_ms=now_ms,
        workload=inputs.workload,
        event=event,
        from_percent=old.percent,
        to_percent=new.percent,
        phase=new.phase.value,
        reason=reason,
        trigger=trigger,
        actor=actor,
        verdicts=inputs.all_verdicts,
        config_digest=inputs.config_digest,
        details=details or {},
    )


def manual_override_decision(
    event: str,
    old: RampState,
    new: RampState,
    inputs: TickInputs,
    now_ms: int,
    reason: str,
    *,
    details: Mapping[str, Any] | None = None,
) -> Decision:
    """Return a decision that was caused by a manual override at an Envoy."""
    by = "manual_override"
    return new_decision(event, old, new, inputs, now_ms, reason, by, actor=by, details=details)
