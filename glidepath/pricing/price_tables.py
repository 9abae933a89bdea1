"""The price table of a backend, from its configuration, in decimal arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from glidepath.config.prices import BackendPrice, TokenPrices
from glidepath.token_usage import ServiceTier

TOKEN_KINDS = (
    "input",
    "output",
    "cached_read",
    "cached_write",
    "cached_write_1h",
    "reasoning",
    "audio_input",
    "audio_output",
)


@dataclass(frozen=True, slots=True)
class PriceTable:
    """The prices of a backend.

    ``tokens``: by tier, the price of a million tokens of each kind that has one.
    ``gpu_hours``: the part of its GPUs' hourly price that is charged to these workloads.
    ``monthly``: fixed amounts per month.
    ``egress``: the price of 10^9 bytes sent to the backend.
    ``by_time``: whether its GPUs or fixed amounts have a price, which may be 0.
    """

    tokens: Mapping[ServiceTier, Mapping[str, Decimal]] = field(default_factory=dict)
    gpu_hours: Decimal = Decimal(0)
    monthly: Decimal = Decimal(0)
    egress: Decimal = Decimal(0)
    by_time: bool = False


NO_PRICES = PriceTable()


def price_table(price: BackendPrice | None) -> PriceTable:
    """Return the price table of a backend; NO_PRICES if its configuration gives none."""
    if price is None:
        return NO_PRICES
    standard = _given(price)
    tokens = {ServiceTier.STANDARD: standard} if standard else {}
    if price.batch is not None:
        tokens[ServiceTier.BATCH] = _given(price.batch)
    gpus = decimal(price.gpu_hour) * decimal(price.gpus) * decimal(price.utilisation) if price.gpus else Decimal(0)
    by_time = price.gpus is not None or price.monthly is not None
    return PriceTable(tokens, gpus, decimal(price.monthly), decimal(price.egress), by_time)


def _given(price: BackendPrice | TokenPrices) -> dict[str, Decimal]:
    return {kind: decimal(value) for kind in TOKEN_KINDS if (value := getattr(price, kind)) is not None}


def decimal(value: float | None) -> Decimal:
    """Return a number exactly as it is written in the configuration; 0 for None."""
    return Decimal(0) if value is None else Decimal(repr(value))
