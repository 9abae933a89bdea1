"""The daily budget of a process that asks the evaluator."""

from __future__ import annotations

from scorer.scoring.compare.evaluator.daily_budget import DAY_MS, Budget


def test_the_budget_starts_again_each_day() -> None:
    budget, first = Budget().take(5, 1)
    budget, second = budget.take(6, 1)
    budget, tomorrow = budget.take(DAY_MS, 1)
    assert (first, second, tomorrow) == (True, False, True)
    assert Budget().take(0, 0)[1] is False
