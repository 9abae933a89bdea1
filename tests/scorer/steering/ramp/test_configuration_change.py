"""A changed configuration: fresh evidence, further steps, or a new start for another model or backend."""

from __future__ import annotations

from dataclasses import replace

import pytest

from glidepath.status_and_decisions import Phase
from scorer.steering.ramp.decide import advance
from tests.support.ramp_ticks import GOOD, LATE, POLICY, UNDECIDED, at, tick


def test_a_changed_configuration_restarts_the_evidence_of_the_step_and_is_logged() -> None:
    after, decisions = advance(at(Phase.BAKING, 10), replace(GOOD, config_digest="e"), POLICY, LATE)
    assert (after.epoch, after.since_ms, after.percent, after.config_digest) == (1, LATE, 10, "e")
    assert [d.event for d in decisions] == ["reconfigure"]
    assert decisions[0].details == {"from_digest": "d", "to_digest": "e"}


@pytest.mark.parametrize("changed", [{"candidate": "new (1)"}, {"baseline": "new (1)"}])
@pytest.mark.parametrize(
    ("phase", "after"),
    [
        (Phase.BAKING, Phase.SHADOW),
        (Phase.AWAITING_APPROVAL, Phase.SHADOW),
        (Phase.VALIDATING, Phase.SHADOW),
        (Phase.COMPLETED, Phase.SHADOW),
        (Phase.COOLING_DOWN, Phase.SHADOW),
        (Phase.HELD, Phase.HELD),
        (Phase.ROLLING_BACK, Phase.ROLLING_BACK),
    ],
)
def test_another_candidate_or_baseline_restarts_the_ramp_at_0(
    changed: dict[str, str], phase: Phase, after: Phase
) -> None:
    known = {"candidate": "onprem (0)", "baseline": "cloud (0)"}
    inputs = replace(GOOD, config_digest="e", **{**known, **changed})
    state, decisions = advance(at(phase, 50, drilled=True, held_from=Phase.BAKING, **known), inputs, POLICY, LATE)
    assert (state.phase, state.percent, state.epoch, state.since_ms) == (after, 0, 1, LATE)
    assert (state.held_from is Phase.BAKING, state.drilled) == (phase is not Phase.HELD, False)
    assert [d.event for d in decisions][:1] == ["replace_backend"]
    assert (decisions[0].from_percent, decisions[0].to_percent, decisions[0].trigger) == (50, 0, "configuration")
    assert "new (1)" in decisions[0].reason


def test_a_state_without_sides_takes_the_configured_ones_and_keeps_its_share() -> None:
    inputs = replace(GOOD, candidate="onprem (0)", baseline="cloud (0)", verdicts=UNDECIDED)
    state, decisions = advance(at(Phase.BAKING, 50), inputs, POLICY, LATE)
    assert (state.percent, state.candidate, decisions) == (50, "onprem (0)", ())


def test_further_steps_reopen_a_completed_workload() -> None:
    inputs = replace(GOOD, config_digest="e")
    assert tick(at(Phase.COMPLETED, 50), inputs)[0].phase is Phase.BAKING
    assert tick(at(Phase.COMPLETED, 100), inputs)[0].phase is Phase.COMPLETED
