"""The price of tokens: ``price_of(usage, table)`` also returns which tokens have no price. See ADR 0371."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from glidepath.outcome_summaries import add_counts
from glidepath.pricing.price_tables import PriceTable
from glidepath.token_usage import ServiceTier, TokenUsage

MILLION = Decimal(1_000_000)
# A kind without its own price has the price of this kind. Every provider charges reasoning as output. For cached
# tokens, the price of other tokens is only an assumption, and it is reported as one. Audio costs many times more than
# text, so without its own price it is unpriced.
_INSTEAD = {"reasoning": "output", "cached_read": "input", "cached_write": "input", "cached_write_1h": "cached_write"}
_ASSUMED = ("cached_read", "cached_write", "cached_write_1h")


@dataclass(frozen=True, slots=True)
class Cost:
    """An amount of money, in the currency of the prices, and what is missing in it.

    - ``answers``: the number of answers that the amount covers
    - ``unpriced_answers``: how many of these have tokens without a price
    - ``unpriced``: the number of tokens without a price, by kind
    - ``assumed``: the number of tokens that were charged at the price of another kind or tier, by kind
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
    """Return the price of the tokens of a usage, without GPUs and fixed amounts.

    If a backend costs only by time, its tokens cost nothing, and no token counts as unpriced.
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
    """Return the price of the tokens of several usages together."""
    total = Cost()
    for usage in usages:
        total += price_of(usage, table)
    return total


def _price_of_kind(kind: str, prices: Mapping[str, Decimal]) -> tuple[Decimal | None, str]:
    """Return the price of a kind of tokens, and the name of this kind if the price of another kind was assumed.

    The price is None if there is none. The name is "" if no price was assumed.
    """
    asked, assumed = kind, ""
    while kind not in prices:
        if kind not in _INSTEAD:
            return None, ""
        assumed = asked if asked in _ASSUMED else ""
        kind = _INSTEAD[kind]
    return prices[kind], assumed


def _tokens_by_kind(usage: TokenUsage) -> Iterator[tuple[str, int]]:
    """Yield each kind of tokens in the usage, with its number. Together these are all tokens, each counted once."""
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
