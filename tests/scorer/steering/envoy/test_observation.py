"""Whose hand was it: ours, a restart's, or a person's."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.config import parse_config
from scorer.steering.envoy.observation import Observation, observe
from scorer.steering.envoy.runtime_values import (
    LastWritten,
    RuntimeKeys,
    RuntimeValues,
    desired_values,
    last_written_from_json,
    last_written_to_json,
    shadow_fraction,
)
from scorer.steering.envoy.runtime_writes import RuntimeWrites, plan_writes

NAMES = RuntimeKeys(
    "glidepath.chat.weight.onprem-or-cloud",
    "glidepath.chat.weight.cloud",
    "glidepath.chat.shadow",
    "glidepath.chat.autopilot",
)
OLD, NOW = desired_values(5, 100, True), desired_values(10, 100, True)


def holds(values: RuntimeValues, **changes: str) -> dict[str, str]:
    values = {k: v for k, v in NAMES.write(values).items() if v}
    return {**values, **{getattr(NAMES, name): value for name, value in changes.items()}}


def test_names_follow_the_configuration(valid_yaml: str) -> None:
    config = parse_config(valid_yaml)
    assert RuntimeKeys.of("chat", config.workload("chat")) == NAMES
    alone = config.workload("chat").model_copy(update={"fallback": False})
    assert RuntimeKeys.of("chat", alone).candidate == "glidepath.chat.weight.onprem"


@given(st.floats(0, 100).map(lambda p: round(p, 2)))
def test_weights_always_sum_to_10000_and_give_the_percent_back(percent: float) -> None:
    values = desired_values(percent, 100, True)
    assert values.candidate + values.baseline == 10_000
    assert values.percent == pytest.approx(percent, abs=0.005)


def test_an_empty_layer_is_written_and_a_known_envoy_was_restarted() -> None:
    seen = observe(NAMES, NOW, {"a": {}, "b": {}}, {"a": (NOW,)})
    assert (seen.restarted, seen.adopted, seen.confirmed) == (("a",), None, frozenset())
    planned = plan_writes(NAMES, NOW, {"a": {}, "b": {}}, seen.last_written)
    assert planned.writes == {"a": NAMES.write(NOW), "b": NAMES.write(NOW)}


def test_an_envoy_that_cannot_be_written_is_not_restarted_at_every_look() -> None:
    seen = observe(NAMES, NOW, {"a": {}}, {"a": (NOW,)})
    last_written = plan_writes(NAMES, NOW, {"a": {}}, seen.last_written).last_written
    again = observe(NAMES, NOW, {"a": {}}, last_written)
    assert (seen.restarted, again.restarted) == (("a",), ())


def test_an_envoy_that_was_out_of_the_fleet_and_comes_back_with_an_old_write_is_put_right_not_adopted() -> None:
    """A name that loses an address while the pod is not ready, and a new leader before the first answer of DNS."""
    last_written = observe(NAMES, NOW, {"a": holds(NOW)}, {"a": (OLD,), "b": (OLD,)}).last_written
    last_written = plan_writes(NAMES, NOW, {"a": holds(NOW)}, last_written).last_written
    last_written = observe(NAMES, NOW, {}, last_written).last_written
    back = observe(NAMES, NOW, {"a": holds(NOW), "b": holds(OLD)}, last_written)
    assert (back.adopted, back.confirmed) == (None, frozenset({"a"}))
    assert plan_writes(NAMES, NOW, {"a": holds(NOW), "b": holds(OLD)}, back.last_written).writes == {
        "b": NAMES.write(NOW)
    }


def test_of_the_envoys_that_are_gone_only_so_many_are_remembered() -> None:
    last_written = {f"10.0.{i // 250}.{i % 250}": (OLD,) for i in range(1000)}
    assert len(observe(NAMES, NOW, {"a": holds(NOW)}, last_written).last_written) == 65


def test_what_is_desired_is_confirmed_and_left_alone() -> None:
    seen = observe(NAMES, NOW, {"a": holds(NOW)}, {"a": (OLD, NOW)})
    assert (seen.confirmed, seen.last_written) == (frozenset({"a"}), {"a": (NOW,)})
    assert plan_writes(NAMES, NOW, {"a": holds(NOW)}, seen.last_written).writes == {}


def test_an_old_value_of_ours_is_no_curl() -> None:
    seen = observe(NAMES, NOW, {"a": holds(OLD)}, {"a": (OLD,)})
    assert seen.adopted is None
    assert plan_writes(NAMES, NOW, {"a": holds(OLD)}, seen.last_written).last_written == {"a": (OLD, NOW)}


def test_a_write_whose_answer_was_lost_is_no_curl_whichever_way_it_went() -> None:
    newer = desired_values(25, 100, True)
    for value in (OLD, NOW):
        assert observe(NAMES, newer, {"a": holds(value)}, {"a": (OLD, NOW)}).adopted is None


def test_any_other_value_is_a_persons() -> None:
    seen = observe(NAMES, NOW, {"a": holds(NOW), "b": holds(desired_values(30, 100, True))}, {"a": (NOW,), "b": (NOW,)})
    assert (seen.adopted, seen.adopted_at) == (30.0, "b")


def test_going_back_by_curl_to_a_former_step_is_a_persons_act_too() -> None:
    assert observe(NAMES, NOW, {"a": holds(OLD)}, {"a": (NOW,)}).adopted == 5.0


def test_of_several_curls_the_lowest_counts() -> None:
    readings = {"a": holds(desired_values(40, 100, True)), "b": holds(desired_values(2, 100, True))}
    assert observe(NAMES, NOW, readings, {"a": (NOW,), "b": (NOW,)}).adopted == 2.0


@pytest.mark.parametrize(
    ("candidate", "baseline", "percent"),
    [("0", "9000", 0.0), ("0", "0", 0.0), ("x", "100", 10.0), ("5", "", 0.05), ("1000", "9000.0", 10.0)],
)
def test_a_curl_of_odd_weights_says_which_and_never_gives_the_candidate_more(
    candidate: str, baseline: str, percent: float
) -> None:
    seen = observe(NAMES, NOW, {"a": holds(NOW, candidate=candidate, baseline=baseline)}, {"a": (NOW,)})
    assert seen.adopted == percent
    assert f"{NAMES.candidate}={candidate}" in seen.ambiguous_weights
    assert NAMES.baseline in seen.ambiguous_weights
    assert plan_writes(NAMES, desired_values(percent, 100, True), {"a": {}}, seen.last_written).writes["a"]


def test_weights_that_are_two_weights_are_clear() -> None:
    seen = observe(NAMES, NOW, {"a": holds(desired_values(97, 100, True))}, {"a": (NOW,)})
    assert (seen.adopted, seen.ambiguous_weights) == (97.0, "")


@pytest.mark.parametrize("word", ["false", "OFF", "no", "0.0", "0"])
def test_every_word_for_off_is_off(word: str) -> None:
    assert observe(NAMES, NOW, {"a": holds(NOW, autopilot=word)}, {"a": (NOW,)}).autopilot is False


@pytest.mark.parametrize("word", ["maybe", "2", "-1", "nan", "of", "disabled"])
def test_what_is_neither_on_nor_off_changes_nothing_and_is_said_once(word: str) -> None:
    reading = {"a": holds(NOW, autopilot=word)}
    seen = observe(NAMES, NOW, reading, {"a": (NOW,)})
    assert (seen.autopilot, seen.adopted) == (None, None)
    assert f"{NAMES.autopilot}={word} is not one of 0, false, off" in seen.invalid_override
    assert observe(NAMES, NOW, reading, seen.last_written).invalid_override == ""
    assert plan_writes(NAMES, NOW, reading, seen.last_written).writes["a"][NAMES.autopilot] == ""


def test_a_shadow_share_that_a_person_removes_is_given_back() -> None:
    reading = holds(NOW)
    del reading[NAMES.shadow]
    assert observe(NAMES, NOW, {"a": reading}, {"a": (NOW,)}).shadow_reset
    assert not observe(NAMES, NOW, {"a": {}}, {"a": (NOW,)}).shadow_reset  # a restart


# An admin layer above what an Envoy is told by RTDS.


def above(
    desired: RuntimeValues, layer: dict[str, str], last_written: LastWritten
) -> tuple[Observation, RuntimeWrites]:
    seen = observe(NAMES, desired, {"node": holds(desired)}, last_written, admin_layers={"admin": layer})
    return seen, plan_writes(
        NAMES, desired, {"node": holds(desired)}, seen.last_written, admin_layers={"admin": layer}, confirmed=True
    )


def test_a_curl_above_what_rtds_pushed_is_adopted_once_and_lifted_when_every_envoy_has_it() -> None:
    layer = holds(desired_values(30, 100, True))
    seen, _ = above(NOW, layer, {"node": (NOW,)})
    assert (seen.adopted, seen.adopted_at, seen.hiding_layers) == (30.0, "admin", ("admin",))
    then = desired_values(30, 100, True)
    readings = {"node": holds(NOW)}
    assert plan_writes(NAMES, then, readings, seen.last_written, admin_layers={"admin": layer}).writes == {
        "node": NAMES.write(then)
    }
    again, planned = above(then, layer, seen.last_written)
    assert (again.adopted, again.hiding_layers) == (None, ())
    assert planned.writes == {"admin": dict.fromkeys((NAMES.candidate, NAMES.baseline, NAMES.shadow), "")}
    assert above(then, {}, planned.last_written)[0].restarted == ()


def test_what_stands_above_and_was_taken_in_does_not_come_back_after_a_retreat_but_is_lifted_at_once() -> None:
    layer, zero = holds(desired_values(30, 100, True)), desired_values(0, 100, True)
    last_written = above(NOW, layer, {"node": (NOW,)})[0].last_written
    seen, planned = above(zero, layer, last_written)
    assert (seen.adopted, seen.hiding_layers) == (None, ("admin",))
    assert set(planned.writes["admin"].values()) == {""}


def test_autopilot_and_shadow_above_are_a_persons_too() -> None:
    seen, _ = above(NOW, {NAMES.autopilot: "off", NAMES.candidate: "0"}, {"node": (NOW,)})
    assert (seen.autopilot, seen.adopted) == (False, 0.0)
    off = desired_values(10, 100, False)
    assert above(off, {}, {"node": (off,)})[0].autopilot is None
    assert above(off, holds(NOW), {"node": (off,)})[0].autopilot is None


def test_a_shadow_share_alone_above_is_adopted_and_lifted_when_every_envoy_has_it() -> None:
    layer, then = {NAMES.shadow: "10"}, desired_values(10, 10, True)
    seen, _ = above(NOW, layer, {"node": (NOW,)})
    assert (seen.shadow, seen.adopted, seen.hiding_layers, seen.invalid_override) == (10.0, None, (), "")
    assert plan_writes(NAMES, then, {"node": holds(NOW)}, seen.last_written, admin_layers={"admin": layer}).writes == {
        "node": NAMES.write(then)
    }
    again, planned = above(then, layer, seen.last_written)
    assert again.shadow is None
    assert planned.writes == {"admin": {NAMES.shadow: ""}}
    assert above(then, {}, planned.last_written)[0].shadow is None
    assert above(NOW, layer, above(NOW, {}, planned.last_written)[0].last_written)[0].shadow == 10.0  # curled once more


def test_a_shadow_share_alone_above_that_is_none_is_said_once_and_lifted() -> None:
    layer = {NAMES.shadow: "lots"}
    seen, planned = above(NOW, layer, {"node": (NOW,)})
    assert (seen.shadow, seen.invalid_override) == (
        None,
        f"admin: {NAMES.shadow}=lots is not a percentage from 0 to 100",
    )
    assert planned.writes == {"admin": {NAMES.shadow: ""}}
    assert above(NOW, layer, seen.last_written)[0].invalid_override == ""


def test_an_admin_layer_that_cannot_be_read_is_nobodys_word() -> None:
    seen = observe(NAMES, NOW, {"node": holds(NOW)}, {"admin": (OLD,)}, admin_layers={"admin": None})
    assert (seen.adopted, seen.hiding_layers, seen.last_written["admin"]) == (None, (), (OLD,))


def test_an_unknown_envoy_with_weights_is_adopted_not_overwritten() -> None:
    assert observe(NAMES, NOW, {"a": holds(OLD)}, {}).adopted == 5.0


def test_while_retreating_a_higher_share_at_an_envoy_without_the_news_is_overruled() -> None:
    zero = desired_values(0, 100, True)
    readings = {"a": holds(desired_values(80, 100, True))}
    assert observe(NAMES, zero, readings, {"a": (NOW,)}, retreating=True).adopted is None
    assert observe(NAMES, zero, readings, {"a": (zero,)}, retreating=True).adopted == 80.0
    assert plan_writes(NAMES, zero, readings, {}).writes == {"a": NAMES.write(zero)}


def test_a_former_leaders_last_write_is_no_curl() -> None:
    readings = {"a": holds(OLD)}
    assert observe(NAMES, NOW, readings, {"a": (NOW,)}, stale=frozenset({OLD})).adopted is None


def test_everything_back_is_a_persons_wish_though_a_former_leader_had_it_so() -> None:
    zero = desired_values(0, 100, True)
    seen = observe(NAMES, NOW, {"a": holds(zero)}, {"a": (NOW,)}, stale=frozenset({zero}))
    assert seen.adopted == 0


def test_an_unreadable_envoy_is_neither_confirmed_nor_forgotten_nor_written() -> None:
    seen = observe(NAMES, NOW, {"a": None}, {"a": (OLD, NOW)})
    assert (seen.confirmed, seen.last_written) == (frozenset(), {"a": (OLD, NOW)})
    assert plan_writes(NAMES, NOW, {"a": None}, seen.last_written).writes == {}


def test_autopilot_by_curl_is_news_once() -> None:
    seen = observe(NAMES, NOW, {"a": holds(NOW, autopilot="0")}, {"a": (NOW,)})
    assert (seen.autopilot, seen.adopted, seen.confirmed) == (False, None, frozenset({"a"}))
    off = desired_values(10, 100, False)
    again = observe(NAMES, off, {"a": holds(NOW, autopilot="0")}, seen.last_written)
    assert again.autopilot is None


def test_autopilot_on_by_curl_is_taken_in_and_cleared_so_that_the_next_one_is_news_again() -> None:
    seen = observe(NAMES, NOW, {"a": holds(NOW, autopilot="1")}, {"a": (NOW,)})
    assert seen.autopilot is True
    assert (
        plan_writes(NAMES, NOW, {"a": holds(NOW, autopilot="1")}, seen.last_written).writes["a"][NAMES.autopilot] == ""
    )


def test_autopilot_set_at_a_restarted_envoy_counts() -> None:
    assert observe(NAMES, NOW, {"a": {NAMES.autopilot: "0"}}, {"a": (NOW,)}).autopilot is False


def test_a_restart_does_not_turn_the_autopilot_on() -> None:
    off = desired_values(10, 100, False)
    seen = observe(NAMES, off, {"a": {}}, {"a": (off,)})
    assert seen.autopilot is None
    assert plan_writes(NAMES, off, {"a": {}}, seen.last_written).writes["a"][NAMES.autopilot] == "0"


def test_removing_the_zero_by_curl_turns_the_autopilot_on() -> None:
    off = desired_values(10, 100, False)
    assert observe(NAMES, off, {"a": holds(NOW)}, {"a": (off,)}).autopilot is True


def test_one_envoy_with_autopilot_off_turns_all_off() -> None:
    readings = {"a": holds(NOW, autopilot="1"), "b": holds(NOW, autopilot="0")}
    assert observe(NAMES, NOW, readings, {"a": (NOW,), "b": (NOW,)}).autopilot is False


@pytest.mark.parametrize(("text", "adopted"), [("20", 20.0), ("0", 0.0), ("abc", None), ("101", None), ("", None)])
def test_a_persons_shadow_share_is_adopted_when_it_is_one(text: str, adopted: float | None) -> None:
    assert observe(NAMES, NOW, {"a": holds(NOW, shadow=text)}, {"a": (NOW,)}).shadow == adopted


def test_shadow_shares_below_a_percent_are_runtime_fractions() -> None:
    assert shadow_fraction(20.0) == "20"
    assert json.loads(shadow_fraction(0.5)) == {"numerator": 5000, "denominator": "MILLION"}


def test_what_envoys_were_told_survives_json() -> None:
    last_written = {"a": (OLD, NOW), "b": (desired_values(0, 0.5, False),)}
    assert last_written_from_json(json.loads(json.dumps(last_written_to_json(last_written)))) == last_written


@given(
    st.dictionaries(
        st.sampled_from([NAMES.candidate, NAMES.baseline, NAMES.shadow, NAMES.autopilot]), st.text(max_size=12)
    )
)
def test_whatever_stands_in_the_layer_is_observed_and_put_right(values: dict[str, str]) -> None:
    seen = observe(NAMES, NOW, {"a": values}, {"a": (NOW,)})
    assert seen.adopted is None or 0 <= seen.adopted <= 100
    planned = plan_writes(NAMES, NOW, {"a": values}, seen.last_written)
    kept = {k: v for k, v in {**values, **planned.writes.get("a", {})}.items() if v}
    assert kept == holds(NOW)
