"""Add the news from the streams to a workload's state and evidence.

If the evidence raises an exception, this module does not catch it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from glidepath.feedback import Feedback
from glidepath.histogram import bucket_of
from glidepath.latency import LEAST_WAIT_MS
from glidepath.outcome_summaries import AtFault, Outcomes, SideOutcomes
from glidepath.pair_scores import ScoredPair
from glidepath.sides import Origin, Side
from scorer.steering.steering_interfaces import StepEvidence
from scorer.steering.store_protocol import News
from scorer.steering.workload.clock_offsets import SourceClocks
from scorer.steering.workload.other_configuration import is_other, other_requests, refuse_others
from scorer.steering.workload.refuse_other_embedder import refuse_other_embedder
from scorer.steering.workload.steady_time import SteadyTime
from scorer.steering.workload.unexpected_traffic import begun_after
from scorer.steering.workload.workload_state import StreamPosition, WorkloadState

Entry = TypeVar("Entry", Outcomes, ScoredPair, Feedback)
_BELOW_LEAST_WAIT = bucket_of(LEAST_WAIT_MS) - 1
OTHER_WEIGHTS = "other_weights"  # why an agreement is refused: its weights are not the configured ones


def fold(state: WorkloadState, news: News, now: SteadyTime) -> WorkloadState:
    """Return the state at ``now`` with all of ``news``, read at ``now``, added to its evidence, counts and cursors."""
    if not (news.cursors or news.commands or news.outcomes or news.scored or news.feedback or news.bad):
        return replace(state, now=now)
    counting, evidence = _Counting(state, news, now), state.evidence
    for flush in news.outcomes:
        if (usable := counting.count_flush(flush)) is not None:
            evidence = evidence.fold_outcomes(usable)
    for pair in news.scored:
        if (usable_pair := counting.count_pair(pair)) is not None:
            evidence = evidence.fold_scored(usable_pair)
    for given in news.feedback:
        if (usable_feedback := counting.count_feedback(given)) is not None:
            evidence = evidence.fold_feedback(usable_feedback)
    return counting.result(evidence)


def fold_counts(state: WorkloadState, news: News, now: SteadyTime) -> WorkloadState:
    """Return the state at ``now`` with ``news`` added to its counts and cursors, but not to its evidence.

    This is used for the news of a tick that raised an exception. So a record that raises an error is read only once,
    every record is counted, and a person's commands in the same news are still carried out. If counting a record raises
    an error too, it is counted as a bad record.
    """
    counting = _Counting(state, news, now)
    for flush in news.outcomes:
        counting.try_to_count(counting.count_flush, flush)
    for pair in news.scored:
        counting.try_to_count(counting.count_pair, pair)
    for given in news.feedback:
        counting.try_to_count(counting.count_feedback, given)
    return counting.result(state.evidence)


def _learned(read: StreamPosition, news: News, now: SteadyTime) -> SourceClocks:
    if not news.outcomes:
        return read.clocks
    return read.clocks.learn(
        (f.source, f.to_ms, now.steady_ms(f.arrived_ms, after_ms=read.after_ms) if f.arrived_ms else 0)
        for f in news.outcomes
    )


class _Counting:
    """The counts of a workload, to which one tick's news is added.

    The object is mutable, because a new state for every flush would take too much time.
    """

    def __init__(self, state: WorkloadState, news: News, now: SteadyTime) -> None:
        self._state, self._spec, self._ramp, self._now = state, state.spec, state.ramp, now
        self._news, self._seen = news, state.streams.seen
        self._clocks = _learned(state.streams, news, now)
        self._totals = state.totals.with_bad_records(news.bad)
        self._recent = state.recent

    def result(self, evidence: StepEvidence) -> WorkloadState:
        """Return the state with these counts, with ``evidence``, and with the cursors moved past the news."""
        read, news, recent = self._state.streams, self._news, self._recent
        cursors, commands = {**read.cursors, **news.cursors}, read.commands + news.commands
        streams = StreamPosition(cursors, self._seen, self._clocks, commands, read.old_commands_to, read.after_ms)
        return replace(
            self._state, streams=streams, totals=self._totals, recent=recent, evidence=evidence, now=self._now
        )

    def try_to_count(self, count: Callable[[Entry], Entry | None], entry: Entry) -> None:
        """Count the entry of a failed tick. An entry that cannot be counted is counted as a bad record.

        An exception here is not logged: it may come from the same fault as the exception of the tick, which is already
        in the log.
        """
        try:
            count(entry)
        except Exception:  # whatever it is, it must not prevent a rollback
            self._totals = self._totals.with_bad_records(1)

    def count_flush(self, flush: Outcomes) -> Outcomes | None:
        """Count a flush unless it is a repeat. Return the flush if it is evidence about the present step, else None.

        The returned flush has steady times.
        """
        self._seen, is_new = self._seen.add(flush.source, flush.seq)
        if not is_new:
            return None
        ahead_ms = self._clocks.ahead_ms(flush.source)
        flush = flush.later(ahead_ms) if ahead_ms else flush
        if flush.from_ms > flush.to_ms:  # the source's clock was set back meanwhile, so the beginning is unknown
            flush = replace(flush, from_ms=0)
        self._count(flush)
        other, requests = other_requests(flush, self._spec.served)
        if other:
            self._note_other(other, requests, flush.from_ms, flush.to_ms)
            flush = refuse_others(flush, self._spec.served, self._ramp.percent)
        # A drill changes the share for a moment, so its traffic is not evidence about the step.
        return flush if self._ramp.drill is None and flush.from_ms >= self._ramp.since_ms else None

    def _note_other(self, other: str, count: int, from_ms: int, to_ms: int) -> None:
        self._totals = self._totals.with_other_configuration(count)
        if from_ms >= self._recent.since_ms:  # an earlier record may be from an Envoy that was replaced
            self._recent = replace(self._recent, served=self._recent.served.after(other, to_ms))

    def _count(self, flush: Outcomes) -> None:
        ramp, recent, drilling = self._ramp, self._recent, self._ramp.drill is not None
        candidate = [side for side in flush.sides if side.side is Side.CANDIDATE]
        live = [side for side in candidate if side.origin is Origin.LIVE and side.requests]
        by_envoy = any(reply.at_fault is AtFault.ENVOY for reply in flush.local_replies)
        failed, unexpected = recent.candidate_failed or by_envoy or any(map(_has_failed, candidate)), 0
        if live and ramp.percent <= 0 and not ramp.share_unknown and not drilling:
            unexpected = begun_after(live, flush.from_ms, ramp.since_ms)
        drill_errors = sum(side.errors for side in live) if drilling else 0
        watches = (recent.refusals, recent.envoy)
        if flush.from_ms >= recent.since_ms:
            watches = (recent.refusals.with_flush(flush), recent.envoy.with_flush(flush))
        seen_before = watches[0] is recent.refusals and watches[1] is recent.envoy
        if drill_errors or unexpected or failed != recent.candidate_failed or not seen_before:
            drill_errors, unexpected = recent.drill_errors + drill_errors, recent.unexpected_traffic + unexpected
            self._recent = replace(
                recent,
                candidate_failed=failed,
                drill_errors=drill_errors,
                unexpected_traffic=unexpected,
                refusals=watches[0],
                envoy=watches[1],
            )
        if self._spec.has_quota:
            self._recent = replace(self._recent, load=self._recent.load.with_flush(flush))
        early = flush.from_ms < ramp.since_ms and not drilling
        left_out = sum(side.requests for side in flush.sides) if early else 0
        self._totals = self._totals.with_flush(flush, left_out, flush.to_ms if live else 0, self._spec.policy.idle_ms)

    def count_pair(self, pair: ScoredPair) -> ScoredPair | None:
        """Count a pair. Return the pair if it is evidence about the present step, else None.

        The returned pair has steady times.
        """
        pair = refuse_other_embedder(pair, self._spec.models.get("embedder", ""))
        if pair.scored and pair.weights and pair.weights != self._spec.weights:
            pair = replace(pair, scored=False, unscored_reason=OTHER_WEIGHTS)
        self._totals = self._totals.with_pair(pair)
        probe = pair.baseline.origin is Origin.PROBE
        if probe and self._spec.policy.next_step(self._ramp.percent) is not None:
            return None  # probes repeat the same few questions, so they must not count towards a step
        # The host that captured the pair is unknown, so its time is converted with the smallest offset of all hosts. A
        # host without an offset, such as that of a probe, may have a clock that is ahead.
        at_ms = min(pair.captured_at_ms + self._clocks.least_ms(), self._now.ms)
        if at_ms < self._ramp.since_ms:
            self._totals = self._totals.with_left_out(1)
            return None
        if is_other(pair, self._spec.served):
            self._note_other(pair.served, 1, at_ms, at_ms)
            return None
        # scored_at_ms is by the clock of yet another process, so it is replaced by the time of the capture.
        return replace(pair, captured_at_ms=at_ms, scored_at_ms=at_ms)

    def count_feedback(self, feedback: Feedback) -> Feedback | None:
        """Count feedback. Return it with a steady time if it is evidence about the present step, else None."""
        self._totals = self._totals.with_feedback(feedback)
        at_ms = min(feedback.served_at_ms + self._clocks.least_ms(), self._now.ms)
        if feedback.match.side is None or self._ramp.drill is not None or at_ms < self._ramp.since_ms:
            return None
        return replace(feedback, served_at_ms=at_ms)


def _has_failed(side: SideOutcomes) -> bool:
    """Return whether a request failed, or a client left after a wait without an answer."""
    return bool(side.errors) or side.aborted_ms.above(_BELOW_LEAST_WAIT) > 0
