"""The cost of the evaluator so far, and the reason why it permits no further question."""

from __future__ import annotations

import pytest

from glidepath.config.comparison import EvaluatorCost
from glidepath.evaluation_cost import HOUR_MS, CostSoFar

NOW = 490_000 * HOUR_MS


def test_the_cost_of_an_hour_begins_again_and_the_total_does_not() -> None:
    cost = CostSoFar().after(1.5, NOW).after(0.5, NOW + HOUR_MS - 1)
    assert cost == CostSoFar(490_000, 2.0, 2.0)
    assert cost.after(1.0, NOW + HOUR_MS) == CostSoFar(490_001, 1.0, 3.0)


@pytest.mark.parametrize(
    ("limits", "later_ms", "reason"),
    [
        (None, 0, ""),
        (EvaluatorCost(per_hour=2.1, total=2.1), 0, ""),
        (EvaluatorCost(per_hour=2), 0, "hour_cost"),
        (EvaluatorCost(per_hour=2), HOUR_MS, ""),
        (EvaluatorCost(total=2), HOUR_MS, "total_cost"),
        (EvaluatorCost(per_hour=1, total=1), 0, "total_cost"),
        (EvaluatorCost(per_hour=0), HOUR_MS, "hour_cost"),
    ],
)
def test_a_limit_that_is_reached_is_named(limits: EvaluatorCost | None, later_ms: int, reason: str) -> None:
    assert CostSoFar(490_000, 2.0, 2.0).reason_not_to_spend(limits, NOW + later_ms) == reason
