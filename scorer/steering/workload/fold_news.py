"""Fold the news from the streams into a workload's state. Errors of the evidence are not caught here."""

from __future__ import annotations

from dataclasses import replace

from glidepath.pairs_and_outcomes import Origin, Outcomes, ScoredPair, Side
from scorer.steering.store_protocol import News
from scorer.steering.workload.clock_offsets import SourceClocks
from scorer.steering.workload.seen_flushes import SeenFlushes
from scorer.steering.workload.unexpected_traffic import begun_after
from scorer.steering.workload.workload_state import RecentCounts, StreamPosition, WorkloadState


def fold(state: WorkloadState, news: News) -> WorkloadState:
    """Return the state with all of ``news`` folded in."""
    if not (news.cursors or news.commands or news.outcomes or news.scored or news.bad):
        return state
    folding = _Folding(state, news)
    for flush in news.outcomes:
        folding.add_flush(flush)
    for pair in news.scored:
        folding.add_pair(pair)
    return folding.result()


def receive(state: WorkloadState, news: News) -> WorkloadState:
    """Return the state with the cursors moved past ``news`` and its commands queued; the evidence is unchanged.

    This is used for news that could not be folded. So a record that raises an error is read only once, and a person's
    commands in the same batch are still carried out.
    """
    streams = state.streams
    received = _received(streams, news, streams.seen, _learned(streams.clocks, news))
    return replace(state, streams=received, totals=state.totals.with_bad_records(news.bad))


def _learned(clocks: SourceClocks, news: News) -> SourceClocks:
    stamps = [(flush.source, flush.to_ms, flush.arrived_ms) for flush in news.outcomes]
    return clocks.learn(stamps) if stamps else clocks


def _received(streams: StreamPosition, news: News, seen: SeenFlushes, clocks: SourceClocks) -> StreamPosition:
    commands = streams.commands + news.commands
    return StreamPosition({**streams.cursors, **news.cursors}, seen, clocks, commands, streams.began_ms)


class _Folding:
    """The parts of a state that change during one ``fold``. A new state for every flush would take too much time."""

    def __init__(self, state: WorkloadState, news: News) -> None:
        self._state, self._spec, self._ramp = state, state.spec, state.ramp
        self._news, self._seen = news, state.streams.seen
        self._clocks = _learned(state.streams.clocks, news)
        self._totals = state.totals.with_bad_records(news.bad)
        self._recent, self._evidence = state.recent, state.evidence

    def result(self) -> WorkloadState:
        streams = _received(self._state.streams, self._news, self._seen, self._clocks)
        return replace(self._state, streams=streams, totals=self._totals, recent=self._recent, evidence=self._evidence)

    def add_flush(self, flush: Outcomes) -> None:
        self._seen, is_new = self._seen.add(flush.source, flush.seq)
        if not is_new:
            return
        ahead_ms = self._clocks.ahead_ms(flush.source)
        flush = flush.later(ahead_ms) if ahead_ms else flush
        self._count(flush)
        # A drill changes the share for a moment, so its traffic is not evidence about the step.
        if self._ramp.drill is None and flush.from_ms >= self._ramp.since_ms:
            self._evidence = self._evidence.fold_outcomes(flush)

    def _count(self, flush: Outcomes) -> None:
        ramp, recent, drilling = self._ramp, self._recent, self._ramp.drill is not None
        candidate = [side for side in flush.sides if side.side is Side.CANDIDATE]
        live = [side for side in candidate if side.origin is Origin.LIVE and side.requests]
        failed, unexpected = recent.candidate_failed or any(side.errors for side in candidate), 0
        if live and ramp.percent <= 0 and not ramp.share_unknown and not drilling:
            unexpected = begun_after(live, flush.from_ms, ramp.since_ms)
        drill_errors = sum(side.errors for side in live) if drilling else 0
        self._recent = RecentCounts(failed, recent.drill_errors + drill_errors, recent.unexpected_traffic + unexpected)
        early = flush.from_ms < ramp.since_ms and not drilling
        left_out = sum(side.requests for side in flush.sides) if early else 0
        self._totals = self._totals.with_flush(flush, left_out, flush.to_ms if live else 0)

    def add_pair(self, pair: ScoredPair) -> None:
        self._totals = self._totals.with_pair(pair)
        probe = pair.baseline.origin is Origin.PROBE
        if probe and self._spec.policy.next_step(self._ramp.percent) is not None:
            return  # probes repeat the same few questions, so they must not count towards a step
        # The host that captured the pair is unknown, so its time is converted with the smallest offset of all hosts.
        at_ms = pair.captured_at_ms + self._clocks.least_ms()
        if at_ms < self._ramp.since_ms:
            self._totals = self._totals.with_left_out(1)
            return
        # scored_at_ms is by the clock of yet another process, so it is replaced by the time of the capture.
        self._evidence = self._evidence.fold_scored(replace(pair, captured_at_ms=at_ms, scored_at_ms=at_ms))
