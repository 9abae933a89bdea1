"""What the traffic of a group costs at the backend that serves it now, by the prices of the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Spend:
    """``amount``: what was spent in the time that was counted; ``unpriced``: the share of requests without a price."""

    amount: Decimal
    unpriced: float
