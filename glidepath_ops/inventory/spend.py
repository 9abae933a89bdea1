"""The cost of the traffic of a group of calls (``CallGroup``) at the backend that serves it now.

The configured prices apply.
"""

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
    """The cost of the traffic of a group of calls (``CallGroup``).

    ``amount``: the cost over the counted period.
    ``unpriced``: the share of requests without a price.
    ``by``: the backend whose prices were used.
    """

    amount: Decimal
    unpriced: float
    by: str
    currency: str = "USD"


def spend_of(config: Config, group: CallGroup, baseline: str) -> Spend | None:
    """Return what the tokens and the sent data of a group of calls cost, or None if no price per token applies.

    If a backend is paid only by time, its requests have no price.
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
    """Return the name of the backend whose prices apply.

    It is the first configured backend that has prices and the model of the group. Without one, it is the configured
    backend that served most requests of the group. If no configured backend is known to have served the group, it is
    ``baseline``.
    """
    priced = {name: one.model for name, one in config.backends.items() if one.price is not None and one.model}
    of_model = next((name for name, model in priced.items() if model == group.key.model), None)
    served = {name: number for name, number in group.sample.backends.items() if name in config.backends}
    return of_model or max(served, key=lambda name: served[name], default=baseline)


def _usages_of(group: CallGroup) -> tuple[TokenUsage, ...]:
    """Return the tokens of the answers in a group of calls, by source and tier, scaled to all of its requests."""
    found = []
    for key, counts in group.usage.items():
        source, _, tier = key.partition("/")
        a, b, c, d, e, f, g, h, answers = (round(count) for count in counts)  # in the order of COUNTS
        found.append(TokenUsage(a, b, c, d, e, f, g, h, TokenSource(source), ServiceTier(tier), answers))
    return tuple(found)
