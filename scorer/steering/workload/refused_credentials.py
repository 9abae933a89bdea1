"""Notice a side that answers 401 or 403 to most of its requests: its credential is missing or wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from glidepath.config import Workload
from glidepath.pairs_and_outcomes import Outcomes, Side

# Only errors: a 401 or 403 that may be the client's fault is not among them (docs/reference/extproc.md).
KINDS = ("http_401", "http_403", "rejected_401", "rejected_403")
FEWEST = 3  # refused requests before a side is named
WINDOW = 100  # requests; above it, both counts are halved
MOST, FEW = 0.5, 0.25  # a side is named above the first share of refused requests, and until the second one


@dataclass(frozen=True, slots=True)
class RecentRefusals:
    """The latest requests of one side, and how many of them its credential did not allow."""

    requests: float = 0
    refused: float = 0
    named: bool = False

    def with_counts(self, requests: int, refused: int) -> RecentRefusals:
        keep = 0.5 if self.requests > WINDOW else 1.0
        total, count = self.requests * keep + requests, self.refused * keep + refused
        named = count > FEW * total if self.named else count >= FEWEST and count > MOST * total
        return RecentRefusals(total, count, named)


@dataclass(frozen=True, slots=True)
class CredentialWatch:
    """The recent refusals of both sides, over live requests, copies and probes."""

    sides: Mapping[Side, RecentRefusals] = field(default_factory=dict)

    def with_flush(self, flush: Outcomes) -> CredentialWatch:
        watch = self
        for counts in flush.sides:
            before = watch.sides.get(counts.side)
            refused = sum(counts.error_kinds.get(kind, 0) for kind in KINDS)
            if counts.requests and (refused or before is not None):
                after = (before or RecentRefusals()).with_counts(counts.requests, refused)
                watch = replace(watch, sides={**watch.sides, counts.side: after})
        return watch

    @property
    def named(self) -> frozenset[Side]:
        return frozenset(side for side, recent in self.sides.items() if recent.named)

    def describe(self, side: Side, workload: Workload) -> str:
        backend = workload.baseline if side is Side.BASELINE else workload.candidate
        recent = self.sides[side]
        share = recent.refused / recent.requests
        return (
            f"the {side.value} {backend} answers 401 or 403 to {share:.0%} of its requests: "
            f"check backends.{backend}.credential"
        )
