"""Tokens since the start, by type, and their price at a scrape."""

from __future__ import annotations

from extproc.token_totals import TokenTotals
from glidepath.config import parse_config
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.sides import Origin, Side
from glidepath.token_usage import ServiceTier, TokenSource, TokenUsage

CONFIG = parse_config(
    """\
backends:
  cloud: {url: "http://127.0.0.1:9001", price: {input: 2, output: 8, cached_read: 0.5}}
  onprem: {url: "http://127.0.0.1:9002"}
workloads: {chat: {match: {path: /v1/chat/completions}, baseline: cloud, candidate: onprem}}
costs: {currency: EUR}
"""
)
USAGE = TokenUsage(input=1_000_000, output=500_000, cached_read=400_000, reasoning=100_000, answers=10)


def samples(*flushes: SideOutcomes) -> dict[tuple[str, ...], float]:
    totals = TokenTotals()
    for seq, side in enumerate(flushes):
        totals.add([Outcomes("chat", "here", seq, 0, 1, (side,))])
    return {
        (s.name.removeprefix("glidepath_extproc_"), *s.labels.values()): s.value
        for family in totals.families(CONFIG)
        for s in family.samples
    }


def side_with(side: Side, *usage: TokenUsage) -> SideOutcomes:
    return SideOutcomes(side, Origin.LIVE, usage=usage)


def test_tokens_of_each_type_add_up_over_flushes_sources_and_tiers() -> None:
    batch = TokenUsage(input=7, output=3, answers=1, tier=ServiceTier.BATCH)
    guess = TokenUsage(input=5, output=1, answers=2, source=TokenSource.ESTIMATED)
    found = samples(side_with(Side.BASELINE, USAGE), side_with(Side.BASELINE, USAGE, batch, guess))
    place = ("chat", "baseline", "live")
    assert found["tokens_total", *place, "input"] == 2_000_012
    assert found["tokens_total", *place, "reasoning"] == 200_000
    assert ("tokens_total", *place, "audio_input") not in found
    assert found["token_answers_total", *place, "measured"] == 21
    assert found["token_answers_total", *place, "estimated"] == 2


def test_spend_is_the_price_of_the_tokens_in_the_configured_currency() -> None:
    found = samples(side_with(Side.BASELINE, USAGE))
    # 0.6 million plain input at 2, 0.4 million cached at 0.5, 0.5 million output (reasoning included) at 8
    assert found["spend_total", "chat", "baseline", "live", "EUR"] == 0.6 * 2 + 0.4 * 0.5 + 0.5 * 8
    assert found["unpriced_answers_total", "chat", "baseline", "live"] == 0


def test_answers_of_a_backend_without_a_price_are_unpriced() -> None:
    found = samples(side_with(Side.CANDIDATE, USAGE))
    assert found["spend_total", "chat", "candidate", "live", "EUR"] == 0
    assert found["unpriced_answers_total", "chat", "candidate", "live"] == 10


def test_a_side_without_captured_answers_has_no_sample() -> None:
    assert not samples(side_with(Side.CANDIDATE))
