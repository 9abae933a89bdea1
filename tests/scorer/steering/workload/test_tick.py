"""Single ticks of a workload: their decisions, writes and records."""

from __future__ import annotations

import copy
import json

import pytest
import yaml

from glidepath.config import parse_config
from glidepath.histogram import Histogram
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.sides import Origin, Side
from glidepath.status_and_decisions import Command, CommandKind, Decision, Phase
from scorer.steering.envoy.actuator import MemoryActuator
from scorer.steering.evidence.accumulator import Evidence
from scorer.steering.store_protocol import News
from scorer.steering.workload.tick_context import TickContext
from scorer.steering.workload.workload_state_codec import encode
from tests.support.steered_workload import SteeredWorkload


def test_another_model_of_the_same_backend_restarts_the_ramp_at_0(chat: SteeredWorkload, valid_yaml: str) -> None:
    chat.tick(2000)
    chat.set_ramp(phase=Phase.BAKING, percent=50)
    raw = yaml.safe_load(valid_yaml)
    gates, model = copy.deepcopy(raw), copy.deepcopy(raw)
    gates["workloads"]["chat"].setdefault("ramp", {})["min_samples"] = 77
    model["backends"]["onprem"]["model"] = "another"
    after = {}
    for name, text in (("gates", gates), ("model", model)):
        again = SteeredWorkload(parse_config(yaml.safe_dump(text)))
        again.restore(json.loads(encode(chat.state)), 3000)
        events = [d.event for d in again.decisions(3000)]
        after[name] = (events, again.state.ramp.percent, again.state.ramp.phase)
    assert after["gates"] == (["reconfigure"], 50, Phase.BAKING)
    assert after["model"] == (["replace_backend"], 0, Phase.SHADOW)


def test_a_first_start_does_not_overwrite_weights_that_envoys_already_serve(valid_yaml: str) -> None:
    chat, envoys = SteeredWorkload(parse_config(valid_yaml), first_start=True), MemoryActuator(2)
    assert chat.decisions(1500) == ()
    unknown = TickContext(unknown_weights=frozenset(envoys.runtime))
    held = chat.tick(2000, envoys.readings(), unknown)
    assert [d.trigger for d in held.decisions] == ["state_lost"]
    assert held.writes == {}
    resume = News(commands=(Command(CommandKind.RESUME, "ann"),))
    assert set(chat.tick(3000, envoys.readings(), unknown, news=resume).writes) == set(envoys.runtime)


def test_the_fast_guard_rolls_back_while_the_share_is_unknown(valid_yaml: str) -> None:
    chat, envoys = SteeredWorkload(parse_config(valid_yaml), Evidence, first_start=True), MemoryActuator(1)
    unknown = TickContext(unknown_weights=frozenset(envoys.runtime))
    assert [d.trigger for d in chat.decisions(2000, envoys.readings(), unknown)] == ["state_lost"]
    for number in range(10):
        now_ms = 3000 + 250 * number
        sides = (
            SideOutcomes(Side.CANDIDATE, Origin.LIVE, requests=5, errors=5, error_kinds={"status_5xx": 5}),
            SideOutcomes(Side.BASELINE, Origin.LIVE, requests=5, latency_ms=Histogram.of([50.0] * 5)),
        )
        news = News(outcomes=(Outcomes("chat", "x", number, now_ms, now_ms + 250, sides),))
        done = chat.tick(now_ms + 250, envoys.readings(), unknown, news=news)
        if done.decisions:
            break
    assert [d.event for d in done.decisions] == ["rollback"]
    assert done.writes["envoy-0"][chat.spec.names.candidate] == "0"


def test_an_envoy_that_this_state_wrote_to_before_is_known_when_it_connects_again(valid_yaml: str) -> None:
    chat, envoys = SteeredWorkload(parse_config(valid_yaml), first_start=True), MemoryActuator(1)
    assert set(chat.tick(1500, envoys.readings()).writes) == {"envoy-0"}
    again = TickContext(unknown_weights=frozenset({"envoy-0", "envoy-0#2"}))
    assert chat.decisions(2000, envoys.readings(), again) == ()


def test_a_shadow_share_set_by_a_person_is_shown_until_they_remove_it(chat: SteeredWorkload) -> None:
    envoys = MemoryActuator(1)

    def tick(now_ms: int) -> str:
        envoys.submit(chat.tick(now_ms, envoys.readings()).writes)
        return chat.status(now_ms).message

    key = chat.spec.names.shadow
    assert "shadow share" not in tick(2000)
    for now_ms, away in ((3000, ""), (6000, "100")):
        envoys.set_runtime("envoy-0", {key: "0"})
        words = (
            "a person set the shadow share to 0 % (configured: 100 %); `glidepath shadow chat auto` or "
            f"{key}=100 at an Envoy resets it"
        )
        assert words in tick(now_ms)
        assert chat.state.desired.shadow == "0"
        tick(now_ms + 250)
        envoys.set_runtime("envoy-0", {key: away})
        assert "shadow share" not in tick(now_ms + 500)
        assert (chat.state.desired.shadow, chat.state.ramp.shadow_override) == ("100", None)
        tick(now_ms + 750)


def test_a_shadow_share_by_command_reaches_the_envoys_until_auto_or_a_manual_override(chat: SteeredWorkload) -> None:
    envoys = MemoryActuator(1)
    key = chat.spec.names.shadow

    def tick(now_ms: int, *shares: float | None) -> tuple[str, tuple[Decision, ...]]:
        sent = tuple(Command(CommandKind.SHADOW, "ann", "dear", share, id=f"{now_ms}-0") for share in shares)
        done = chat.tick(now_ms, envoys.readings(), news=News(commands=sent))
        envoys.submit(done.writes)
        shown = (envoys.readings()["envoy-0"] or {}).get(key, "")
        return shown, tuple(d for d in done.decisions if d.event != "restore_weights")

    tick(1500)
    before = chat.state.ramp
    shown, (said,) = tick(2000, 12.5)
    assert shown == '{"numerator":125000,"denominator":"MILLION"}'
    assert (said.event, said.actor, said.reason) == ("shadow", "ann", "copies 12.5 % of the requests: dear")
    assert said.details["shadow_percent"] == 12.5
    ramp = chat.state.ramp
    assert (ramp.epoch, ramp.percent, ramp.phase) == (before.epoch, before.percent, before.phase)
    assert tick(2500)[1] == ()
    words = "a person set the shadow share to 12.5 % (configured: 100 %); `glidepath shadow chat auto` or "
    assert words in chat.status(2500).message
    assert tick(3000, None)[0] == "100"
    assert chat.state.ramp.shadow_override is None
    assert "shadow share" not in chat.status(3000).message
    tick(3500, 100.0)
    assert chat.state.ramp.shadow_override is None  # the configured one: it may change in the file
    assert tick(4000, 10.0)[0] == "10"
    envoys.set_runtime("envoy-0", {key: "20"})
    assert [d.event for d in tick(4500)[1]] == ["adopt_shadow"]
    assert (chat.state.ramp.shadow_override, tick(5000, None)[0]) == (20, "100")


@pytest.mark.parametrize("share", [-1.0, 100.5, float("nan"), float("inf")])
def test_an_invalid_shadow_share_is_refused_and_changes_nothing(chat: SteeredWorkload, share: float) -> None:
    command = Command(CommandKind.SHADOW, "ann", percent=share, id="1-0")
    (said,) = chat.decisions(1500, MemoryActuator(1).readings(), news=News(commands=(command,)))
    assert (said.event, chat.state.ramp.shadow_override) == ("refused", None)
    assert "from 0 to 100 %" in said.reason


def test_an_exception_in_a_tick_leaves_the_old_state_as_it_was(chat: SteeredWorkload) -> None:
    before, stored = chat.state, encode(chat.state)
    poison = News(outcomes=(Outcomes("chat", "poison", 1, 2000, 2001),), cursors={"outcomes": "7-0"})
    with pytest.raises(ZeroDivisionError):
        chat.tick(2000, news=poison)
    assert chat.state is before
    assert encode(chat.state) == stored


def test_state_and_status_are_written_on_a_change_and_periodically(chat: SteeredWorkload) -> None:
    envoys = MemoryActuator(1)

    def written(now_ms: int, *commands: Command) -> tuple[bool, bool]:
        done = chat.tick(now_ms, envoys.readings(), news=News(commands=commands))
        envoys.submit(done.writes)
        return done.record.state is not None, done.record.status is not None

    assert written(100_000) == (True, True)
    written(100_250)
    every_tick = [written(100_500 + 250 * number) for number in range(80)]
    assert [sum(column) for column in zip(*every_tick, strict=True)] == [4, 20]
    assert written(120_501, Command(CommandKind.HOLD, "ann")) == (True, True)
