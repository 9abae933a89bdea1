"""The state of one workload while a scorer leads: one frozen object, which each tick replaces as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from glidepath.status_and_decisions import Command, Verdict
from scorer.steering.envoy.observation import Observation
from scorer.steering.envoy.runtime_values import LastWritten, RuntimeEntries, RuntimeValues, desired_values
from scorer.steering.ramp.states import RampState, initial
from scorer.steering.ramp.tick_inputs import TickInputs
from scorer.steering.steering_interfaces import StepEvidence
from scorer.steering.store_protocol import no_cursors
from scorer.steering.workload.clock_offsets import SourceClocks
from scorer.steering.workload.failing_copies import CopiesBefore
from scorer.steering.workload.failing_envoy import EnvoyWatch
from scorer.steering.workload.flush_deduplication import SeenFlushes
from scorer.steering.workload.lifetime_counts import Totals
from scorer.steering.workload.missing_outcomes import SEEING, Blindness
from scorer.steering.workload.other_configuration import NOTHING_OTHER, ServedWatch
from scorer.steering.workload.quota_outlook import NO_QUOTA, QuotaOutlook
from scorer.steering.workload.recent_load import LoadPerMinute, RecentLoad
from scorer.steering.workload.refusals_after_retreat import RefusalWatchAfterRetreat
from scorer.steering.workload.refusing_sides import RefusalWatch
from scorer.steering.workload.steady_time import SteadyTime
from scorer.steering.workload.workload_spec import WorkloadSpec

STATUS_MS = 1_000  # the status is stored this often (ADR 0055), with verdicts as of then


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """The position up to which the workload's streams have been read, and data about the entries before it.

    - ``cursors``: stream → the id of the last entry that was read
    - ``seen``: the sequence numbers of the latest flushes, to recognise repeats
    - ``clocks``: the offset of steady time from the clock of each extproc process
    - ``commands``: the commands that have been read but not carried out yet
    - ``old_commands_to``: the id of the last command that was given before this state began; "" if the state continues
      a stored one
    - ``after_ms``: the steady time of the last store before this term; entries after the cursors are later than this
      time
    """

    cursors: Mapping[str, str] = field(default_factory=no_cursors)
    seen: SeenFlushes = field(default_factory=SeenFlushes)
    clocks: SourceClocks = field(default_factory=SourceClocks)
    commands: tuple[Command, ...] = ()
    old_commands_to: str = ""
    after_ms: int = 0


@dataclass(frozen=True, slots=True)
class RecentCounts:
    """Counts of recent requests, most of them the candidate's, for the ramp's next decision.

    - ``candidate_failed``: the candidate, or Envoy itself, failed a request since the last verdicts
    - ``drill_errors``: the number of clients' requests that failed at the candidate since the drill began
    - ``unexpected_traffic``: the number of clients' requests that reached the candidate although they certainly began
      while its share was 0
    - ``refusals``: the requests that the sides refused for their credential or for their path
    - ``envoy``: the requests that Envoy itself failed
    - ``served``: the last configuration, other than the file's, that an Envoy has served
    - ``since_ms``: the steady time at which this leader's term began. ``refusals``, ``envoy`` and ``served`` leave out
      earlier flushes and pairs, because they may describe an earlier deployment
    - ``retreat``: the requests that were refused before and after the latest retreat
    - ``load``: the clients' requests of the latest minutes
    - ``copies``: the counts of copies when the present warm-up began
    - ``errors_before``: ``Totals.error_kinds`` when the present step or this leader's term began
    """

    candidate_failed: bool = False
    drill_errors: int = 0
    unexpected_traffic: int = 0
    refusals: RefusalWatch = field(default_factory=RefusalWatch)
    envoy: EnvoyWatch = field(default_factory=EnvoyWatch)
    served: ServedWatch = NOTHING_OTHER
    since_ms: int = 0
    retreat: RefusalWatchAfterRetreat = field(default_factory=RefusalWatchAfterRetreat)
    load: RecentLoad = field(default_factory=RecentLoad)
    copies: CopiesBefore = field(default_factory=CopiesBefore)
    errors_before: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JudgedVerdicts:
    """The latest verdicts on the evidence. ``at_ms``: the steady time at which they were computed."""

    verdicts: tuple[Verdict, ...] = ()
    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class LastLook:
    """The values in the last comparison that required no write.

    ``shown``: Envoy → its runtime entries; None if it could not be read. ``desired``: the values that every Envoy
    should have had.
    """

    shown: Mapping[str, RuntimeEntries | None]
    desired: RuntimeValues


@dataclass(frozen=True, slots=True)
class FleetView:
    """The workload's view of all Envoys.

    - ``observation``: the result of comparing the Envoys' values with the desired values
    - ``last_written``: Envoy → the values that it may have, because Glidepath wrote or saw them
    - ``envoys``: the number of Envoys, plus the number of admin layers that hide an Envoy's pushed weights
    - ``last_look``: the values at the last comparison, to detect changes; None if they must be compared again anyway
    """

    observation: Observation = field(default_factory=lambda: Observation(frozenset(), {}))
    last_written: LastWritten = field(default_factory=dict)
    envoys: int = 0
    last_look: LastLook | None = None

    @property
    def all_confirmed(self) -> bool:
        return 0 < self.envoys <= len(self.observation.confirmed)


@dataclass(frozen=True, slots=True)
class WritePeriods:
    """The indexes of the periods of the workload's last tick: of the checkpoints, and of the regular status writes.

    A change of an index means that the write is due; see staggering.py. None before this leader's first tick.
    """

    checkpoint: int | None = None
    status: int | None = None


@dataclass(frozen=True, slots=True)
class BaselineRestart:
    """A start at the baseline after the stored state was discarded for ``reason``.

    ``announced``: the reason is in the decision log. ``confirmed``: every Envoy has confirmed the baseline's weights.
    Until then, an Envoy may still run weights of the discarded state, which are not a manual override.
    """

    reason: str
    announced: bool = False
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class WorkloadState:
    """All data about a workload that one tick passes on to the next (ADR 0133).

    - ``evidence``: it may be changed in place, so only the newest state may use it
    - ``inputs``: the inputs of the ramp's last decision
    - ``settled_epoch``: the last epoch of the ramp whose share every Envoy has confirmed
    - ``problem``: why the last tick failed; "" if it did not fail
    - ``announced_ms``: the steady time at which a failed tick was last announced
    - ``restart``: set if the stored state was discarded, until the candidate has a share again
    - ``now``: the moment of the last tick, or of the takeover
    - ``blindness``: where the leader was blind in the last tick
    - ``quota``: what the quotas of the backends allowed in the last tick
    """

    spec: WorkloadSpec
    ramp: RampState
    evidence: StepEvidence
    inputs: TickInputs
    streams: StreamPosition = field(default_factory=StreamPosition)
    totals: Totals = field(default_factory=Totals)
    recent: RecentCounts = field(default_factory=RecentCounts)
    judged: JudgedVerdicts = field(default_factory=JudgedVerdicts)
    fleet: FleetView = field(default_factory=FleetView)
    written: WritePeriods = field(default_factory=WritePeriods)
    settled_epoch: int = -1
    problem: str = ""
    announced_ms: int = 0
    restart: BaselineRestart | None = None
    now: SteadyTime = field(default_factory=SteadyTime)
    blindness: Blindness = SEEING
    quota: QuotaOutlook = NO_QUOTA

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def desired(self) -> RuntimeValues:
        """The runtime values that every Envoy should have."""
        return desired_values(self.ramp.serving, self.copied, self.ramp.autopilot)

    @property
    def wanted_copies(self) -> float:
        """The percentage of the requests to copy, whatever the quotas of the backends allow."""
        ramp = self.ramp
        if ramp.shadow_override is not None:
            return ramp.shadow_override
        return self.spec.workload.shadow.sample if ramp.warm_up is None else ramp.warm_up.share

    @property
    def copied(self) -> float:
        """The percentage of the requests to copy. A percentage that a person set is not lowered to fit a quota."""
        if self.ramp.shadow_override is not None:
            return self.wanted_copies
        return min(self.wanted_copies, self.quota.most_copies)

    @property
    def load_per_minute(self) -> LoadPerMinute | None:
        """The clients' requests of the busiest recent minute; None if they are unknown."""
        return self.recent.load.busiest(self.now.ms, self.recent.since_ms)

    @property
    def skew(self) -> tuple[str, int]:
        """The host whose clock differs most from Redis' clock, and the milliseconds by which it is ahead."""
        return self.streams.clocks.worst(self.now)


def new_state(spec: WorkloadSpec, now: SteadyTime, *, percent: float | None = None) -> WorkloadState:
    """Return the first state of a workload without a stored state.

    The candidate's share is ``percent``, or the configured start if it is None.
    """
    share = spec.workload.start if percent is None else percent
    ramp = initial(share, spec.policy.last, now.ms, spec.digest)
    return WorkloadState(
        spec,
        ramp,
        spec.fresh_evidence(ramp, now.ms),
        TickInputs(workload=spec.name),
        recent=RecentCounts(since_ms=now.ms),
        now=now,
    )


def with_fresh_evidence(state: WorkloadState, ramp: RampState, now_ms: int) -> WorkloadState:
    """Return the state with ``ramp``, with empty evidence that begins at ``now_ms``, and without verdicts.

    The errors of the new step begin at 0.
    """
    evidence = state.spec.fresh_evidence(ramp, now_ms, state.evidence)
    recent = replace(state.recent, errors_before=state.totals.error_kinds)
    return replace(state, ramp=ramp, evidence=evidence, judged=JudgedVerdicts(), recent=recent)


def restart_evidence(state: WorkloadState, now_ms: int) -> WorkloadState:
    """Return the state with empty evidence that begins at ``now_ms``, and with a new epoch of the ramp.

    The share stays. This function replaces unusable evidence, because one bad number in the evidence would otherwise
    disable the guards forever.
    """
    return with_fresh_evidence(state, restarted_epoch(state.ramp, now_ms), now_ms)


def restarted_epoch(ramp: RampState, now_ms: int) -> RampState:
    return replace(ramp, since_ms=now_ms, epoch=ramp.epoch + 1)
