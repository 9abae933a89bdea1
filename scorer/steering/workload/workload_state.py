"""The state of one workload while a scorer leads: one frozen object, replaced as a whole by each tick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from glidepath.records import Command, Verdict
from scorer.steering.envoy.observation import Observation
from scorer.steering.envoy.runtime_values import LastWritten, RuntimeEntries, RuntimeValues, desired_values
from scorer.steering.interfaces import Evidence
from scorer.steering.ramp.states import RampState, initial
from scorer.steering.ramp.tick_inputs import TickInputs
from scorer.steering.state_store import no_cursors
from scorer.steering.workload.clock_offsets import SourceClocks
from scorer.steering.workload.seen_flushes import SeenFlushes
from scorer.steering.workload.totals import Totals
from scorer.steering.workload.workload_spec import WorkloadSpec


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """How far the workload's streams are read.

    ``commands`` are read but not carried out yet. ``began_ms`` is when this state began without a stored one; 0 where
    it continues a stored one.
    """

    cursors: Mapping[str, str] = field(default_factory=no_cursors)
    seen: SeenFlushes = field(default_factory=SeenFlushes)
    clocks: SourceClocks = field(default_factory=SourceClocks)
    commands: tuple[Command, ...] = ()
    began_ms: int = 0


@dataclass(frozen=True, slots=True)
class RecentCounts:
    """Counts that the next decision uses.

    ``candidate_failed``: the candidate failed a request since the last verdicts; ``drill_errors``: clients' requests
    that failed at the candidate since the drill began; ``unexpected_traffic``: clients' requests that surely began
    while the candidate's share was 0, and reached the candidate all the same.
    """

    candidate_failed: bool = False
    drill_errors: int = 0
    unexpected_traffic: int = 0


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdicts of the evidence at ``at_ms``."""

    verdicts: tuple[Verdict, ...] = ()
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class LastLook:
    """A look at the Envoys after which nothing had to be written, and what was desired then."""

    shown: Mapping[str, RuntimeEntries | None]
    desired: RuntimeValues


@dataclass(frozen=True, slots=True)
class FleetView:
    """What the Envoys show, and what each of them may hold.

    ``envoys`` counts the Envoys, with those behind admin layers that hide their weights. ``last_look`` is None where
    the Envoys must be compared again even if they show the same.
    """

    observation: Observation = field(default_factory=lambda: Observation(frozenset(), {}))
    last_written: LastWritten = field(default_factory=dict)
    envoys: int = 0
    last_look: LastLook | None = None

    @property
    def all_confirmed(self) -> bool:
        return 0 < self.envoys <= len(self.observation.confirmed)


@dataclass(frozen=True, slots=True)
class WriteTurns:
    """The turns in which state and status were last written; None: not by this leader."""

    checkpoint: int | None = None
    status: int | None = None


@dataclass(frozen=True, slots=True)
class WorkloadState:
    """Everything that one tick hands to the next (ADR 0133).

    ``evidence`` may be folded in place, so only the newest state may use it.
    ``settled_epoch`` is the epoch of the ramp whose share every Envoy has confirmed. ``inputs`` are those of the last
    decision. ``problem`` says why the last tick failed; ``announced_ms`` is when such a failure was last announced.
    ``restart_reason`` says why the stored state was discarded, until the candidate has a share again.
    ``scorer_ahead_ms`` is how far this scorer's clock is ahead of Redis'.
    """

    spec: WorkloadSpec
    ramp: RampState
    evidence: Evidence
    inputs: TickInputs
    streams: StreamPosition = field(default_factory=StreamPosition)
    totals: Totals = field(default_factory=Totals)
    recent: RecentCounts = field(default_factory=RecentCounts)
    judgement: Judgement = field(default_factory=Judgement)
    fleet: FleetView = field(default_factory=FleetView)
    written: WriteTurns = field(default_factory=WriteTurns)
    settled_epoch: int = -1
    problem: str = ""
    announced_ms: int = 0
    restart_reason: str = ""
    scorer_ahead_ms: int = 0

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def desired(self) -> RuntimeValues:
        """The runtime values that every Envoy should hold."""
        sample = self.spec.workload.shadow.sample if self.ramp.shadow_override is None else self.ramp.shadow_override
        return desired_values(self.ramp.serving, sample, self.ramp.autopilot)

    @property
    def skew(self) -> tuple[str, int]:
        """The clock that differs most from Redis', and by how many milliseconds it is ahead."""
        return self.streams.clocks.worst(self.scorer_ahead_ms)


def new_state(spec: WorkloadSpec, now_ms: int, *, percent: float | None = None) -> WorkloadState:
    """Return the state of a workload that has no stored one, at ``percent`` or the configured start."""
    share = spec.workload.start if percent is None else percent
    ramp = initial(share, spec.policy.last, now_ms, spec.digest)
    return WorkloadState(spec, ramp, spec.fresh_evidence(ramp, now_ms), TickInputs(workload=spec.name))


def with_fresh_evidence(state: WorkloadState, ramp: RampState, now_ms: int) -> WorkloadState:
    """Return the state with ``ramp`` and with evidence that begins at ``now_ms``; the old verdicts are dropped."""
    return replace(state, ramp=ramp, evidence=state.spec.fresh_evidence(ramp, now_ms), judgement=Judgement())


def restart_evidence(state: WorkloadState, now_ms: int) -> WorkloadState:
    """Return the state with a new epoch: the step stays, its evidence begins again at ``now_ms``.

    For evidence that cannot be used. Otherwise one bad number would silence the guards for ever.
    """
    return with_fresh_evidence(state, restarted_epoch(state.ramp, now_ms), now_ms)


def restarted_epoch(ramp: RampState, now_ms: int) -> RampState:
    return replace(ramp, since_ms=now_ms, epoch=ramp.epoch + 1)
