"""The random orders of test_steering_state_machine.py, also with failed ticks, retreats and blindness."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from glidepath.outcome_summaries import Outcomes
from glidepath.status_and_decisions import Decision
from scorer.steering.envoy.runtime_values import Retreat, desired_values
from scorer.steering.ramp.states import RETREATING, RampState
from scorer.steering.workload.missing_outcomes import NO_REPORT, Blindness, CounterReport
from scorer.steering.workload.safe_mode import failed_state, safe_mode_tick
from scorer.steering.workload.tick import Tick
from scorer.steering.workload.tick_context import TickContext
from tests.scorer.steering.scenarios.test_steering_state_machine import Steering
from tests.support.steered_workload import moment

BLIND = CounterReport(Blindness(("envoy-0",), "no outcome arrives"))


class SteeringThatFails(Steering):
    """One workload whose ticks may fail, whose outcomes may not arrive, and whose share another scorer may lower."""

    def __init__(self) -> None:
        super().__init__()
        self.report = NO_REPORT

    def tick_of_the_leader(self, context: TickContext) -> Tick:
        before, news, readings = self.leader.state, self.news(), self.actuator.readings()
        try:
            return self.leader.tick(self.now_ms, readings, replace(context, report=self.report), news=news)
        except ZeroDivisionError:
            failed = failed_state(before, news, "internal error", moment(self.now_ms))
            done = safe_mode_tick(failed, readings, TickContext(admin_layers=context.admin_layers))
            self.leader.state = done.state
            assert not done.writes or done.state.ramp.phase in RETREATING  # a person's weights stay
            return done

    @rule()
    def a_flush_that_fails_a_tick(self) -> None:
        self.outcomes.append(Outcomes("chat", "poison", len(self.outcomes), self.now_ms, self.now_ms + 100))

    @rule(seconds=st.integers(1, 4), works=st.booleans())
    def the_leader_is_blind_for_a_while(self, seconds: int, works: bool) -> None:
        self.report = BLIND
        self.the_candidate_answers_for_a_while(seconds, works)
        self.report = NO_REPORT

    @rule()
    def retreat(self) -> None:
        """Let another scorer, which cannot store anything, set the share of the reachable Envoys to 0."""
        values = self.names.write(desired_values(0.0, 100, self.leader.state.ramp.autopilot))
        text = Retreat(0.0, self.now_ms, "9 of 9 requests failed").text
        for envoy, entries in self.actuator.readings().items():
            present = self.names.read(entries or {})
            if present is not None and present.percent > 0:
                self.actuator.set_runtime(envoy, {**values, self.names.retreat: text})

    @rule()
    def a_retreat_is_adopted_as_a_rollback(self) -> None:
        """Check that the next tick adopts a retreat that reached every Envoy, and takes it for no person's override."""
        self.actuator.unreachable.clear()
        self.actuator.absent.clear()
        for _ in range(4):
            self.tick()
        ramp, known = self.leader.state.ramp, len(self.log)
        self.retreat()
        self.tick()
        if ramp.serving > 0 and not ramp.state_lost and not self.leader.state.problem:
            assert self.leader.state.ramp.serving == 0
            assert "adopt_weights" not in [decision.event for decision in self.log[known:]]

    def check(self, before: RampState, decisions: tuple[Decision, ...]) -> None:
        super().check(before, decisions)
        if self.report is BLIND or self.leader.state.problem:
            assert not [d for d in decisions if d.event == "promote" and d.actor == "glidepath"]


SteeringThatFails.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestSteeringThatFails = pytest.mark.slow(SteeringThatFails.TestCase)
