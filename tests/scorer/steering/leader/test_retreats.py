"""A retreat is sent to the Envoys at once, never raises a share, and never changes a value that a person set."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.config import parse_config
from glidepath.status_and_decisions import Command, CommandKind, Phase
from scorer.steering.envoy.actuator import MemoryActuator
from scorer.steering.envoy.runtime_values import desired_values
from scorer.steering.leader.retreats import Retreats
from scorer.steering.store_protocol import News
from scorer.steering.workload.tick_context import TickContext
from tests.support.chat_config import CHAT_CONFIG
from tests.support.steered_workload import SteeredWorkload

CONFIG = parse_config(CHAT_CONFIG + "    ramp: {steps: [5, 50, 100], hold: 1h, unjudged_limit: 100}\n")
CANDIDATE, RETREAT = "glidepath.chat.weight.onprem-or-cloud", "glidepath.chat.retreat"


@pytest.fixture
def chat() -> SteeredWorkload:
    """Return the workload ``chat`` at 50 %."""
    workload = SteeredWorkload(CONFIG)
    workload.set_ramp(phase=Phase.BAKING, percent=50.0, entered_ms=1000)
    return workload


def envoys_at(chat: SteeredWorkload, *percents: float) -> MemoryActuator:
    actuator = MemoryActuator(len(percents))
    for i, percent in enumerate(percents):
        written = chat.spec.names.write(desired_values(percent, 100, True))
        actuator.set_runtime(f"envoy-{i}", written)
    return actuator


def share(actuator: MemoryActuator, envoy: int = 0) -> int:
    return int(actuator.runtime[f"envoy-{envoy}"][CANDIDATE])


def test_a_conviction_is_sent_to_every_envoy_with_its_time_and_reason(chat: SteeredWorkload) -> None:
    actuator, retreats = envoys_at(chat, 50, 5), Retreats()
    assert retreats.send(chat.state, "9 of 9 failed", actuator)
    assert (share(actuator, 0), share(actuator, 1)) == (0, 0)
    at_ms, _, reason = actuator.runtime["envoy-0"][RETREAT].partition(" ")
    assert int(at_ms) >= 1000
    assert reason == "counter_guard 9 of 9 failed"  # Envoy would read a colon as YAML
    assert not retreats.send(chat.state, "9 of 9 failed", actuator), "it is sent once"


@given(st.lists(st.floats(0, 100), min_size=1, max_size=5))
def test_whatever_the_envoys_serve_a_retreat_never_raises_a_share(percents: list[float]) -> None:
    chat = SteeredWorkload(CONFIG)
    actuator = envoys_at(chat, *percents)
    before = [share(actuator, i) for i in range(len(percents))]
    Retreats().send(chat.state, "failed", actuator)
    assert all(share(actuator, i) <= was for i, was in enumerate(before))


def test_a_share_that_a_person_sets_after_the_retreat_stays(chat: SteeredWorkload) -> None:
    actuator, retreats = envoys_at(chat, 50), Retreats()
    retreats.send(chat.state, "failed", actuator)
    retreats.send(chat.state, "failed", actuator)  # the Envoy is seen at 0 %
    actuator.set_runtime("envoy-0", chat.spec.names.write(desired_values(30, 100, True)))
    retreats.send(chat.state, "failed", actuator)
    assert share(actuator) == 3000


def test_an_envoy_that_could_not_be_reached_gets_the_retreat_when_it_is_back(chat: SteeredWorkload) -> None:
    actuator, retreats = envoys_at(chat, 50), Retreats()
    actuator.unreachable.add("envoy-0")
    assert not retreats.send(chat.state, "failed", actuator)
    actuator.unreachable.clear()
    assert retreats.send(chat.state, "failed", actuator)
    assert share(actuator) == 0


def test_a_lower_share_is_sent_before_it_is_stored(chat: SteeredWorkload) -> None:
    actuator, retreats, before = envoys_at(chat, 50), Retreats(), chat.state
    command = Command(CommandKind.ROLLBACK, "ann", "too slow", id="1-0")
    done = chat.tick(2000, actuator.readings(), news=News(commands=(command,), cursors={"commands": "1-0"}))
    retreats.before_storing(before, done, actuator)
    assert share(actuator) == 0
    assert retreats.unstored["chat"].percent == 0
    retreats.stored(done.state)
    assert not retreats.unstored


def test_a_step_forward_waits_until_it_is_stored(chat: SteeredWorkload) -> None:
    actuator, retreats, before = envoys_at(chat, 50), Retreats(), chat.state
    command = Command(CommandKind.PROMOTE, "ann", force=True, id="1-0")
    done = chat.tick(2000, actuator.readings(), news=News(commands=(command,), cursors={"commands": "1-0"}))
    assert done.writes
    retreats.before_storing(before, done, actuator)
    assert share(actuator) == 5000
    assert not retreats.unstored


def test_the_next_leader_adopts_a_retreat_and_removes_the_key(chat: SteeredWorkload) -> None:
    actuator = envoys_at(chat, 50, 50)
    Retreats().send(chat.state, "9 of 9 failed", actuator)
    actuator.set_runtime("envoy-1", chat.spec.names.write(desired_values(50, 100, True)))  # it was not reached
    done = chat.tick(2000, actuator.readings())
    (decision,) = done.decisions
    assert (decision.event, decision.trigger, decision.to_percent) == ("rollback", "retreat", 0)
    assert "9 of 9 failed" in decision.reason
    assert done.state.ramp.phase is Phase.ROLLING_BACK
    actuator.submit(done.writes)
    assert (share(actuator, 0), share(actuator, 1)) == (0, 0)
    assert RETREAT not in actuator.runtime["envoy-0"]


def test_a_retreat_from_before_the_present_phase_changes_nothing(chat: SteeredWorkload) -> None:
    actuator = envoys_at(chat, 0)
    actuator.set_runtime("envoy-0", {RETREAT: "999 an old reason"})
    chat.state = chat.tick(1500, actuator.readings(), TickContext(leader="me")).state
    assert chat.state.ramp.phase is not Phase.ROLLING_BACK


def test_a_retreat_that_this_scorer_sent_is_adopted_although_envoy_lost_it(chat: SteeredWorkload) -> None:
    actuator, retreats = envoys_at(chat, 50), Retreats()
    retreats.send(chat.state, "failed", actuator)
    actuator.restart("envoy-0")
    done = chat.tick(2000, actuator.readings(), TickContext(leader="me", retreat=retreats.unstored["chat"]))
    assert [one.event for one in done.decisions][:1] == ["rollback"]
    assert done.state.ramp.percent == 0


def test_a_retreat_key_with_other_text_means_nothing(chat: SteeredWorkload) -> None:
    for text in ("", "soon", "12", "-5 x", "9" * 40 + " x", "²³ x"):
        actuator = envoys_at(chat, 50)
        actuator.set_runtime("envoy-0", {RETREAT: text})
        assert not [one for one in chat.tick(2000, actuator.readings()).decisions if one.event == "rollback"]


def test_a_person_who_holds_the_workload_still_holds_it_after_an_adopted_retreat(chat: SteeredWorkload) -> None:
    chat.set_ramp(phase=Phase.HELD, held_by="ann", held_reason="lunch", held_from=Phase.BAKING)
    actuator = envoys_at(chat, 50)
    Retreats().send(chat.state, "failed", actuator)
    assert chat.tick(2000, actuator.readings()).state.ramp.held_by == "ann"
