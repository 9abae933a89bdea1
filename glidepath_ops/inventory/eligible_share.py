"""Computes which share of a group of calls a candidate could serve, by what it declares (``eligibility.py``).

Histograms do not show which requests have both too many tokens and too many bytes. Such a request may count twice among
those that cannot move, so the share tends to be too low. Histograms also do not distinguish a request less than 1.1 %
above a limit from one at the limit: such a request counts among those that can move.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from glidepath.config.backends import Backend
from glidepath.config.units import format_size
from glidepath.eligibility import Ineligible
from glidepath.histogram import MAX_INDEX, bucket_of
from glidepath.inventory.tally import OTHER, Buckets, Shape, Tally, shape_parts

NEEDS_STATE = "state"


@dataclass(frozen=True, slots=True)
class CandidateLimits:
    """The limits on the requests that a candidate can serve. None allows every request.

    ``name``: what messages call the candidate.
    """

    name: str
    context: int | None = None
    modalities: frozenset[str] | None = None
    tools: bool = True
    max_body: int | None = None

    @property
    def unlimited(self) -> bool:
        return self.tools and self.context is None and self.modalities is None and self.max_body is None

    def __str__(self) -> str:
        if self.unlimited:
            return "no limits given"
        limits = [f"context {self.context:,} tokens"] if self.context is not None else []
        if self.modalities is not None:
            limits.append(f"reads {', '.join(sorted(self.modalities | {'text'}))}")
        limits += [] if self.tools else ["no tools"]
        limits += [] if self.max_body is None else [f"bodies up to {format_size(self.max_body)}"]
        return "; ".join(limits)

    @classmethod
    def of(cls, name: str, backend: Backend) -> CandidateLimits:
        modalities = None if backend.modalities is None else frozenset(backend.modalities)
        return cls(name, backend.context, modalities, backend.tools, backend.max_body)


@dataclass(frozen=True, slots=True)
class EligibleShare:
    """The share of a group's requests that the candidate could serve.

    ``share``: from 0 to 1, out of the ``requests`` whose bodies the inventory read. ``reasons``: a reason why requests
    cannot move to the candidate → how many.
    """

    requests: int
    share: float
    reasons: Mapping[str, int] = field(default_factory=dict)


def eligible_share(tally: Tally, candidate: CandidateLimits) -> EligibleShare | None:
    """Return the share of the requests in ``tally`` that the candidate could serve; None if no body was read."""
    reasons: dict[str, int] = {}
    requests = 0
    for name, shape in tally.shapes.items():
        requests += shape.requests
        for why, number in _refused(name, shape, candidate).items():
            reasons[why] = reasons.get(why, 0) + number
    if not requests:
        return None
    if tally.state:
        reasons[NEEDS_STATE] = tally.state
    refused = min(requests, sum(reasons.values()))
    return EligibleShare(requests, 1 - refused / requests, {why: n for why, n in reasons.items() if n})


def _refused(name: str, shape: Shape, candidate: CandidateLimits) -> dict[str, int]:
    modalities, tools = shape_parts(name)
    allowed = candidate.modalities
    if allowed is not None and (name == OTHER or not modalities <= allowed):
        return {Ineligible.MODALITIES.value: shape.requests}
    if not candidate.tools and (tools or name == OTHER):
        return {Ineligible.TOOLS.value: shape.requests}
    too_long = _above(shape.body, candidate.max_body)
    return {
        Ineligible.MAX_BODY.value: too_long,
        Ineligible.CONTEXT.value: min(_above(shape.tokens, candidate.context), shape.requests - too_long),
    }


def _above(buckets: Buckets, limit: int | None) -> int:
    """Return the number of values above ``limit``. Values in the same bucket as the limit (within 1.1 %) do not count.

    The last bucket contains all values above 10,000,000. For a larger limit, all of these count as above it.
    """
    if limit is None:
        return 0
    last = min(bucket_of(limit), MAX_INDEX - 1)
    return sum(number for index, number in buckets.items() if index > last)
