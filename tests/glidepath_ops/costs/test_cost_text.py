"""The text of `glidepath cost` and of the report about the costs of a workload."""

from __future__ import annotations

from glidepath.config.prices import BackendPrice
from glidepath.pricing.cost_model import WorkloadTraffic, costs_of
from glidepath.pricing.money_summary import WorkloadMoney
from glidepath.pricing.price_tables import price_table
from glidepath.side_traffic import Sent, SideTraffic
from glidepath.token_usage import TokenSource, TokenUsage
from glidepath_ops.costs.cost_text import what_is_known

PRICES = price_table(BackendPrice(input=2, output=8))


def said(**answers: int) -> str:
    """Return the text about the baseline's tokens. ``answers``: source of token counts → number."""
    usage = tuple(TokenUsage(10, answers=number, source=TokenSource(name)) for name, number in answers.items())
    traffic = WorkloadTraffic("chat", "cloud", "own", 0, 1000, SideTraffic(Sent(20, 0, usage)), baseline_prices=PRICES)
    return next(
        line for line in what_is_known(WorkloadMoney(costs_of([traffic])[0], 0.0, None)) if "tokens known" in line
    )


def test_the_text_says_for_how_many_requests_the_tokens_are_known_and_how() -> None:
    begin = "baseline: tokens known for 10 of 20 requests, "
    assert said(measured=10) == begin + "all stated by the backend"
    assert said(measured=5, counted=3, estimated=2) == (
        begin + "50% stated by the backend, 30% counted by the tokenizer, 20% estimated"
    )
    assert said(counted=10) == begin + "100% counted by the tokenizer"
    assert said(measured=9, estimated=1) == begin + "90% stated by the backend, 10% estimated"
