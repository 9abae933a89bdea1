"""A workload whose state is lost while its Envoys serve a share: held until a person decides."""

from __future__ import annotations

from dataclasses import replace

from glidepath.status_and_decisions import CommandKind, Phase
from scorer.steering.ramp.decide import advance
from tests.support.ramp_ticks import GOOD, LATE, POLICY, UNDECIDED, advance_with, at, command, tick


def test_a_new_state_whose_envoys_already_have_weights_is_held_and_the_log_says_how_to_continue() -> None:
    inputs = replace(GOOD, unknown_envoys=("envoy-0",), confirmed=0)
    held, decisions = advance(at(Phase.SHADOW, 0, first_start=True), inputs, POLICY, LATE)
    assert (held.phase, held.percent, held.held_by, held.state_lost) == (Phase.HELD, 0, "glidepath", True)
    assert [(d.event, d.trigger, d.actor) for d in decisions] == [("hold", "state_lost", "glidepath")]
    assert "envoy-0" in decisions[0].reason
    assert "glidepath resume chat" in decisions[0].reason
    assert tick(held, inputs) == (held, [])
    resumed, _ = advance_with(held, command(CommandKind.RESUME), inputs)
    assert (resumed.phase, resumed.state_lost) == (Phase.SHADOW, False)
    kept, _ = advance_with(held, command(CommandKind.PROMOTE, 50), inputs)
    assert (kept.phase, kept.percent, kept.state_lost) == (Phase.HELD, 50, False)


def test_unknown_envoys_do_not_hold_a_workload_that_has_decided_before() -> None:
    inputs = replace(GOOD, unknown_envoys=("envoy-0",), verdicts=UNDECIDED)
    assert tick(at(Phase.BAKING, 10), inputs)[1] == []
