"""Folding of what came in through the streams into a workload's state. Pure; raises whatever the evidence raises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from glidepath.domain import Origin, Outcomes, ScoredPair, Side, SideOutcomes, add_counts
from scorer.steering.state_store import News
from scorer.steering.workload.totals import Totals
from scorer.steering.workload.unexpected_traffic import begun_after
from scorer.steering.workload.workload_state import RecentCounts, WorkloadState


def fold(state: WorkloadState, news: News) -> WorkloadState:
    """Return the state with all of ``news`` taken in."""
    state = receive(state, news)
    for flush in news.outcomes:
        ahead_ms = state.streams.clocks.ahead_ms(flush.source)
        state = _fold_flush(state, flush.later(ahead_ms) if ahead_ms else flush)
    for pair in news.scored:
        state = _fold_pair(state, pair)
    return state


def receive(state: WorkloadState, news: News) -> WorkloadState:
    """Return the state with the cursors moved past ``news`` and its commands waiting; the evidence is untouched.

    This alone is done with news that could not be folded: a record that raises is then met once, and a person's
    commands in the same batch are still carried out.
    """
    if not (news.cursors or news.commands or news.outcomes or news.bad):
        return state
    streams, stamps = state.streams, [(o.source, o.to_ms, o.arrived_ms) for o in news.outcomes]
    streams = replace(
        streams,
        cursors={**streams.cursors, **news.cursors},
        commands=streams.commands + news.commands,
        clocks=streams.clocks.learn(stamps) if stamps else streams.clocks,
    )
    totals = replace(state.totals, bad_records=state.totals.bad_records + news.bad) if news.bad else state.totals
    return replace(state, streams=streams, totals=totals)


def _fold_flush(state: WorkloadState, flush: Outcomes) -> WorkloadState:
    seen, is_new = state.streams.seen.add(flush.source, flush.seq)
    if not is_new:
        return state
    candidate = [side for side in flush.sides if side.side is Side.CANDIDATE]
    live = [side for side in candidate if side.origin is Origin.LIVE and side.requests]
    # What a drill takes away and gives back says nothing about the step.
    drilling, early = state.ramp.drill is not None, flush.from_ms < state.ramp.since_ms
    left_out = sum(side.requests for side in flush.sides) if early and not drilling else 0
    return replace(
        state,
        streams=replace(state.streams, seen=seen),
        totals=_totals(state.totals, flush, left_out, is_live=bool(live)),
        recent=_recent(state, flush, candidate, live),
        evidence=state.evidence if early or drilling else state.evidence.fold_outcomes(flush),
    )


def _totals(totals: Totals, flush: Outcomes, left_out: int, *, is_live: bool) -> Totals:
    if not flush.coverage and not left_out and not is_live:
        return totals
    return replace(
        totals,
        coverage=add_counts(totals.coverage, flush.coverage) if flush.coverage else totals.coverage,
        left_out=totals.left_out + left_out,
        live_ms=max(totals.live_ms, flush.to_ms) if is_live else totals.live_ms,
    )


def _recent(
    state: WorkloadState, flush: Outcomes, candidate: Sequence[SideOutcomes], live: Sequence[SideOutcomes]
) -> RecentCounts:
    recent, ramp = state.recent, state.ramp
    failed = recent.candidate_failed or any(side.errors for side in candidate)
    if ramp.drill is not None:
        drill_errors = recent.drill_errors + sum(side.errors for side in live)
        return RecentCounts(failed, drill_errors, recent.unexpected_traffic)
    unexpected = recent.unexpected_traffic
    if live and ramp.percent <= 0 and not ramp.share_unknown:
        unexpected += begun_after(live, flush.from_ms, ramp.since_ms)
    return RecentCounts(failed, recent.drill_errors, unexpected)


def _fold_pair(state: WorkloadState, pair: ScoredPair) -> WorkloadState:
    state = replace(state, totals=_with_pair(state.totals, pair))
    probe = pair.baseline.origin is Origin.PROBE
    if probe and state.spec.policy.next_step(state.ramp.percent) is not None:
        return state  # the same few questions, asked again and again, must not help to take a step
    # The proxy that captured the pair is not known: by its clock the pair must at least be this much younger.
    at_ms = pair.captured_at_ms + state.streams.clocks.least_ms()
    if at_ms < state.ramp.since_ms:
        return replace(state, totals=replace(state.totals, left_out=state.totals.left_out + 1))
    # scored_at_ms is by the clock of yet another process, so the time of the capture stands for it.
    dated = replace(pair, captured_at_ms=at_ms, scored_at_ms=at_ms)
    return replace(state, evidence=state.evidence.fold_scored(dated))


def _with_pair(totals: Totals, pair: ScoredPair) -> Totals:
    scorer = pair.scorer or totals.scorer
    if pair.scored:
        return replace(totals, scorer=scorer, pairs_scored=totals.pairs_scored + 1)
    return replace(totals, scorer=scorer, pairs_unscored=add_counts(totals.pairs_unscored, {pair.unscored_reason: 1}))
