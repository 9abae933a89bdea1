"""Expected times of the steps, and warnings where a gate cannot decide."""

from __future__ import annotations

import pytest

from scorer.steering.planning.samples_needed import Assumptions, baseline_ratio, needs_of
from scorer.steering.planning.step_times import plan_workload
from scorer.steering.planning.unprovable_limits import undecidable_gates
from tests.support.evidence_builders import workload_of

pytestmark = pytest.mark.slow

ASSUMED = Assumptions()
NO_NOISE = "    shadow: {same_side: 0}\n"


def plan(text: str, rate: float | None):
    return plan_workload("chat", workload_of(text), rate, ASSUMED)


def test_with_much_traffic_the_hold_determines_the_time() -> None:
    found = plan("    gates: {latency: {quantile: p95}}\n    ramp: {steps: [10, 50, 100]}\n", 100)
    assert [s.percent for s in found.steps] == [0, 10, 50, 100]
    assert {s.slow for s in found.steps} == {"hold"}
    assert found.total_seconds == 3 * 48 * 3600
    assert found.warnings == ()


def test_with_little_traffic_the_slow_gate_is_named_and_its_time_is_its_need_over_the_rate() -> None:
    gates = "    gates: {errors: null, latency: {quantile: p95}}\n"
    found = plan(gates + "    ramp: {steps: [10, 100], hold: 1h}\n" + NO_NOISE, 1)
    step = found.steps[1]
    assert step.slow == "latency_p95"
    need = next(n for n in step.needs if n.gate == "latency_p95")
    assert need.samples is not None
    assert step.seconds == pytest.approx(need.samples / 0.1)


def test_a_p99_with_too_few_samples_is_reported_with_a_remedy() -> None:
    found = plan("    gates: {latency: {quantile: p99}}\n    ramp: {steps: [1, 100]}\n" + NO_NOISE, 0.05)
    warning = next(w for w in found.warnings if w.startswith("latency_p99"))
    assert "below about 400 samples" in warning
    assert "1 %" in warning
    assert "gate on p95 instead" in warning


def test_a_margin_without_noise_pairs_is_reported_once() -> None:
    found = plan("    gates: {sameness: {margin: 0.05}}\n" + NO_NOISE, 10)
    assert [w for w in found.warnings if "noise" in w] == [
        "sameness_margin cannot decide without noise pairs: set shadow.same_side, e.g. 10"
    ]


def test_the_preference_gate_waits_for_the_pairs_that_the_evaluator_judges() -> None:
    evaluator = "    scoring: {{evaluator: {{url: 'http://127.0.0.1:1', model: judge, {}}}}}\n"
    step = plan(evaluator.format("sample: 10%, budget: 1000000"), 100).steps[1]
    need = next(n for n in step.needs if n.gate == "preference")
    assert (need.of, need.gating) == ("judged pairs", True)
    assert need.samples is not None
    assert 200 <= need.samples <= 2000
    assert step.pair_rate is not None
    assert step.times["preference"] == pytest.approx(need.samples / (step.pair_rate * 0.1))
    scarce = plan(evaluator.format("budget: 100"), 100)
    assert scarce.steps[1].times["preference"] == pytest.approx(need.samples * 864)
    assert scarce.note == ""
    none = plan(evaluator.format("budget: 0"), 100)
    assert [w for w in none.warnings if w.startswith("preference")] == [
        "preference cannot decide: scoring.evaluator.budget is 0, so no pair is judged; set it, e.g. to 1000"
    ]


def test_without_a_rate_there_are_counts_and_no_times() -> None:
    found = plan("", None)
    assert found.total_seconds is None
    assert all(s.seconds is None for s in found.steps)
    assert all(n.samples for n in found.steps[1].needs)


def test_errors_above_the_limit_can_never_pass() -> None:
    workload = workload_of("    gates: {errors: {max_rate: 1%}}\n")
    needs = {n.gate: n for n in needs_of(workload, 10, Assumptions(error_rate=0.05))}
    assert needs["errors"].samples is None


@pytest.mark.parametrize(("percent", "ratio"), [(0, 1.0), (10, 9.0), (50, 1.0), (100, 1.0)])
def test_the_baseline_has_the_expected_ratio_of_requests_at_each_share(percent: float, ratio: float) -> None:
    assert baseline_ratio(workload_of(), percent) == pytest.approx(ratio)


def test_p99_needs_more_samples_than_p50() -> None:
    workload = workload_of(
        "    gates: {latency: [{quantile: p99}, {quantile: p95}, {quantile: p50}]}\n    ramp: {min_samples: 1}\n"
    )
    counts = {n.gate: n.samples or 0 for n in needs_of(workload, 10, ASSUMED)}
    assert counts["latency_p99"] > counts["latency_p95"] > counts["latency_p50"]


def test_the_pairs_that_a_class_needs_at_every_step_are_reported() -> None:
    text = "    task: classification\n    scoring: {classification: {matter: [fraud]}}\n"
    found = plan(text + "    gates: {latency: [], classes: {max_loss: 2%}}\n", 10)
    about = [w for w in found.warnings if "fraud" in w]
    assert [w.split(" needs about ")[0] for w in about] == ["recall_fraud", "precision_fraud"]
    assert 150 < int(about[0].split("about ")[1].split()[0]) < 300
    assert all(n.of != "pairs" or n.gate in ("sameness", "correctness") for n in found.steps[0].needs)
    wavering = plan(text + "    gates: {latency: [], classes: {max_loss: 2%}}\n    shadow: {same_side: 10}\n", 10)
    assert any(w.startswith("recall_fraud needs about ") for w in wavering.warnings)


def test_gating_fact_gates_without_noise_pairs_are_reported() -> None:
    found = plan("    gates: {signals: {action: rollback}}\n" + NO_NOISE, 10)
    assert any("signals cannot decide without noise pairs" in w for w in found.warnings)


@pytest.mark.parametrize(
    ("gates", "words"),
    [
        ("latency: {max_ratio: 0.5}", "max_ratio 0.5 requires a candidate that is faster than the baseline"),
        ("latency: {max_ratio: 1.01}", "max_ratio 1.01 is finer than the resolution of measured latencies"),
        ("sameness: {min_agreement: 1}", "no number of pairs proves a mean agreement of 1; set min_agreement below"),
        ("errors: {max_rate: 0}", "no number of requests proves a rate of 0; set errors.max_rate"),
        ("errors: {max_increase: 0}", "no number of requests proves an increase of 0; set errors.max_increase"),
        ("errors: {max_rate: 100%}", "errors: 100% limits nothing"),
        ("errors: {max_increase: 100%}", "errors: 100% limits nothing"),
    ],
)
def test_an_unprovable_limit_is_reported_with_a_remedy(gates: str, words: str) -> None:
    text = f"    gates: {{{gates}}}\n    ramp: {{steps: [10, 100]}}\n"
    (warning,) = plan(text, 100).warnings
    assert words in warning
    assert undecidable_gates(workload_of(text)) == (warning,)
    assert "p95" not in warning
    assert "shadow.sample" not in warning


def test_a_provable_limit_is_not_reported() -> None:
    assert (
        undecidable_gates(workload_of("    gates: {latency: {max_ratio: 1.03}, sameness: {min_agreement: 0.99}}\n"))
        == ()
    )


def test_an_informational_gate_may_have_any_limit() -> None:
    assert undecidable_gates(workload_of("    gates: {sameness: {min_agreement: 1, action: inform}}\n")) == ()


def test_another_quantile_is_suggested_only_where_it_decides() -> None:
    text = "    gates: {{latency: {{max_ratio: {}}}}}\n    ramp: {{steps: [75, 100]}}\n"
    (fine,) = plan(text.format(1.03), 100).warnings
    assert fine.endswith("allow a larger max_ratio")
    assert "p95" not in fine


@pytest.mark.parametrize("limit", [0.5, 0.85, 0.95, 0.99])
def test_a_candidate_above_a_high_limit_passes_it(limit: float) -> None:
    workload = workload_of(f"    gates: {{sameness: {{min_agreement: {limit}}}, latency: []}}\n")
    need = next(n for n in needs_of(workload, 10, ASSUMED) if n.gate == "sameness")
    assert need.samples is not None
    assert need.samples < 3000


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("shadow: {sample: 0}", "nothing is copied (shadow.sample is 0): at 0 % no gate can pass"),
        ("shadow: {budget: {requests: 0}}", "nothing is copied (shadow.budget.requests is 0)"),
    ],
)
def test_a_workload_without_copies_is_reported_once(text: str, words: str) -> None:
    warnings = plan(f"    {text}\n    ramp: {{steps: [10, 60]}}\n", 50).warnings
    assert [w.startswith(words) for w in warnings] == [True]


def test_the_remedy_addresses_what_delays_the_gate() -> None:
    def remedies(text: str) -> str:
        return " ".join(plan(f"    {text}\n", 0.001).warnings)

    assert "lower min_samples" in remedies("ramp: {steps: [50, 60], min_samples: 100000, hold: 0}")
    own = "gates: {sameness: {min_agreement: 0.85}}"
    assert "raise shadow.sample and" in remedies(
        f"shadow: {{sample: 5}}\n    {own}\n    ramp: {{min_samples: 1, hold: 0}}"
    )
    assert "every request is already compared" in remedies(
        "gates: {sameness: {min_agreement: 0.99}}\n    ramp: {steps: [50, 60], min_samples: 1, hold: 0}"
    )


RULES = "ramp: {steps: [10, 50, 100], min_samples: 20, at: {0: {hold: 1h}, 50: {hold: 7d, min_samples: 50000}}}"


def test_each_step_is_planned_by_its_own_rules() -> None:
    found = plan(f"    gates: {{latency: {{quantile: p50}}}}\n    {RULES}\n" + NO_NOISE, 1000)
    assert [(s.rules.hold, s.rules.min_samples) for s in found.steps] == [
        (3600, 20),
        (48 * 3600, 20),
        (7 * 86400, 50000),
        (48 * 3600, 20),
    ]
    assert [s.seconds for s in found.steps[:3]] == [3600, 48 * 3600, 7 * 86400]
    least = [next(n.samples or 0 for n in s.needs if n.gate == "latency_p50") for s in found.steps]
    assert least[2] == 50000
    assert max(least[0], least[1], least[3]) < 50000
    slow = plan(f"    gates: {{latency: []}}\n    {RULES}\n" + NO_NOISE, 0.01).steps[2]
    assert slow.seconds == 50000 / 0.005


def test_the_least_and_the_largest_need_of_a_class_over_the_steps_are_reported() -> None:
    text = "    task: classification\n    scoring: {classification: {matter: [fraud]}}\n"
    found = plan(text + f"    gates: {{latency: [], classes: {{max_loss: 2%}}}}\n    {RULES}\n", 10)
    (low, high), *_ = [w.split("about ")[1].split(" pairs")[0].split(" to ") for w in found.warnings if "fraud" in w]
    assert int(low) < int(high) == 50000


VERIFIER = "    scoring: {{verifier: {{command: [verify], {}}}, classification: {{matter: [fraud]}}}}\n"


def test_the_correctness_gate_waits_for_the_pairs_that_the_verifier_gets() -> None:
    step = plan(VERIFIER.format("sample: 10%"), 100).steps[1]
    [need] = [need for need in step.needs if need.gate == "correctness"]
    assert need.of == "verified pairs"
    assert need.samples is not None
    assert step.times["correctness"] == pytest.approx(need.samples / 10, rel=0.01)
    slow = plan("    ramp: {min_samples: 1}\n" + VERIFIER.format("per_second: 0.0001"), 100)
    assert any("raise scoring.verifier.sample and scoring.verifier.per_second" in w for w in slow.warnings)


def test_with_a_verifier_a_class_needs_pairs_of_its_own() -> None:
    found = plan("    task: classification\n" + VERIFIER.format("sample: 100%"), 10)
    about = [w for w in found.warnings if "fraud" in w]
    assert [w.split(" needs about ")[0] for w in about] == ["correctness_fraud"]


def test_exact_answers_need_pairs_and_with_noise_pairs_more_of_them() -> None:
    text = "    task: tools\n    ramp: {min_samples: 1}\n"
    alone, noisy = (
        next(n for n in plan(text + more, 10).steps[1].needs if n.gate == "correctness").samples
        for more in ("", "    shadow: {same_side: 10}\n")
    )
    assert alone is not None
    assert noisy is not None
    assert alone < noisy


def test_a_ramp_that_its_holds_determine_takes_as_long_in_nine_of_ten_cases() -> None:
    found = plan("    gates: {latency: [], sameness: null}\n    ramp: {steps: [10, 50, 100]}\n", 100)
    assert found.total_seconds == found.p90_seconds == 3 * 48 * 3600


def test_a_slow_gate_makes_the_ninetieth_percentile_longer_than_the_median() -> None:
    found = plan("    gates: {latency: [], sameness: null}\n    ramp: {steps: [10, 50, 100], hold: 1h}\n", 0.05)
    assert found.total_seconds is not None
    assert found.p90_seconds is not None
    assert found.p90_seconds > 1.1 * found.total_seconds


def test_with_sticky_users_the_copies_decide_and_without_them_the_quicker_evidence() -> None:
    gates = "    gates: {latency: {quantile: p95}, sameness: null}\n    ramp: {steps: [1, 90, 100]}\n"
    for sticky in ("    sticky: {header: x-user}\n", ""):  # without the key: by conversation
        assert {n.of for s in plan(sticky + gates, 1).steps[:3] for n in s.needs} == {"copies"}
    small, large = plan("    sticky: {random: true}\n" + gates, 1).steps[1:3]
    assert {n.of for n in small.needs} == {"copies"}
    assert {n.of for n in large.needs} == {"requests"}


def test_latencies_that_vary_more_need_more_samples() -> None:
    workload = workload_of("    gates: {latency: {quantile: p95}}\n    shadow: {same_side: 0}\n")
    counts = [
        next(n.samples or 0 for n in needs_of(workload, 10, Assumptions(sigma=sigma)) if n.gate == "latency_p95")
        for sigma in (0.3, 1.0)
    ]
    assert counts[1] > 2 * counts[0]
    measured = Assumptions(sigma=1.0, sigmas={"total": 0.3})
    assert measured.sigma_of("total") == 0.3
    assert measured.sigma_of("per_token") == 0.5


@pytest.mark.parametrize(
    ("gate", "rate", "warned"),
    [
        ("{quantile: p99}", 0.28, True),
        ("{quantile: p99}", 3.0, False),
        ("{quantile: p95}", 0.28, False),
        ("{quantile: p99, action: inform}", 0.28, False),
    ],
)
def test_a_p99_at_a_low_rate_is_advised_against(gate: str, rate: float, warned: bool) -> None:
    text = f"    gates: {{latency: {gate}, errors: null, sameness: null}}\n    ramp: {{steps: [50, 100]}}\n"
    said = [w for w in plan(text, rate).warnings if "requests an hour, it takes long to prove a p99" in w]
    assert bool(said) is warned
