"""The cost of a group's tokens, computed by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from glidepath.call_classes import CallClass
from glidepath.config import Config, parse_config
from glidepath.inventory.tally import GroupKey, Source, Tally
from glidepath_ops.inventory.estimate import CallGroup, Traffic
from glidepath_ops.inventory.spend import Spend, spend_of

CONFIG = """\
costs: {currency: EUR}
inventory: {}
backends:
  cloud: {url: "http://c", price: {input: 2.5, output: 10, cached_read: 1.25}}
  mini: {url: "http://m", model: gpt-4o-mini, price: {input: 0.15, output: 0.6}}
  onprem: {url: "http://o", price: {gpu_hour: 2, gpus: 4}}
  bare: {url: "http://b"}
"""


def group(model: str = "gpt-4o", backend: str = "cloud", *, logged: int = 100, **more: Any) -> CallGroup:
    """Return a group of 100 sampled requests: a million input tokens, 400,000 of them cached, and 200,000 output."""
    tally = Tally(requests=100, backends={backend: 100}, **more)
    tally.add_usage("measured/standard", [1_000_000, 200_000, 400_000, 0, 0, 0, 50_000, 0, 100])
    traffic = Traffic()
    key = GroupKey(Source.BODY, "/v1/chat/completions", CallClass.INFERENCE, model, "none")
    log = key._replace(source=Source.LOG, model="")
    traffic.add_period({key: tally, log: Tally(requests=logged)})
    (found,) = traffic.groups.values()
    return found


def config() -> Config:
    return parse_config(CONFIG)


def test_cached_tokens_have_their_own_price() -> None:
    # 600,000 × 2.50 + 400,000 × 1.25 + 200,000 × 10, a million each
    assert spend_of(config(), group(), "cloud") == Spend(Decimal("4.0"), 0.0, "cloud", "EUR")


def test_a_sample_grows_to_all_requests() -> None:
    spend = spend_of(config(), group(logged=1000), "cloud")
    assert spend is not None
    assert spend.amount == Decimal(40)


def test_the_prices_of_a_backend_for_the_model_come_first() -> None:
    spend = spend_of(config(), group("gpt-4o-mini"), "cloud")
    assert spend is not None
    assert spend.amount == Decimal(
        "0.27"
    )  # 1,000,000 × 0.15 + 200,000 × 0.60; cached tokens have no price of their own


def test_a_backend_that_is_not_configured_has_the_baselines_prices() -> None:
    assert spend_of(config(), group(backend="outbound|443"), "cloud") == Spend(Decimal("4.0"), 0.0, "cloud", "EUR")


def test_without_prices_of_tokens_nothing_is_said() -> None:
    assert spend_of(config(), group(backend="bare"), "cloud") is None
    assert spend_of(config(), group(backend="onprem"), "cloud") is None
    assert spend_of(config(), group(backend="unknown"), "baseline") is None
