"""One tick as a whole: commands without the autopilot, and the content of a decision."""

from __future__ import annotations

from dataclasses import replace

from glidepath.status_and_decisions import CommandKind, Phase
from scorer.steering.ramp.decide import advance
from tests.support.ramp_ticks import CATASTROPHE, GOOD, LATE, POLICY, advance_with, at, command


def test_commands_work_without_autopilot() -> None:
    after, _ = advance_with(at(Phase.BAKING, 50, autopilot=False), command(CommandKind.ROLLBACK))
    assert (after.phase, after.percent) == (Phase.ROLLING_BACK, 0)


def test_a_decision_has_its_trigger_actor_verdicts_and_configuration_digest() -> None:
    _, decisions = advance(at(Phase.BAKING, 50), replace(GOOD, verdicts=CATASTROPHE), POLICY, LATE)
    decision = decisions[0]
    assert (decision.trigger, decision.actor, decision.config_digest) == ("errors_fast", "glidepath", "d")
    assert (decision.from_percent, decision.to_percent, decision.at_ms) == (50, 0, LATE)
    assert [v.gate for v in decision.verdicts] == ["sameness", "errors_fast"]
