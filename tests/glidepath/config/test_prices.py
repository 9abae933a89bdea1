"""Prices, contracts and costs in the configuration: refused values, and decisions that do not depend on them."""

from __future__ import annotations

from datetime import date

import pytest

from glidepath.config import parse_config
from glidepath.errors import ConfigError
from tests.conftest import VALID

PRICED = VALID.replace("model: gpt-4o-mini}", "model: gpt-4o-mini, price: {input: 2.5, output: 10}}")


def with_cloud(more: str) -> str:
    return VALID.replace("model: gpt-4o-mini}", f"model: gpt-4o-mini, {more}}}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (with_cloud("price: {input: 1}"), "cloud.price: needs output too: the price of a million output tokens"),
        (with_cloud("price: {gpus: 2}"), "cloud.price: needs gpu_hour, the price of one GPU for an hour"),
        (with_cloud("price: {input: 1, output: -1}"), r"cloud.price.output: must be at least 0 \(got -1\)"),
        (with_cloud("price: {inputs: 1, output: 1}"), "price.inputs: unknown key .* input"),
        (with_cloud("price: {monthly: 5, utilisation: 60%}"), "utilisation has no effect without gpu_hour and gpus"),
        (with_cloud("contract: {renewal: soon}"), "contract.renewal: must be a date, such as 2027-03-31"),
        (with_cloud("contract: {renewal: 2027-03-31, notice: 90}"), "contract.notice: .* 90s, 90m or 90h"),
        (with_cloud("contract: {notice: 90d}"), "contract.renewal: is missing"),
        (with_cloud("hardware: mine"), "hardware: must be 'own' or 'provider'"),
        (f"costs: {{currency: euro}}\n{VALID}", "costs.currency: must be the three letters of a currency, such as EUR"),
        (f"costs: {{migration: -1}}\n{VALID}", r"costs.migration: must be at least 0 \(got -1\)"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_config(text)


def test_a_contract_and_the_costs_are_read() -> None:
    config = parse_config(
        f"costs: {{currency: EUR, migration: 60000}}\n{with_cloud('contract: {renewal: 2027-03-31, notice: 90d}')}"
    )
    contract = config.backends["cloud"].contract
    assert contract is not None
    assert (contract.renewal, contract.notice) == (date(2027, 3, 31), 90 * 86_400)
    assert (config.costs.currency, config.costs.migration) == ("EUR", 60_000)


@pytest.mark.parametrize(
    "more",
    [
        "price: {input: 2.5, output: 10, cached_read: 1.25, batch: {input: 1, output: 5}, monthly: 3, egress: 0.1}",
        "price: {input: 2.5, output: 10}, contract: {renewal: 2027-03-31}, hardware: own, region: here",
        "price: {input: 2.5, output: 10}, tokenizer: /models/tokenizer.json",
    ],
)
def test_what_only_the_report_reads_discards_no_evidence(more: str) -> None:
    assert parse_config(with_cloud(more)).digest("chat") == parse_config(PRICED).digest("chat")
