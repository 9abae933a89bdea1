"""The price of tokens: ``price_of(usage, table)``, with what has no price. See ADR 0371."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from glidepath.outcome_summaries import add_counts
from glidepath.pricing.price_tables import PriceTable
from glidepath.token_usage import ServiceTier, TokenUsage

MILLION = Decimal(1_000_000)
# A kind without a price of its own costs what this kind costs. Reasoning is output at every provider; that a cached
# token costs as much as any other is an assumption, which is said. Audio costs many times more than text, so it is
# unpriced instead.
_INSTEAD = {"reasoning": "output", "cached_read": "input", "cached_write": "input", "cached_write_1h": "cached_write"}
_ASSUMED = ("cached_read", "cached_write", "cached_write_1h")


@dataclass(frozen=True, slots=True)
class Cost:
    """An amount of money, in the currency of the prices, and what it lacks.

    - ``answers``: how many answers it is the price of, ``unpriced_answers``: of which it lacks a part or all
    - ``unpriced``: the number of tokens without a price, by kind; ``assumed``: tokens that were charged at the price of
      another kind or tier, because theirs has none
    """

    amount: Decimal = Decimal(0)
    answers: int = 0
    unpriced_answers: int = 0
    unpriced: Mapping[str, int] = field(default_factory=dict)
    assumed: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.amount + other.amount,
            self.answers + other.answers,
            self.unpriced_answers + other.unpriced_answers,
            add_counts(self.unpriced, other.unpriced),
            add_counts(self.assumed, other.assumed),
        )

    @property
    def unpriced_share(self) -> float:
        return self.unpriced_answers / self.answers if self.answers else 0.0


def price_of(usage: TokenUsage, table: PriceTable) -> Cost:
    """Return what the tokens of a usage cost by themselves, without GPUs and fixed amounts.

    Of a backend that costs only by time, tokens cost nothing, and none is unpriced.
    """
    tokens = dict(_tokens_by_kind(usage))
    standard = table.tokens.get(ServiceTier.STANDARD)
    if standard is None:
        free = table.by_time or not tokens
        return Cost(Decimal(0), usage.answers, 0 if free else usage.answers, {} if free else tokens)
    prices = table.tokens.get(usage.tier)
    amount, unpriced, assumed = Decimal(0), dict[str, int](), dict[str, int]()
    for kind, number in tokens.items():
        price, by = _price_of_kind(kind, prices or standard)
        if price is None:
            unpriced[kind] = number
            continue
        amount += price * number
        if by in _ASSUMED or prices is None:
            assumed[kind if prices is not None else f"{usage.tier.value} {kind}"] = number
    return Cost(amount / MILLION, usage.answers, usage.answers if unpriced else 0, unpriced, assumed)


def price_of_all(usages: Iterable[TokenUsage], table: PriceTable) -> Cost:
    """Return what several usages cost together."""
    total = Cost()
    for usage in usages:
        total += price_of(usage, table)
    return total


def _price_of_kind(kind: str, prices: Mapping[str, Decimal]) -> tuple[Decimal | None, str]:
    """Return the price of a kind, and the kind itself if another's price was assumed for it, else ""."""
    asked, assumed = kind, ""
    while kind not in prices:
        if kind not in _INSTEAD:
            return None, ""
        assumed = asked if asked in _ASSUMED else ""
        kind = _INSTEAD[kind]
    return prices[kind], assumed


def _tokens_by_kind(usage: TokenUsage) -> Iterator[tuple[str, int]]:
    """Yield the number of tokens of each kind that there are; together they are all tokens, each once."""
    parts = (
        ("input", usage.plain_input),
        ("cached_read", usage.cached_read),
        ("cached_write", usage.cached_write),
        ("cached_write_1h", usage.cached_write_1h),
        ("audio_input", usage.audio_input),
        ("output", usage.plain_output),
        ("reasoning", usage.reasoning),
        ("audio_output", usage.audio_output),
    )
    return (part for part in parts if part[1])
