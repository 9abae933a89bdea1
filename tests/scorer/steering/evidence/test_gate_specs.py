"""The gates of a workload: their limits, their actions, and their shares of alpha."""

from __future__ import annotations

import math

import pytest

from scorer.steering.evidence.gates_of_workload import judges_answers, specs_of
from tests.support.evidence_builders import workload_of


def test_the_gating_gates_share_alpha_and_each_may_promote_with_all_of_it() -> None:
    specs = specs_of(workload_of("    gates: {alpha: 0.04, sameness: {min_agreement: 0.8, margin: 0.1}}\n"), 10)
    assert math.fsum(math.exp(-s.fail_at) for s in specs if s.gating) == pytest.approx(0.04)
    assert {s.pass_at for s in specs} == {math.log(1 / 0.04)}


def test_informational_gates_take_no_part_of_alpha() -> None:
    text = "    gates: {latency: [{quantile: p99, action: inform}, {quantile: p95}]}\n"
    specs = specs_of(workload_of(text), 10)
    assert math.fsum(math.exp(-s.fail_at) for s in specs if s.gating) == pytest.approx(0.05)
    assert [s.gating for s in specs if s.name == "latency_p99"] == [False]


def test_the_split_is_guarded_only_between_0_and_100_percent() -> None:
    workload = workload_of()
    assert ["split" in {s.name for s in specs_of(workload, p)} for p in (0, 10, 100, None)] == [
        False,
        True,
        False,
        False,
    ]


def test_the_fast_guards_are_there_even_without_an_errors_gate() -> None:
    text = "    shadow: {same_side: 0}\n    gates: {errors: null, sameness: null, latency: []}\n"
    names = {s.name for s in specs_of(workload_of(text), 100)}
    assert names == {"defects", "errors_fast", "candidate_down", "clients_leave", "envoy_failures"}


@pytest.mark.parametrize(
    ("errors", "gating"),
    [
        ("{max_rate: 1%, action: inform}", True),
        ("{max_rate: 1%}", True),
        ("null", True),
        ("{max_rate: 1%, fast: inform}", False),
        ("{max_rate: 1%, action: inform, fast: guard}", True),
    ],
)
def test_the_fast_guard_is_switched_off_by_its_own_setting_only(errors: str, gating: bool) -> None:
    specs = {s.name: s for s in specs_of(workload_of(f"    gates: {{errors: {errors}}}\n"), 10)}
    assert specs["errors_fast"].gating is gating


def test_min_samples_is_the_gates_own_or_else_the_steps_or_else_the_ramps() -> None:
    ramp = "    ramp: {steps: [1, 50, 100], min_samples: 200, at: {0: {min_samples: 5}, 50: {min_samples: 900}}}\n"
    workload = workload_of(ramp + "    gates: {sameness: {margin: 0.1}, latency: {min_samples: 30}}\n")

    def least(percent: float | None) -> tuple[int, int]:
        specs = {s.name: s.min_samples for s in specs_of(workload, percent)}
        return specs["sameness_margin"], specs["latency_p99"]

    assert [least(p) for p in (0, 1, 50, 70, 100, None)] == [(n, 30) for n in (5, 200, 900, 900, 200, 200)]


def sameness_of(text: str) -> list[tuple[str, float, str]]:
    specs = specs_of(workload_of(text), 10)
    return [(s.name, s.limit, s.action.value) for s in specs if s.name.startswith("sameness")]


@pytest.mark.parametrize("task", ["chat", "generation", "auto"])
def test_free_text_is_compared_with_the_noise_floor_and_held(task: str) -> None:
    noise = f"    task: {task}\n    shadow: {{same_side: 5}}\n"
    assert sameness_of(noise) == [("sameness_margin", 0.05, "hold")]
    assert sameness_of(f"    task: {task}\n    shadow: {{same_side: 0}}\n") == []
    own = f"    task: {task}\n    gates: {{sameness: {{min_agreement: 75%, action: rollback}}}}\n"
    assert sameness_of(own) == [("sameness", 0.75, "rollback")]


@pytest.mark.parametrize("task", ["classification", "extraction", "tools", "embeddings", "rerank"])
def test_a_determined_answer_that_differs_rolls_back(task: str) -> None:
    assert sameness_of(f"    task: {task}\n    shadow: {{same_side: 5}}\n") == [("sameness", 0.85, "rollback")]
    assert sameness_of(f"    task: {task}\n    gates: {{sameness: null}}\n") == []


def test_the_answers_are_judged_only_by_gates_that_decide_about_answers() -> None:
    assert not judges_answers(workload_of("    shadow: {same_side: 0}\n    gates: {errors: {max_rate: 1%}}\n"))
    assert not judges_answers(workload_of("    gates: {sameness: {margin: 5%, action: inform}}\n"))
    assert judges_answers(workload_of("    shadow: {same_side: 5}\n"))
    assert judges_answers(workload_of("    gates: {signals: {action: hold}}\n"))
    assert judges_answers(workload_of("    task: rerank\n"))


def test_gates_that_only_hold_share_alpha_too() -> None:
    specs = specs_of(workload_of("    shadow: {same_side: 5}\n"), 10)
    assert {s.action.value for s in specs} == {"rollback", "hold", "inform"}
    assert math.fsum(math.exp(-s.fail_at) for s in specs if s.gating) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("task", "names"),
    [
        ("chat", ["per_token_p95", "ttft_p95"]),
        ("generation", ["per_token_p95", "ttft_p95"]),
        ("tools", ["latency_p95"]),
        ("embeddings", ["latency_p95"]),
        ("auto", ["latency_p95"]),
    ],
)
def test_the_latency_gates_without_configuration_depend_on_the_task(task: str, names: list[str]) -> None:
    found = [s.name for s in specs_of(workload_of(f"    task: {task}\n"), 10) if s.signal]
    assert found == names


def test_a_configured_latency_gate_has_the_configured_limit() -> None:
    (spec,) = (s for s in specs_of(workload_of("    gates: {latency: {max_ratio: 1.3}}\n"), 10) if s.signal)
    assert (spec.name, spec.limit) == ("latency_p99", 1.3)


def test_free_text_is_compared_with_the_noise_floor_and_not_with_an_absolute_limit() -> None:
    names = {s.name for s in specs_of(workload_of(), 10)}
    assert "sameness_margin" in names
    assert "sameness" not in names
    assert "sameness_margin" not in {s.name for s in specs_of(workload_of("    shadow: {same_side: 0}\n"), 10)}


@pytest.mark.parametrize(
    ("gates", "optional"),
    [
        ("[{signal: ttft}, {signal: per_token}]", True),
        ("[{signal: ttft}, {signal: per_token, action: inform}]", False),
        ("[{signal: ttft}]", False),
    ],
)
def test_a_gate_on_the_first_token_is_optional_only_beside_another_latency_gate(gates: str, optional: bool) -> None:
    specs = specs_of(workload_of(f"    gates: {{latency: {gates}}}\n"), 10)
    assert [s.optional for s in specs if s.signal == "ttft"] == [optional]
