"""What is counted of a workload over all its steps."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Totals:
    """Counts since the beginning, across steps."""

    pairs_scored: int = 0
    pairs_unscored: dict[str, int] = field(default_factory=dict)
    coverage: dict[str, int] = field(default_factory=dict)
    bad_records: int = 0
    left_out: int = 0  # requests and pairs of before a step that came in after it had begun
    scorer: str = ""
    live_ms: int = 0


def totals_of(raw: Mapping[str, Any]) -> Totals:
    """Fields of a newer version are ignored: after the way back to this one there must be guards."""
    known = {f.name for f in dataclasses.fields(Totals)}
    return Totals(**{name: value for name, value in raw.items() if name in known})
