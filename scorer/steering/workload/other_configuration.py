"""Detect requests and pairs that an Envoy served with a configuration other than this scorer's.

They are not evidence about the configured backends, so the pairs, and the latencies of the requests, are refused. While
the candidate has a share, the guards against errors still count these requests, because failures harm the clients in
any case. No step is taken until a minute has passed without such a request. Then the evidence starts again. Such
entries from before this leader's term are refused too, but they stop no step: the Envoy may have been reloaded since.
See ADR 0166.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from glidepath.histogram import Histogram
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.pair_scores import ScoredPair

LASTS_MS = 60_000  # after this time without such a request or pair, the other configuration counts as gone
_NOTHING = Histogram()


@dataclass(frozen=True, slots=True)
class ServedWatch:
    """The last configuration that an Envoy has served and that is not the configuration of this scorer's file.

    ``other``: the digest of that configuration, from the latest request or pair with it; "" if there was none.
    ``seen_ms``: the time of this request or pair.
    """

    other: str = ""
    seen_ms: int = 0

    def after(self, other: str, at_ms: int) -> ServedWatch:
        return ServedWatch(other, max(at_ms, self.seen_ms)) if other else self

    def lasts(self, now_ms: int) -> bool:
        return bool(self.other) and now_ms - self.seen_ms < LASTS_MS

    def describe(self, name: str, wanted: str) -> str:
        return (
            f"an Envoy serves another configuration of {name} (digest {self.other}) than this scorer's file "
            f"({wanted}), so its requests and pairs do not count as evidence: render again, reload Envoy, and restart "
            "extproc and the scorer with the same file"
        )


NOTHING_OTHER = ServedWatch()


def is_other(record: SideOutcomes | ScoredPair, wanted: str) -> bool:
    """Return whether a record is about a configuration whose digest is not ``wanted``.

    The result is False for a record without a digest.
    """
    return bool(record.served) and record.served != wanted


def other_requests(flush: Outcomes, wanted: str) -> tuple[str, int]:
    """Return a digest other than ``wanted`` in a flush ("" if none), and how many requests have such a digest."""
    others = [side for side in flush.sides if is_other(side, wanted)]
    return (others[-1].served, sum(side.requests for side in others)) if others else ("", 0)


def refuse_others(flush: Outcomes, wanted: str, percent: float) -> Outcomes:
    """Return the part of a flush that is evidence about the configuration with the digest ``wanted``.

    ``percent``: the candidate's share.
    """
    return replace(flush, sides=tuple(_usable(flush.sides, wanted, percent)))


def _usable(sides: Iterable[SideOutcomes], wanted: str, percent: float) -> Iterable[SideOutcomes]:
    for side in sides:
        if not is_other(side, wanted):
            yield side
        elif percent > 0:
            yield replace(side, latency_ms=_NOTHING, ttft_ms=_NOTHING, headers_ms=_NOTHING)
