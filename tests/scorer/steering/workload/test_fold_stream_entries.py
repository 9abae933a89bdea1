"""Folding flushes and scored pairs into a workload's state."""

from __future__ import annotations

from dataclasses import replace

from glidepath.feedback import Feedback, FeedbackMatch
from glidepath.histogram import Histogram
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.pair_scores import AnswerFacts, ScoredPair
from glidepath.pairs import PairKind
from glidepath.sides import Origin, Side
from scorer.steering.candidate_activity import CandidateActivity
from scorer.steering.envoy.actuator import MemoryActuator
from scorer.steering.store_protocol import News
from tests.support.scripted_evidence import ScriptedEvidence
from tests.support.steered_workload import SteeredWorkload


def test_a_flush_that_was_sent_twice_counts_once(chat: SteeredWorkload) -> None:
    flush = Outcomes(
        "chat", "x", 1, 2000, 2001, (SideOutcomes(Side.CANDIDATE, Origin.SHADOW, requests=5),), {"captured": 5}
    )
    chat.fold(News(outcomes=(flush, flush)))
    assert (chat.state.evidence.requests(), chat.state.totals.coverage) == (5, {"captured": 5})


def test_probes_are_no_evidence_for_a_step_but_count_at_the_last_step(chat: SteeredWorkload) -> None:
    probe = ScoredPair("p", "chat", PairKind.CROSS, 2000, 2000, scored=True, agreement=0.95)
    probe = replace(probe, baseline=AnswerFacts(origin=Origin.PROBE))
    chat.fold(News(scored=(probe,)))
    assert (chat.state.evidence.agreement(), chat.state.totals.pairs_scored) == (None, 1)
    chat.set_ramp(percent=100)
    chat.fold(News(scored=(probe,)))
    assert chat.state.evidence.agreement() == 0.95


def test_live_requests_that_began_at_0_percent_are_unexpected_and_answers_that_began_before_are_not(
    chat: SteeredWorkload,
) -> None:
    def flush(seq: int, from_ms: int, *durations: float) -> News:
        side = SideOutcomes(Side.CANDIDATE, Origin.LIVE, requests=len(durations), duration_ms=Histogram.of(durations))
        return News(outcomes=(Outcomes("chat", "x", seq, from_ms, from_ms + 250, (side,)),))

    envoys = MemoryActuator(1)
    chat.fold(flush(0, 900, 50.0))
    for now_ms in (1500, 1750):
        done = chat.tick(now_ms, envoys.readings())
        assert done.decisions == ()
        envoys.submit(done.writes)
    chat.fold(flush(1, 9_000, 50.0))
    chat.fold(flush(2, 60_000, 58_900.0))
    assert chat.decisions(61_000, envoys.readings()) == ()
    decisions = chat.decisions(62_500, envoys.readings(), news=flush(3, 62_000, 58_900.0, 40.0))
    assert [(d.event, d.trigger) for d in decisions] == [("hold", "unexpected_traffic")]
    status = chat.status(62_500)
    assert not status.share_known
    assert "the share is not known" in status.message
    failures = (SideOutcomes(Side.CANDIDATE, Origin.LIVE, requests=5, errors=5),)
    failing = News(outcomes=(Outcomes("chat", "x", 4, 63_000, 63_250, failures),))
    assert [d.event for d in chat.decisions(63_500, envoys.readings(), news=failing)] == ["rollback"]


def test_coverage_without_a_time_is_counted_and_changes_neither_clocks_nor_the_step(chat: SteeredWorkload) -> None:
    counted = Outcomes("chat", "scorer/trimmed", 1, 0, 0, coverage={"trimmed": 30}, arrived_ms=50_000)
    chat.fold(News(outcomes=(counted, counted)))
    assert chat.status(60_000).coverage == {"trimmed": 30}
    assert chat.state.totals.left_out == 0
    assert chat.state.streams.clocks.least_ms() == 0
    assert "clock" not in chat.status(60_000).message


def test_feedback_is_counted_and_is_evidence_only_about_requests_of_the_present_step(chat: SteeredWorkload) -> None:
    seen: list[Feedback] = []

    class Recording(ScriptedEvidence):
        def fold_feedback(self, feedback: Feedback) -> ScriptedEvidence:
            seen.append(feedback)
            return self

    chat.state = replace(chat.state, evidence=Recording(10))
    before, now = chat.state.ramp.since_ms - 1, chat.state.ramp.since_ms + 5
    given = (
        Feedback(FeedbackMatch.CANDIDATE, 1.0, before),
        Feedback(FeedbackMatch.CANDIDATE, 0.5, now),
        Feedback(FeedbackMatch.UNKNOWN),
        Feedback(FeedbackMatch.REPEATED),
    )
    chat.fold(News(feedback=given))
    assert [(one.match, one.score) for one in seen] == [(FeedbackMatch.CANDIDATE, 0.5)]
    assert chat.state.totals.feedback == {"candidate": 2, "unknown": 1, "repeated": 1}


def test_a_copy_in_the_morning_ends_the_idle_time_of_the_night_and_the_ramp_knows_it(chat: SteeredWorkload) -> None:
    def copies(seq: int, to_ms: int) -> News:
        side = SideOutcomes(Side.CANDIDATE, Origin.SHADOW, requests=5)
        return News(outcomes=(Outcomes("chat", "x", seq, to_ms - 1, to_ms, (side,)),))

    evening, morning = 2_000, 2_000 + 9 * 3_600_000
    chat.tick(evening, news=copies(0, evening))
    assert chat.state.inputs.activity == CandidateActivity(0, evening)
    chat.tick(morning, news=copies(1, morning))
    assert chat.state.inputs.activity == CandidateActivity(morning, morning)
