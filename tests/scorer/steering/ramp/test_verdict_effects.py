"""The text that describes a verdict."""

from __future__ import annotations

from glidepath.status_and_decisions import Verdict
from scorer.steering.ramp.verdict_effects import describe


def test_a_verdict_is_described_by_its_value_its_limit_and_its_sample_size() -> None:
    assert describe(Verdict("errors", "fail", 0.125, 0.02, "share", 40)) == "errors 0.125 share against 0.02 (n=40)"
