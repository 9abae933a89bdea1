"""The text that asks a person to confirm an action."""

from __future__ import annotations

import pytest

from glidepath.status_and_decisions import CommandKind
from glidepath_ops.console.action_effects import effect_of, moved, next_step, possible, requests_per_second
from tests.support.console_data import status


def test_a_rollback_says_how_many_requests_change_side() -> None:
    # 86,400 requests in an hour are 24 a second
    assert moved(status(), 0) == "back to 0 %: about 2.4 of 24 requests a second change side"


@pytest.mark.parametrize(("percent", "expected"), [(0.0, 21.6), (10.0, 24.0), (100.0, 2.4)])
def test_copies_are_no_requests_a_second(percent: float, expected: float) -> None:
    # at 0 % the candidate's counts, and at 100 % the baseline's, are those of copies
    assert requests_per_second(status(percent=percent)) == pytest.approx(expected)


def test_a_rollback_offers_all_lower_steps_and_zero_first() -> None:
    effect = effect_of(CommandKind.ROLLBACK, status(), 100)
    assert [choice.percent for choice in effect.choices] == [0, 1, 5]
    assert effect.dangerous


def test_a_promotion_names_the_step_and_the_undecided_gates() -> None:
    effect = effect_of(CommandKind.PROMOTE, status(), 100)
    assert [choice.percent for choice in effect.choices] == [25]
    assert "Undecided gates: latency p99" in effect.text


def test_a_promotion_names_the_failing_gates() -> None:
    assert "Failing gates: sameness; without the tick below" in effect_of(CommandKind.PROMOTE, status(), 100).text


def test_a_rehearsal_from_0_percent_says_that_clients_reach_the_candidate() -> None:
    raised = "first gets 1 % of the clients' requests"
    assert raised in effect_of(CommandKind.DRILL, status(phase="shadow", percent=0.0), 100).text
    assert raised not in effect_of(CommandKind.DRILL, status(), 100).text


def test_at_the_last_step_a_promotion_ends_the_validation() -> None:
    effect = effect_of(CommandKind.PROMOTE, status(phase="validating", percent=100.0), 100)
    assert not effect.choices
    assert "completed" in effect.text


def test_with_an_unknown_share_no_number_of_requests_is_claimed() -> None:
    text = moved(status(share_known=False), 0)
    assert "requests a second" not in text
    assert "unknown" in text


def test_every_command_has_an_effect() -> None:
    for kind in CommandKind:
        assert effect_of(kind, status(), 100).text


def test_what_a_state_offers() -> None:
    assert CommandKind.RESUME in possible(status(phase="held"))
    assert CommandKind.DRILL not in possible(status(phase="cooling_down", percent=0.0))
    assert CommandKind.APPROVE in possible(status(phase="awaiting_approval"))
    assert CommandKind.ROLLBACK not in possible(status(phase="shadow", percent=0.0))
    assert CommandKind.ROLLBACK in possible(status(phase="shadow", percent=0.0, share_known=False))


def test_an_approval_names_its_step_so_that_an_old_page_cannot_approve_another() -> None:
    effect = effect_of(CommandKind.APPROVE, status(phase="awaiting_approval", percent=10.0), 100)
    assert [choice.percent for choice in effect.choices] == [next_step(status(percent=10.0))]
