"""Readings of Envoys: own writes, restarts and manual overrides are distinguished, and the right writes follow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer.steering.envoy.observation import Observation, observe
from scorer.steering.envoy.runtime_values import (
    LastWritten,
    RuntimeKeys,
    RuntimeValues,
    desired_values,
)
from scorer.steering.envoy.runtime_writes import RuntimeWrites, plan_writes

NAMES = RuntimeKeys(
    "glidepath.chat.weight.onprem-or-cloud",
    "glidepath.chat.weight.cloud",
    "glidepath.chat.shadow",
    "glidepath.chat.autopilot",
    "glidepath.chat.retreat",
)
OLD, NOW = desired_values(5, 100, True), desired_values(10, 100, True)


def holds(values: RuntimeValues, **changes: str) -> dict[str, str]:
    values = {k: v for k, v in NAMES.write(values).items() if v}
    return {**values, **{getattr(NAMES, name): value for name, value in changes.items()}}


def test_an_empty_layer_is_written_and_means_a_restart_at_a_known_envoy() -> None:
    seen = observe(NAMES, NOW, {"a": {}, "b": {}}, {"a": (NOW,)})
    assert (seen.restarted, seen.adopted, seen.confirmed) == (("a",), None, frozenset())
    planned = plan_writes(NAMES, NOW, {"a": {}, "b": {}}, seen.last_written)
    assert planned.writes == {"a": NAMES.write(NOW), "b": NAMES.write(NOW)}


def test_a_restart_of_an_envoy_that_cannot_be_written_is_reported_once() -> None:
    seen = observe(NAMES, NOW, {"a": {}}, {"a": (NOW,)})
    last_written = plan_writes(NAMES, NOW, {"a": {}}, seen.last_written).last_written
    again = observe(NAMES, NOW, {"a": {}}, last_written)
    assert (seen.restarted, again.restarted) == (("a",), ())


def test_old_weights_of_an_envoy_that_returns_to_the_fleet_are_overwritten_and_not_adopted() -> None:
    """This happens when DNS drops the address of a pod that is not ready, or before a new leader's first DNS answer."""
    last_written = observe(NAMES, NOW, {"a": holds(NOW)}, {"a": (OLD,), "b": (OLD,)}).last_written
    last_written = plan_writes(NAMES, NOW, {"a": holds(NOW)}, last_written).last_written
    last_written = observe(NAMES, NOW, {}, last_written).last_written
    back = observe(NAMES, NOW, {"a": holds(NOW), "b": holds(OLD)}, last_written)
    assert (back.adopted, back.confirmed) == (None, frozenset({"a"}))
    assert plan_writes(NAMES, NOW, {"a": holds(NOW), "b": holds(OLD)}, back.last_written).writes == {
        "b": NAMES.write(NOW)
    }


def test_values_of_at_most_64_absent_envoys_are_kept() -> None:
    last_written = {f"10.0.{i // 250}.{i % 250}": (OLD,) for i in range(1000)}
    assert len(observe(NAMES, NOW, {"a": holds(NOW)}, last_written).last_written) == 65


def test_an_envoy_with_the_desired_values_is_confirmed_and_not_written() -> None:
    seen = observe(NAMES, NOW, {"a": holds(NOW)}, {"a": (OLD, NOW)})
    assert (seen.confirmed, seen.last_written) == (frozenset({"a"}), {"a": (NOW,)})
    assert plan_writes(NAMES, NOW, {"a": holds(NOW)}, seen.last_written).writes == {}


def test_an_old_write_is_not_a_manual_override() -> None:
    seen = observe(NAMES, NOW, {"a": holds(OLD)}, {"a": (OLD,)})
    assert seen.adopted is None
    assert plan_writes(NAMES, NOW, {"a": holds(OLD)}, seen.last_written).last_written == {"a": (OLD, NOW)}


def test_a_write_whose_answer_was_lost_is_not_a_manual_override_whether_it_succeeded_or_not() -> None:
    newer = desired_values(25, 100, True)
    for value in (OLD, NOW):
        assert observe(NAMES, newer, {"a": holds(value)}, {"a": (OLD, NOW)}).adopted is None


def test_any_other_weights_are_a_manual_override() -> None:
    seen = observe(NAMES, NOW, {"a": holds(NOW), "b": holds(desired_values(30, 100, True))}, {"a": (NOW,), "b": (NOW,)})
    assert (seen.adopted, seen.adopted_at) == (30.0, "b")


def test_a_manual_return_to_a_former_step_is_adopted() -> None:
    assert observe(NAMES, NOW, {"a": holds(OLD)}, {"a": (NOW,)}).adopted == 5.0


def test_the_lowest_of_several_manual_overrides_is_adopted() -> None:
    readings = {"a": holds(desired_values(40, 100, True)), "b": holds(desired_values(2, 100, True))}
    assert observe(NAMES, NOW, readings, {"a": (NOW,), "b": (NOW,)}).adopted == 2.0


@pytest.mark.parametrize(
    ("candidate", "baseline", "percent"),
    [("0", "9000", 0.0), ("0", "0", 0.0), ("x", "100", 10.0), ("5", "", 0.05), ("1000", "9000.0", 10.0)],
)
def test_ambiguous_weights_are_named_and_never_raise_the_share(candidate: str, baseline: str, percent: float) -> None:
    seen = observe(NAMES, NOW, {"a": holds(NOW, candidate=candidate, baseline=baseline)}, {"a": (NOW,)})
    assert seen.adopted == percent
    assert f"{NAMES.candidate}={candidate}" in seen.ambiguous_weights
    assert NAMES.baseline in seen.ambiguous_weights
    assert plan_writes(NAMES, desired_values(percent, 100, True), {"a": {}}, seen.last_written).writes["a"]


def test_two_valid_weights_are_not_ambiguous() -> None:
    seen = observe(NAMES, NOW, {"a": holds(desired_values(97, 100, True))}, {"a": (NOW,)})
    assert (seen.adopted, seen.ambiguous_weights) == (97.0, "")


@pytest.mark.parametrize("word", ["false", "OFF", "no", "0.0", "0"])
def test_every_text_that_means_off_turns_the_autopilot_off(word: str) -> None:
    assert observe(NAMES, NOW, {"a": holds(NOW, autopilot=word)}, {"a": (NOW,)}).autopilot is False


@pytest.mark.parametrize("word", ["maybe", "2", "-1", "nan", "of", "disabled"])
def test_an_invalid_switch_changes_nothing_and_is_reported_once(word: str) -> None:
    reading = {"a": holds(NOW, autopilot=word)}
    seen = observe(NAMES, NOW, reading, {"a": (NOW,)})
    assert (seen.autopilot, seen.adopted) == (None, None)
    assert f"{NAMES.autopilot}={word} is not one of 0, false, off" in seen.invalid_override
    assert observe(NAMES, NOW, reading, seen.last_written).invalid_override == ""
    assert plan_writes(NAMES, NOW, reading, seen.last_written).writes["a"][NAMES.autopilot] == ""


def test_removing_the_shadow_key_resets_the_shadow_share() -> None:
    reading = holds(NOW)
    del reading[NAMES.shadow]
    assert observe(NAMES, NOW, {"a": reading}, {"a": (NOW,)}).shadow_reset
    assert not observe(NAMES, NOW, {"a": {}}, {"a": (NOW,)}).shadow_reset  # a restart


# An admin layer above RTDS.


def with_admin_layer(
    desired: RuntimeValues, layer: dict[str, str], last_written: LastWritten
) -> tuple[Observation, RuntimeWrites]:
    seen = observe(NAMES, desired, {"node": holds(desired)}, last_written, admin_layers={"admin": layer})
    return seen, plan_writes(
        NAMES, desired, {"node": holds(desired)}, seen.last_written, admin_layers={"admin": layer}, confirmed=True
    )


def test_weights_in_an_admin_layer_above_rtds_are_adopted_once_and_removed_when_every_envoy_has_them() -> None:
    layer = holds(desired_values(30, 100, True))
    seen, _ = with_admin_layer(NOW, layer, {"node": (NOW,)})
    assert (seen.adopted, seen.adopted_at, seen.hiding_layers) == (30.0, "admin", ("admin",))
    then = desired_values(30, 100, True)
    readings = {"node": holds(NOW)}
    assert plan_writes(NAMES, then, readings, seen.last_written, admin_layers={"admin": layer}).writes == {
        "node": NAMES.write(then)
    }
    again, planned = with_admin_layer(then, layer, seen.last_written)
    assert (again.adopted, again.hiding_layers) == (None, ())
    assert planned.writes == {"admin": dict.fromkeys((NAMES.candidate, NAMES.baseline, NAMES.shadow), "")}
    assert with_admin_layer(then, {}, planned.last_written)[0].restarted == ()


def test_adopted_weights_in_an_admin_layer_are_removed_at_once_after_a_rollback_and_not_adopted_again() -> None:
    layer, zero = holds(desired_values(30, 100, True)), desired_values(0, 100, True)
    last_written = with_admin_layer(NOW, layer, {"node": (NOW,)})[0].last_written
    seen, planned = with_admin_layer(zero, layer, last_written)
    assert (seen.adopted, seen.hiding_layers) == (None, ("admin",))
    assert set(planned.writes["admin"].values()) == {""}


def test_an_autopilot_key_in_an_admin_layer_is_adopted_and_its_absence_means_nothing() -> None:
    seen, _ = with_admin_layer(NOW, {NAMES.autopilot: "off", NAMES.candidate: "0"}, {"node": (NOW,)})
    assert (seen.autopilot, seen.adopted) == (False, 0.0)
    off = desired_values(10, 100, False)
    assert with_admin_layer(off, {}, {"node": (off,)})[0].autopilot is None
    assert with_admin_layer(off, holds(NOW), {"node": (off,)})[0].autopilot is None


def test_a_single_shadow_key_in_an_admin_layer_is_adopted_and_removed_when_every_envoy_has_it() -> None:
    layer, then = {NAMES.shadow: "10"}, desired_values(10, 10, True)
    seen, _ = with_admin_layer(NOW, layer, {"node": (NOW,)})
    assert (seen.shadow, seen.adopted, seen.hiding_layers, seen.invalid_override) == (10.0, None, (), "")
    assert plan_writes(NAMES, then, {"node": holds(NOW)}, seen.last_written, admin_layers={"admin": layer}).writes == {
        "node": NAMES.write(then)
    }
    again, planned = with_admin_layer(then, layer, seen.last_written)
    assert again.shadow is None
    assert planned.writes == {"admin": {NAMES.shadow: ""}}
    assert with_admin_layer(then, {}, planned.last_written)[0].shadow is None
    assert (
        with_admin_layer(NOW, layer, with_admin_layer(NOW, {}, planned.last_written)[0].last_written)[0].shadow == 10.0
    )  # set once more


def test_an_invalid_shadow_key_in_an_admin_layer_is_reported_once_and_removed() -> None:
    layer = {NAMES.shadow: "lots"}
    seen, planned = with_admin_layer(NOW, layer, {"node": (NOW,)})
    assert (seen.shadow, seen.invalid_override) == (
        None,
        f"admin: {NAMES.shadow}=lots is not a percentage from 0 to 100",
    )
    assert planned.writes == {"admin": {NAMES.shadow: ""}}
    assert with_admin_layer(NOW, layer, seen.last_written)[0].invalid_override == ""


def test_an_unreadable_admin_layer_changes_nothing() -> None:
    seen = observe(NAMES, NOW, {"node": holds(NOW)}, {"admin": (OLD,)}, admin_layers={"admin": None})
    assert (seen.adopted, seen.hiding_layers, seen.last_written["admin"]) == (None, (), (OLD,))


def test_weights_of_an_unknown_envoy_are_adopted_and_not_overwritten() -> None:
    assert observe(NAMES, NOW, {"a": holds(OLD)}, {}).adopted == 5.0


def test_during_a_rollback_a_higher_share_at_an_unconfirmed_envoy_is_overwritten() -> None:
    zero = desired_values(0, 100, True)
    readings = {"a": holds(desired_values(80, 100, True))}
    assert observe(NAMES, zero, readings, {"a": (NOW,)}, retreating=True).adopted is None
    assert observe(NAMES, zero, readings, {"a": (zero,)}, retreating=True).adopted == 80.0
    assert plan_writes(NAMES, zero, readings, {}).writes == {"a": NAMES.write(zero)}


def test_a_former_leaders_last_write_is_not_a_manual_override() -> None:
    readings = {"a": holds(OLD)}
    assert observe(NAMES, NOW, readings, {"a": (NOW,)}, stale=frozenset({OLD})).adopted is None


def test_a_manual_return_to_0_is_adopted_even_if_a_former_leader_desired_the_same() -> None:
    zero = desired_values(0, 100, True)
    seen = observe(NAMES, NOW, {"a": holds(zero)}, {"a": (NOW,)}, stale=frozenset({zero}))
    assert seen.adopted == 0


def test_an_unreadable_envoy_is_not_confirmed_not_forgotten_and_not_written() -> None:
    seen = observe(NAMES, NOW, {"a": None}, {"a": (OLD, NOW)})
    assert (seen.confirmed, seen.last_written) == (frozenset(), {"a": (OLD, NOW)})
    assert plan_writes(NAMES, NOW, {"a": None}, seen.last_written).writes == {}


def test_a_manual_autopilot_switch_is_adopted_once() -> None:
    seen = observe(NAMES, NOW, {"a": holds(NOW, autopilot="0")}, {"a": (NOW,)})
    assert (seen.autopilot, seen.adopted, seen.confirmed) == (False, None, frozenset({"a"}))
    off = desired_values(10, 100, False)
    again = observe(NAMES, off, {"a": holds(NOW, autopilot="0")}, seen.last_written)
    assert again.autopilot is None


def test_a_manual_autopilot_1_is_adopted_and_removed_so_that_the_next_one_is_noticed() -> None:
    seen = observe(NAMES, NOW, {"a": holds(NOW, autopilot="1")}, {"a": (NOW,)})
    assert seen.autopilot is True
    assert (
        plan_writes(NAMES, NOW, {"a": holds(NOW, autopilot="1")}, seen.last_written).writes["a"][NAMES.autopilot] == ""
    )


def test_an_autopilot_switch_at_a_restarted_envoy_is_adopted() -> None:
    assert observe(NAMES, NOW, {"a": {NAMES.autopilot: "0"}}, {"a": (NOW,)}).autopilot is False


def test_a_restart_does_not_turn_the_autopilot_on() -> None:
    off = desired_values(10, 100, False)
    seen = observe(NAMES, off, {"a": {}}, {"a": (off,)})
    assert seen.autopilot is None
    assert plan_writes(NAMES, off, {"a": {}}, seen.last_written).writes["a"][NAMES.autopilot] == "0"


def test_removing_autopilot_0_turns_the_autopilot_on() -> None:
    off = desired_values(10, 100, False)
    assert observe(NAMES, off, {"a": holds(NOW)}, {"a": (off,)}).autopilot is True


def test_autopilot_0_at_one_envoy_turns_the_autopilot_off() -> None:
    readings = {"a": holds(NOW, autopilot="1"), "b": holds(NOW, autopilot="0")}
    assert observe(NAMES, NOW, readings, {"a": (NOW,), "b": (NOW,)}).autopilot is False


@pytest.mark.parametrize(("text", "adopted"), [("20", 20.0), ("0", 0.0), ("abc", None), ("101", None), ("", None)])
def test_a_manual_shadow_share_is_adopted_if_it_is_valid(text: str, adopted: float | None) -> None:
    assert observe(NAMES, NOW, {"a": holds(NOW, shadow=text)}, {"a": (NOW,)}).shadow == adopted


@given(
    st.dictionaries(
        st.sampled_from([NAMES.candidate, NAMES.baseline, NAMES.shadow, NAMES.autopilot]), st.text(max_size=12)
    )
)
def test_any_layer_can_be_observed_and_overwritten_with_the_desired_values(values: dict[str, str]) -> None:
    seen = observe(NAMES, NOW, {"a": values}, {"a": (NOW,)})
    assert seen.adopted is None or 0 <= seen.adopted <= 100
    planned = plan_writes(NAMES, NOW, {"a": values}, seen.last_written)
    kept = {k: v for k, v in {**values, **planned.writes.get("a", {})}.items() if v}
    assert kept == holds(NOW)
