"""A tick while outcomes do not arrive."""

from __future__ import annotations

from typing import Any

import pytest

from glidepath.config import parse_config
from glidepath.status_and_decisions import Command, CommandKind, Phase
from scorer.steering.envoy.runtime_values import desired_values
from scorer.steering.store_protocol import News
from scorer.steering.workload.missing_outcomes import Blindness, CounterReport
from scorer.steering.workload.tick_context import TickContext
from tests.support.chat_config import CHAT_CONFIG
from tests.support.steered_workload import SteeredWorkload

CONFIG = parse_config(CHAT_CONFIG + "    ramp: {steps: [5, 50, 100], hold: 1s, min_samples: 1, unjudged_limit: 100}\n")
BLIND = Blindness(("envoy-0",), "no outcome of envoy-0 arrives", "0 of 9 failed")
UNSEEN = TickContext(leader="me", report=CounterReport(BLIND))
FAILING = TickContext(leader="me", report=CounterReport(BLIND, "9 of 9 failed", 9, 9))


@pytest.fixture
def chat() -> SteeredWorkload:
    workload = SteeredWorkload(CONFIG)
    workload.set_ramp(phase=Phase.BAKING, percent=5.0)
    return workload


def readings(chat: SteeredWorkload) -> dict[str, Any]:
    return {"envoy-0": chat.spec.names.write(desired_values(5, 100, True))}


def events(chat: SteeredWorkload, now_ms: int, context: TickContext) -> list[str]:
    return [one.event for one in chat.decisions(now_ms, readings(chat), context)]


def test_the_beginning_and_the_end_of_blindness_are_announced_once(chat: SteeredWorkload) -> None:
    assert events(chat, 2000, UNSEEN) == ["blind"]
    assert events(chat, 2500, UNSEEN) == []
    assert events(chat, 3000, TickContext(leader="me")) == ["sees_again"]


def test_without_a_share_blindness_is_shown_and_not_announced(chat: SteeredWorkload) -> None:
    chat.set_ramp(phase=Phase.SHADOW, percent=0.0)
    values = {"envoy-0": chat.spec.names.write(desired_values(0, 100, True))}
    assert chat.decisions(2000, values, UNSEEN) == ()
    assert chat.status(2000).blind == "no outcome of envoy-0 arrives"


def test_the_status_says_where_it_is_blind_and_what_the_counters_show(chat: SteeredWorkload) -> None:
    chat.tick(2000, readings(chat), UNSEEN)
    status = chat.status(2000)
    assert (status.blind_envoys, status.counter_guard) == (("envoy-0",), "0 of 9 failed")
    assert status.message.startswith("blind: no outcome of envoy-0 arrives; 0 of 9 failed; to 50 %: no step while")


def test_no_step_is_taken_while_blind_and_a_person_must_force_it(chat: SteeredWorkload) -> None:
    def promote(force: bool) -> list[str]:
        order = Command(CommandKind.PROMOTE, "ann", force=force, id="1-0")
        news = News(commands=(order,), cursors={"commands": "1-0"})
        return [one.event for one in chat.decisions(3000, readings(chat), UNSEEN, news=news)]

    chat.tick(2000, readings(chat), UNSEEN)
    assert promote(force=False) == ["refused"]
    assert promote(force=True) == ["promote"]


def test_the_counter_guard_rolls_back_to_zero(chat: SteeredWorkload) -> None:
    rollback, *_ = chat.decisions(2000, readings(chat), FAILING)
    assert (rollback.event, rollback.trigger, rollback.to_percent) == ("rollback", "counter_guard", 0)
    assert "9 of 9 failed" in rollback.reason
    (verdict,) = [one for one in rollback.verdicts if one.gate == "counter_guard"]
    assert (verdict.n, verdict.value) == (9, 1.0)


def test_with_the_autopilot_off_the_counter_guard_only_says_so(chat: SteeredWorkload) -> None:
    chat.set_ramp(autopilot=False)
    values = {"envoy-0": chat.spec.names.write(desired_values(5, 100, False))}
    assert "guard_overridden" in [one.event for one in chat.decisions(2000, values, FAILING)]
    assert chat.state.ramp.percent == 5
