"""Detect a side that, for one cause, refuses most of its requests or does not answer them completely.

401 or 403 means that the side's credential is missing or wrong. 404 means that the path is wrong (for example, the
side's URL repeats the start of the clients' path), or that the side does not know the model. Failed connections,
timeouts and resets mean that the side is down or overloaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from glidepath.config import Workload
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.sides import Side
from glidepath.status_and_decisions import SideRefusal

# Only errors: a 401 or 403 that may be the client's fault is not among them (docs/reference/extproc.md).
KINDS = ("http_401", "http_403", "rejected_401", "rejected_403")
# Kinds of a request that got no whole answer: of Envoy's flags (docs/reference/extproc.md), and of the tee.
NO_ANSWER_KINDS = ("no_healthy_upstream", "dns", "connect", "timeout", "tee_timeout", "upstream_died", "reset")
FEWEST = 3  # refused requests before a side is named
WINDOW = 100  # requests; above it, both counts are halved
MOST, FEW = 0.5, 0.25  # a side is named above the first share of refused requests, and until the second one


class Refusal(StrEnum):
    """Why a side fails requests. The value is the event of the decision that names the side."""

    CREDENTIAL = "credential_refused"
    PATH = "path_not_found"
    NO_ANSWER = "side_not_answering"


@dataclass(frozen=True, slots=True)
class RecentRefusals:
    """The latest requests of one side, and how many of them it refused."""

    requests: float = 0
    refused: float = 0
    named: bool = False

    def with_counts(self, requests: int, refused: int) -> RecentRefusals:
        keep = 0.5 if self.requests > WINDOW else 1.0
        total, count = self.requests * keep + requests, self.refused * keep + refused
        named = count > FEW * total if self.named else count >= FEWEST and count > MOST * total
        return RecentRefusals(total, count, named)


@dataclass(frozen=True, slots=True)
class RefusalWatch:
    """The recent refusals of both sides, over live requests, copies and probes."""

    sides: Mapping[tuple[Refusal, Side], RecentRefusals] = field(default_factory=dict)

    def with_flush(self, flush: Outcomes) -> RefusalWatch:
        watch = self
        if not self.sides and not any(counts.error_kinds or counts.not_found for counts in flush.sides):
            return self  # the usual case
        for counts in flush.sides:
            for refusal, refused in _refused(counts).items():
                before = watch.sides.get((refusal, counts.side))
                if counts.requests and (refused or before is not None):
                    after = (before or RecentRefusals()).with_counts(counts.requests, refused)
                    watch = replace(watch, sides={**watch.sides, (refusal, counts.side): after})
        return watch

    @property
    def named(self) -> frozenset[tuple[Refusal, Side]]:
        return frozenset(key for key, recent in self.sides.items() if recent.named)

    def refusals(self, workload: Workload) -> tuple[SideRefusal, ...]:
        """Return the sides that refuse most of their requests, in a fixed order."""
        return tuple(self.describe(*key, workload) for key in sorted(self.named))

    def describe(self, refusal: Refusal, side: Side, workload: Workload) -> SideRefusal:
        backend = workload.baseline if side is Side.BASELINE else workload.candidate
        recent, key = self.sides[(refusal, side)], f"backends.{backend}"
        share = f"{recent.refused / recent.requests:.0%} of its requests"
        answers = f"the {side.value} {backend} answers {{}} to {share}"
        if refusal is Refusal.CREDENTIAL:
            return SideRefusal(side.value, refusal.value, answers.format("401 or 403"), f"check {key}.credential")
        if refusal is Refusal.NO_ANSWER:
            detail = f"the {side.value} {backend} gives no whole answer to {share} (no connection, timeout or reset)"
            remedy = f"check that it runs and is not overloaded, and {key}"
            return SideRefusal(side.value, refusal.value, detail, remedy)
        remedy = f"check the path in {key}.url and {key}.strip, and that the backend knows the model in {key}.model"
        return SideRefusal(side.value, refusal.value, answers.format("404"), remedy)


def _refused(counts: SideOutcomes) -> dict[Refusal, int]:
    credential = sum(counts.error_kinds.get(kind, 0) for kind in KINDS)
    no_answer = sum(counts.error_kinds.get(kind, 0) for kind in NO_ANSWER_KINDS)
    return {Refusal.CREDENTIAL: credential, Refusal.PATH: counts.not_found, Refusal.NO_ANSWER: no_answer}


def refusal_text(refusal: SideRefusal) -> str:
    return f"{refusal.detail}: {refusal.remedy}"
