"""Counts of one workload over all its steps."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts since the workload's first step.

    ``left_out`` counts requests and pairs from before a step that were read after the step had begun; ``bad_records``
    counts stream entries that could not be decoded; ``live_ms`` is the end of the latest flush in which a client's
    request reached the candidate; ``scorer`` is the version of the scorer that scored the latest pair.
    """

    pairs_scored: int = 0
    pairs_unscored: Mapping[str, int] = field(default_factory=dict)
    coverage: Mapping[str, int] = field(default_factory=dict)
    bad_records: int = 0
    left_out: int = 0
    scorer: str = ""
    live_ms: int = 0

    def to_json(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Totals:
        """Unknown fields are ignored. Raises TypeError for a value that is not an object."""
        known = {f.name for f in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in raw.items() if name in known})
