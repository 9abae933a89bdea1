"""The prices of a backend as one line. Pure."""

from __future__ import annotations

from glidepath.config.prices import BackendPrice, TokenPrices
from glidepath_ops.costs.cost_text import kind_text


def price_text(price: BackendPrice | None, currency: str) -> str:
    """Return a backend's prices as one line."""
    if price is None:
        return "no price in the configuration"
    parts = []
    kinds = [(kind, getattr(price, kind)) for kind in TokenPrices.model_fields]
    tokens = ", ".join(f"{kind_text(kind)} {value:g}" for kind, value in kinds if value is not None)
    if tokens:
        parts.append(f"a million tokens: {tokens}")
    if price.gpus is not None and price.gpu_hour is not None:
        parts.append(f"{price.gpus:g} GPUs at {price.gpu_hour:g} an hour, {price.utilisation:.0%} charged here")
    if price.monthly is not None:
        parts.append(f"{price.monthly:,g} a month")
    if price.egress is not None:
        parts.append(f"{price.egress:g} a GB sent")
    return f"{currency}: {'; '.join(parts)}"
