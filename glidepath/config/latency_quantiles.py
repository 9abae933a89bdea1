"""The quantiles that a latency gate may compare. Validation, gates, planning and error texts use this list."""

from __future__ import annotations

from typing import Literal, get_args

Quantile = Literal["p50", "p95", "p99"]
QUANTILES: dict[Quantile, float] = {name: int(name[1:]) / 100 for name in get_args(Quantile)}
