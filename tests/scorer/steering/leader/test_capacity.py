"""The candidate's load: reading it from metrics, and predicting it for the next step."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.config import Config, parse_config
from glidepath.config.backends import Capacity
from glidepath.status_and_decisions import GateOutcome
from scorer.steering.leader.capacity import CandidateLoads, gauge_in_answer, gauge_on_page, predict
from scorer.steering.ramp.ramp_policy import seen_share

PAGE = """\
# HELP vllm:gpu_cache_usage_perc GPU KV-cache usage.
# TYPE vllm:gpu_cache_usage_perc gauge
vllm:gpu_cache_usage_perc{engine="0",model_name="llama } x"} 0.41
vllm:gpu_cache_usage_perc{engine="1",model_name="llama"} 0.62 1700000000000
vllm:gpu_cache_usage_perc_max 9
vllm:num_requests_running 7
"""


def capacity_config(shadow: float = 100, headroom: str = "0%") -> Config:
    return parse_config(f"""
backends:
  cloud: {{url: "http://c:1"}}
  onprem: {{url: "http://o:1", capacity: {{metrics: "http://o:1/metrics", metric: load, limit: 0.8}}}}
workloads:
  chat:
    match: {{path: /v1}}
    baseline: cloud
    candidate: onprem
    shadow: {{sample: {shadow}}}
    gates: {{capacity: {{headroom: {headroom}}}}}
    ramp: {{steps: [10, 50]}}
""")


SOURCE = Capacity(metrics="http://o:1/metrics", metric="load", limit=0.8)


def test_the_fullest_of_several_replicas_counts() -> None:
    assert gauge_on_page(PAGE, "vllm:gpu_cache_usage_perc") == 0.62
    assert gauge_on_page(PAGE, "vllm:num_requests_running") == 7
    assert gauge_on_page(PAGE, "vllm:num_requests") is None


def test_values_that_are_not_finite_numbers_are_ignored() -> None:
    assert gauge_on_page("load NaN\nload 1\nload +Inf\n", "load") == 1


@pytest.mark.slow
@given(st.text(), st.text(min_size=1, max_size=5))
def test_any_page_yields_a_number_or_none(page: str, metric: str) -> None:
    value = gauge_on_page(page, metric)
    assert value is None or isinstance(value, float)


def test_a_vector_and_a_scalar_answer_of_prometheus_are_read() -> None:
    vector = {"resultType": "vector", "result": [{"value": [1, "0.3"]}, {"value": [1, "0.7"]}]}
    assert gauge_in_answer(json.dumps({"status": "success", "data": vector}).encode()) == 0.7
    scalar = {"resultType": "scalar", "result": [1, "2.5"]}
    assert gauge_in_answer(json.dumps({"status": "success", "data": scalar}).encode()) == 2.5
    empty = {"resultType": "vector", "result": []}
    assert gauge_in_answer(json.dumps({"status": "success", "data": empty}).encode()) is None


@pytest.mark.slow
@given(
    st.one_of(
        st.binary(),
        st.recursive(
            st.none() | st.text() | st.integers(),
            lambda c: (
                st.lists(c) | st.dictionaries(st.sampled_from(["status", "data", "result", "resultType", "value"]), c)
            ),
        ).map(lambda v: json.dumps(v).encode()),
    )
)
def test_any_other_body_is_a_value_error(body: bytes) -> None:
    try:
        gauge_in_answer(body)
    except ValueError:
        return


@pytest.mark.parametrize(
    ("percent", "sample", "seen"), [(0, 100, 100), (0, 10, 10), (50, 100, 100), (50, 10, 55), (10, 0, 10)]
)
def test_copies_count_as_load(percent: float, sample: float, seen: float) -> None:
    assert seen_share(percent, sample) == pytest.approx(seen)


def test_the_load_at_the_next_step_is_predicted_in_proportion() -> None:
    workload = capacity_config(shadow=0).workload("chat")
    verdict = predict(0.1, workload, 10, 50, SOURCE)
    assert (verdict.outcome, verdict.value, verdict.limit) == (GateOutcome.PASS.value, pytest.approx(0.5), 0.8)
    verdict = predict(0.2, workload, 10, 50, SOURCE)
    assert (verdict.outcome, verdict.value) == (GateOutcome.FAIL.value, pytest.approx(1.0))
    assert "0.2 now, 1 expected at 50 %, limit 0.8" in verdict.message


def test_with_a_full_shadow_the_prediction_equals_the_present_load() -> None:
    assert predict(0.7, capacity_config().workload("chat"), 0, 10, SOURCE).value == pytest.approx(0.7)


def test_a_shadow_share_set_by_a_person_replaces_the_configured_one() -> None:
    """10 % live and a manual shadow share of 0: the load at 50 % is predicted as five times the present load."""
    full = capacity_config().workload("chat")
    assert predict(0.2, full, 10, 50, SOURCE).outcome == GateOutcome.PASS.value
    assert predict(0.2, full, 10, 50, SOURCE, shadow=0).outcome == GateOutcome.FAIL.value


def test_copies_that_a_quota_limits_or_a_warm_up_raises_are_the_present_load() -> None:
    full, few = capacity_config().workload("chat"), capacity_config(shadow=10).workload("chat")
    limited = predict(0.28, full, 10, 50, SOURCE, copied=20)  # 10 + 90 · 20 % = 28 % now, 50 + 50 · 20 % = 60 % then
    assert (limited.outcome, limited.value) == (GateOutcome.PASS.value, pytest.approx(0.6))
    warm = predict(0.55, few, 10, 50, SOURCE, copied=50)  # 10 + 90 · 50 % = 55 %, as much as at 50 %
    assert warm.value == pytest.approx(0.55)


def test_without_any_request_at_the_candidate_the_verdict_is_inconclusive() -> None:
    verdict = predict(0.1, capacity_config().workload("chat"), 0, 10, SOURCE, shadow=0)
    assert verdict.outcome == GateOutcome.INCONCLUSIVE.value
    assert "without any request" in verdict.message


def test_headroom_lowers_the_limit() -> None:
    assert (
        predict(0.7, capacity_config(headroom="20%").workload("chat"), 0, 10, SOURCE).outcome == GateOutcome.FAIL.value
    )


def test_an_unknown_load_is_inconclusive() -> None:
    assert predict(None, capacity_config().workload("chat"), 0, 10, SOURCE).outcome == GateOutcome.INCONCLUSIVE.value
    assert CandidateLoads(capacity_config()).verdict("chat", 0).outcome == GateOutcome.INCONCLUSIVE.value  # type: ignore[union-attr]


def test_there_is_no_verdict_without_a_gate_or_a_next_step(valid_yaml: str) -> None:
    assert CandidateLoads(parse_config(valid_yaml)).verdict("chat", 0) is None
    assert CandidateLoads(capacity_config()).verdict("chat", 50) is None
