"""The text that describes a verdict."""

from __future__ import annotations

from glidepath.status_and_decisions import Verdict
from scorer.steering.ramp.tick_inputs import TickInputs
from scorer.steering.ramp.verdict_effects import describe, describe_failure


def test_a_verdict_is_described_by_its_value_its_limit_and_its_sample_size() -> None:
    assert describe(Verdict("errors", "fail", 0.125, 0.02, "share", 40)) == "errors 0.125 share against 0.02 (n=40)"


def test_the_failure_of_a_gate_on_errors_names_their_kinds() -> None:
    inputs = TickInputs(error_kinds={"candidate live connect": 12})
    for gate in ("errors", "errors_rate", "errors_fast", "candidate_down"):
        failed = Verdict(gate, "fail", 0.125, 0.02, "share", 40)
        named = f"{gate} 0.125 share against 0.02 (n=40); errors in this step: connect 12"
        assert describe_failure(failed, inputs) == named
        assert describe_failure(failed, TickInputs()) == describe(failed)
    other = Verdict("sameness", "fail", 0.5, 0.9, "agreement", 40)
    assert describe_failure(other, inputs) == describe(other)
