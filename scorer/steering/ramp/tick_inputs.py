"""What the ramp is told in a tick, and how it reads verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from glidepath import keys
from glidepath.domain import Outcome
from glidepath.records import Command, Decision, Verdict
from scorer.steering.ramp.states import RampState

# Gates that stop a step but take no traffic back. Load says nothing against the step that is served; a split that is
# not as set is the router's fault or a few busy users', and neither gets better by other weights.
ADVISORY = frozenset({"capacity", "split"})


@dataclass(frozen=True, slots=True)
class TickInputs:
    """One tick's news about one workload.

    ``confirmed`` of ``envoys`` run the desired share; ``adopted`` is a share that a person set by curl, ``autopilot`` a
    person's change of that key (None: no change); ``frozen`` and ``waiting_for`` say why no step may be taken;
    ``live_ms`` is the end of the last flush in which a client's request reached the candidate, ``live_errors`` how many
    of these failed since the drill began; ``baseline`` and ``candidate`` say who they are now, see RampState;
    ``unknown_envoys`` already run weights that this state never wrote; ``ambiguous_weights`` and ``invalid_override``
    are values set by hand that have no valid meaning, see Observation; ``unexpected_traffic`` counts clients' requests
    that began while the candidate's share was 0 and reached it all the same; ``began_ms`` is when the state began where
    none could be read.
    """

    workload: str = ""
    verdicts: tuple[Verdict, ...] = ()
    samples: int = 0
    commands: tuple[Command, ...] = ()
    began_ms: int = 0
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
    config_digest: str = ""
    baseline: str = ""
    candidate: str = ""
    unknown_envoys: tuple[str, ...] = ()
    live_ms: int = 0
    live_errors: int = 0
    unexpected_traffic: int = 0

    @property
    def autopilot_key(self) -> str:
        return keys.autopilot_key(self.workload)


def failing(verdicts: tuple[Verdict, ...]) -> tuple[Verdict, ...]:
    """Gating verdicts that ask for a way back."""
    return tuple(v for v in verdicts if v.gating and v.outcome == Outcome.FAIL.value and v.gate not in ADVISORY)


def against(facts: TickInputs) -> tuple[Verdict, ...]:
    """Every gating verdict that says no, those on a further step included."""
    said = facts.verdicts + ((facts.capacity,) if facts.capacity else ())
    return tuple(v for v in said if v.gating and v.outcome == Outcome.FAIL.value)


def missing_passes(verdicts: tuple[Verdict, ...]) -> str:
    """The gating gates that do not pass yet, in words. A fast guard only ever fails: it need not pass."""
    waiting = [v for v in verdicts if v.gating and not _lets_through(v)]
    return ", ".join(f"{v.gate} {v.outcome}" for v in waiting)


def _lets_through(verdict: Verdict) -> bool:
    if verdict.fast or verdict.gate in ADVISORY:
        return verdict.outcome != Outcome.FAIL.value
    return verdict.outcome == Outcome.PASS.value


def note(
    event: str,
    old: RampState,
    new: RampState,
    facts: TickInputs,
    now_ms: int,
    reason: str,
    trigger: str,
    *,
    actor: str = "glidepath",
    details: Mapping[str, Any] | None = None,
) -> Decision:
    """A line for the log, with the verdicts that were on the table."""
    return Decision(
        at_ms=now_ms,
        workload=facts.workload,
        event=event,
        from_percent=old.percent,
        to_percent=new.percent,
        phase=new.phase.value,
        reason=reason,
        trigger=trigger,
        actor=actor,
        verdicts=facts.verdicts + ((facts.capacity,) if facts.capacity else ()),
        config_digest=facts.config_digest,
        details=details or {},
    )
