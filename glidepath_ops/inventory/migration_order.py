"""The order in which to move groups of calls, with reasons.

Batch comes before internal, and internal before customers. Within a kind, a group comes earlier if it moves many
requests, if its answers vary already, and if the candidate can serve it. Groups that cannot move come last.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from glidepath.call_classes import CallClass
from glidepath.pluralization import number_of, plural_unless_one
from glidepath_ops.inventory.answer_variation import AnswerVariation
from glidepath_ops.inventory.batch_internal_or_customer import FoundKind, Kind
from glidepath_ops.inventory.eligible_share import EligibleShare
from glidepath_ops.inventory.estimate import CallGroup

LEAST_SHARE = 0.1  # the share of the requests that must be able to move
_UNKNOWN_TOLERANCE = 0.5
_KIND_ORDER = {kind: number for number, kind in enumerate(Kind)}
_REASONS = {
    "context": "are longer than its context",
    "modalities": "have other modalities",
    "tools": "have tools",
    "max_body": "have too long a body",
    "state": "need what the server keeps",
}


@dataclass(frozen=True, slots=True)
class FoundWorkload:
    """A group of calls with all facts that decide its place in the migration.

    ``month``: its requests in a month; None: unknown.
    ``section``: the name of its section of glidepath.yaml, which several groups may share.
    """

    name: str
    section: str
    group: CallGroup
    kind: FoundKind
    eligible: EligibleShare | None
    variation: AnswerVariation | None
    month: float | None
    task: str

    @property
    def movable(self) -> bool:
        enough = self.eligible is None or self.eligible.share >= LEAST_SHARE
        return self.group.key.call is CallClass.INFERENCE and enough

    @property
    def tolerance(self) -> float:
        """The tolerance of changed answers, from 0 to 1.

        It is 0 for vectors, because vectors of two models cannot be mixed.
        """
        if self.task == "embeddings":
            return 0.0
        return _UNKNOWN_TOLERANCE if self.variation is None else 1 - self.variation.sameness

    @property
    def volume(self) -> float:
        """The number of requests in a month, or of all counted requests if the time is unknown or too short."""
        return float(self.group.requests) if self.month is None else self.month

    @property
    def score(self) -> float:
        share = 1.0 if self.eligible is None else self.eligible.share
        return math.log10(1 + self.volume) * share * (0.5 + self.tolerance)


def in_order(found: Sequence[FoundWorkload]) -> list[FoundWorkload]:
    """Return the workloads in the order in which to move them."""
    return sorted(found, key=lambda one: (not one.movable, _KIND_ORDER[one.kind.kind], -one.score, one.name))


def reason(one: FoundWorkload) -> str:
    """Return the reason for a workload's place in the order, as a sentence without a full stop."""
    if one.group.key.call is not CallClass.INFERENCE:
        return f"{one.group.key.call.value} calls stay with the server that has the state"
    how = "declared" if one.kind.declared else f"guessed: {one.kind.why}"
    parts = [f"{one.kind.kind.value} ({how})", _volume(one)]
    if one.eligible is not None:
        parts.append(f"{one.eligible.share:.0%} can move{_why_not(one.eligible)}")
    if one.task == "embeddings":
        parts.append("vectors of two models do not mix, so it moves all at once")
    elif one.variation is not None:
        parts.append(f"the baseline {one.variation}" if "agrees" in str(one.variation) else str(one.variation))
    return "; ".join(parts)


def _volume(one: FoundWorkload) -> str:
    if one.month is None:
        return number_of(one.group.requests, "request")
    if one.month < 1:
        return "less than 1 request a month"
    return f"{short_number(one.month)} {plural_unless_one(round(one.month), 'request')} a month"


def _why_not(eligible: EligibleShare) -> str:
    if not eligible.reasons:
        return ""
    why, number = max(eligible.reasons.items(), key=lambda one: one[1])
    return f" ({number / eligible.requests:.0%} {_REASONS.get(why, why)})"


def short_number(number: float) -> str:
    """Return a number of requests or tokens in at most four characters: ``950``, ``12k``, ``1.2M``."""
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= 0.9995 * size:
            scaled = number / size
            return f"{scaled:.1f}{unit}" if scaled < 9.95 else f"{scaled:.0f}{unit}"
    return f"{number:.0f}"
