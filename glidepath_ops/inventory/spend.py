"""What the traffic of a group costs at the backend that serves it now, by the prices of the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from glidepath.config import Config
from glidepath.pricing.cost_of_traffic import cost_of_traffic
from glidepath.pricing.price_tables import price_table
from glidepath.side_traffic import Sent
from glidepath.token_usage import ServiceTier, TokenSource, TokenUsage
from glidepath_ops.inventory.estimate import CallGroup


@dataclass(frozen=True, slots=True)
class Spend:
    """``amount``: what was spent in the time that was counted; ``unpriced``: the share of requests without a price.

    ``by``: the backend whose prices these are.
    """

    amount: Decimal
    unpriced: float
    by: str
    currency: str = "USD"


def spend_of(config: Config, group: CallGroup, baseline: str) -> Spend | None:
    """Return what the tokens of a group cost, or None if nothing prices them.

    A backend that costs only by time has no price of a request.
    """
    by = _priced_backend(config, group, baseline)
    table = price_table(config.backends[by].price if by in config.backends else None)
    if not table.tokens:
        return None
    answered = max(0, group.requests - round(group.sums.get("errors", 0) + group.sums.get("refused", 0)))
    cost = cost_of_traffic(Sent(answered, round(group.sums.get("bytes_in", 0)), _usages_of(group)), table)
    unpriced = cost.unpriced / cost.requests if cost.requests else 0.0
    return Spend(cost.amount + cost.egress, unpriced, by, config.costs.currency)


def _priced_backend(config: Config, group: CallGroup, baseline: str) -> str:
    """Return the backend whose prices hold: one of the group's model that has prices, or the one that served most."""
    priced = {name: one.model for name, one in config.backends.items() if one.price is not None and one.model}
    of_model = next((name for name, model in priced.items() if model == group.key.model), None)
    served = {name: number for name, number in group.sample.backends.items() if name in config.backends}
    return of_model or max(served, key=lambda name: served[name], default=baseline)


def _usages_of(group: CallGroup) -> tuple[TokenUsage, ...]:
    """Return the tokens of a group's answers, grown to all requests, by source and tier."""
    found = []
    for key, counts in group.usage.items():
        source, _, tier = key.partition("/")
        a, b, c, d, e, f, g, h, answers = (round(count) for count in counts)  # in the order of COUNTS
        found.append(TokenUsage(a, b, c, d, e, f, g, h, TokenSource(source), ServiceTier(tier), answers))
    return tuple(found)
