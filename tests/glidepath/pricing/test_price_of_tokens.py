"""The price of tokens, against amounts that were computed by hand from the providers' public price pages."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.config.prices import BackendPrice
from glidepath.pricing.price_of_tokens import Cost, price_of, price_of_all
from glidepath.pricing.price_tables import NO_PRICES, PriceTable, price_table
from glidepath.read_token_usage import read_usage
from glidepath.token_usage import ServiceTier, TokenUsage
from tests.support.token_usages import ANTHROPIC, OPENAI, sse

# gpt-4o and gpt-4o-audio-preview, openai.com/api/pricing: text 2.50, cached 1.25, output 10; audio 40 and 80
GPT_4O = BackendPrice(input=2.50, cached_read=1.25, output=10, audio_input=40, audio_output=80)
# Claude Sonnet 4, docs.anthropic.com/en/docs/about-claude/pricing, up to 200,000 input tokens; batch: half
SONNET = BackendPrice(
    input=3,
    cached_write=3.75,
    cached_write_1h=6,
    cached_read=0.30,
    output=15,
    batch={"input": 1.50, "output": 7.50},
)


def table(**price: Any) -> PriceTable:
    return price_table(BackendPrice(**price))


def test_an_openai_stream_costs_what_its_price_page_gives() -> None:
    """The totals include cached, audio and reasoning tokens.

    Input: 12,000 - 8,000 - 1,000 = 3,000 at 2.50; 8,000 cached at 1.25; 1,000 of audio at 40: 0.0575.
    Output: 3,000 - 1,200 - 600 = 1,200 at 10; 1,200 of reasoning at 10; 600 of audio at 80: 0.0720.
    """
    usage = read_usage(sse({"usage": None}, {"usage": OPENAI}))
    assert usage is not None
    assert price_of(usage, price_table(GPT_4O)) == Cost(Decimal("0.1295"), answers=1)


def test_an_anthropic_stream_costs_what_its_price_page_gives() -> None:
    """The input tokens do not include cached tokens.

    2,000 at 3 + 4,000 written at 3.75 + 1,000 written for an hour at 6 + 40,000 read at 0.30 + 800 at 15: 0.0510.
    """
    stream = sse({"message": {"usage": ANTHROPIC}}, {"usage": {"output_tokens": 800}})
    usage = read_usage(stream)
    assert usage is not None
    assert price_of(usage, price_table(SONNET)) == Cost(Decimal("0.0510"), answers=1)


def test_cached_audio_is_charged_once() -> None:
    """Gemini 2.5 Flash, ai.google.dev/pricing: text 0.30, audio 1.00, cached text 0.03, output 2.50.

    Of 9,000 input tokens, 2,500 are cached (1,000 of these are audio), and 1,000 others are audio.
    5,500 at 0.30 + 2,500 at 0.03 + 1,000 at 1.00 + 2,000 (1,360 of them thoughts) at 2.50: 0.007725.
    """
    modalities = {
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 7_000}, {"modality": "AUDIO", "tokenCount": 2_000}],
        "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 1_500}, {"modality": "AUDIO", "tokenCount": 1_000}],
    }
    counts = {"promptTokenCount": 9_000, "cachedContentTokenCount": 2_500, "candidatesTokenCount": 640}
    usage = read_usage(sse({"usageMetadata": {**counts, "thoughtsTokenCount": 1_360, **modalities}}))
    assert usage is not None
    prices = table(input=0.30, audio_input=1.00, cached_read=0.03, output=2.50)
    assert price_of(usage, prices) == Cost(Decimal("0.007725"), answers=1)


def test_cached_audio_of_an_openai_realtime_answer_is_charged_once() -> None:
    details = {
        "audio_tokens": 80,
        "cached_tokens": 50,
        "cached_tokens_details": {"text_tokens": 20, "audio_tokens": 30},
    }
    usage = read_usage(json.dumps({"usage": {"input_tokens": 100, "input_token_details": details}}).encode())
    assert usage == TokenUsage(100, 0, cached_read=50, audio_input=50)


def test_a_batch_answer_costs_the_batch_price() -> None:
    batch = {"type": "message", "usage": {"input_tokens": 1000, "output_tokens": 200, "service_tier": "batch"}}
    usage = read_usage(json.dumps(batch).encode())
    assert usage is not None
    assert price_of(usage, price_table(SONNET)).amount == Decimal("0.0030")  # 1,000 at 1.50 and 200 at 7.50


def test_a_tier_without_prices_costs_the_standard_price_and_says_so() -> None:
    cost = price_of(TokenUsage(10, tier=ServiceTier.PRIORITY), table(input=1, output=2))
    assert (cost.amount, cost.assumed) == (Decimal("0.00001"), {"priority input": 10})


def test_reasoning_costs_what_output_costs_unless_it_has_a_price() -> None:
    usage = TokenUsage(0, 100, reasoning=60)
    assert price_of(usage, table(input=1, output=10)) == Cost(Decimal("0.001"), answers=1)
    assert price_of(usage, table(input=1, output=10, reasoning=20)).amount == Decimal("0.0016")


def test_cached_tokens_without_a_price_cost_what_input_costs_and_this_is_said() -> None:
    usage = TokenUsage(100, cached_read=40, cached_write=10, cached_write_1h=5)
    cost = price_of(usage, table(input=2, output=10))
    assert cost.amount == Decimal("0.0002")
    assert cost.assumed == {"cached_read": 40, "cached_write": 10, "cached_write_1h": 5}
    assert not cost.unpriced


def test_audio_without_a_price_is_unpriced_and_this_is_said() -> None:
    cost = price_of(TokenUsage(100, 50, audio_input=30, audio_output=20), table(input=1, output=1))
    assert (cost.amount, cost.unpriced) == (Decimal("0.0001"), {"audio_input": 30, "audio_output": 20})
    assert cost.unpriced_share == 1.0


def test_without_prices_all_tokens_are_unpriced() -> None:
    cost = price_of(TokenUsage(100, 50, reasoning=10, answers=3), NO_PRICES)
    assert cost == Cost(Decimal(0), 3, 3, {"input": 100, "output": 40, "reasoning": 10})


def test_tokens_of_a_backend_that_costs_by_time_cost_nothing() -> None:
    cost = price_of(TokenUsage(100, 50), table(gpu_hour=2.5, gpus=4, utilisation="50%"))
    assert (cost.amount, cost.unpriced_answers) == (0, 0)
    assert table(gpu_hour=2.5, gpus=4, utilisation="50%", monthly=100).gpu_hours == Decimal("5.000")
    assert price_of(TokenUsage(100, 50), table(monthly=0)).unpriced_answers == 0  # it is declared to cost nothing


@given(st.lists(st.builds(TokenUsage, *[st.integers(0, 10**6)] * 8, tier=st.sampled_from(ServiceTier)), max_size=6))
def test_a_sum_costs_what_its_parts_cost_to_the_last_digit(usages: list[TokenUsage]) -> None:
    prices = price_table(SONNET)
    parts = price_of_all(usages, prices)
    assert parts.amount == sum((price_of(usage, prices).amount for usage in usages), Decimal(0))
    assert parts.answers == len(usages)


@pytest.mark.parametrize(
    ("price", "message"),
    [
        ({}, "needs input and output, or gpu_hour and gpus, or monthly, or egress"),
        ({"input": 1}, "needs output too: the price of a million output tokens"),
        ({"gpus": 2}, "needs gpu_hour, the price of one GPU for an hour"),
        ({"gpu_hour": 2}, "needs gpus, such as gpus: 4"),
        ({"monthly": 2, "cached_read": 1}, "cached_read has no effect without input and output"),
        ({"monthly": 2, "utilisation": "50%"}, "utilisation has no effect without gpu_hour and gpus"),
        ({"input": -1, "output": 1}, "greater than or equal to 0"),
    ],
)
def test_prices_that_make_no_sense_are_refused(price: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BackendPrice(**price)
