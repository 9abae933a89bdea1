"""Detect that the baseline refuses a larger share of requests after a retreat than both sides did before the retreat.

After a retreat, the baseline continues conversations that the candidate had answered. They can contain parts that only
the candidate accepts, such as reasoning with its signature, or ids that it created. The baseline then answers with a
4xx, which by itself is not an error of a side, so no gate sees it. See ADR 0303.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from glidepath.config import Workload
from glidepath.sides import Side
from glidepath.status_and_decisions import SideRefusal

EVENT = "baseline_refuses"
FEWEST = 5  # refused requests before they are announced
BEFORE_WINDOW, AFTER_WINDOW = 5_000, 500  # requests; the latest one to two windows count
MOST, FEW = 1.5, 1.2  # announced above the first multiple of the share before, and named until the second one
MIN_EXPONENT = math.log(1e6)  # with an unchanged share, a false announcement has a probability of about 1e-6
WATCHED_MS = 24 * 3600 * 1000  # how long a retreat is watched


@dataclass(frozen=True, slots=True)
class Refused:
    """A number of clients' requests, and how many of them were answered with a 4xx that is not an error of a side."""

    requests: int = 0
    refused: int = 0

    @classmethod
    def of(cls, live_answers: Mapping[str, int], *sides: Side) -> Refused:
        """Return the counts of ``sides`` in ``Totals.live_answers``."""
        requests, refused = (sum(live_answers.get(f"{side} {what}", 0) for side in sides) for what in _COUNTED)
        return cls(requests, refused)

    def __sub__(self, earlier: Refused) -> Refused:
        return Refused(self.requests - earlier.requests, self.refused - earlier.refused)

    @property
    def share(self) -> float:
        return self.refused / self.requests if self.requests else 0.0


_COUNTED = ("requests", "refused")


@dataclass(frozen=True, slots=True)
class Recent:
    """The totals at the beginning of the present window and of the one before, to subtract from the present totals."""

    older: Refused = Refused()
    newer: Refused = Refused()

    def at(self, totals: Refused, window: int) -> Recent:
        return Recent(self.newer, totals) if totals.requests - self.newer.requests >= window else self


@dataclass(frozen=True, slots=True)
class RefusalWatchAfterRetreat:
    """The refused requests before the latest retreat, and those at the baseline since then.

    - ``before``, ``after``: the clients' requests at both sides before the retreat, and at the baseline since then
    - ``since_ms``: the steady time of the retreat; None while none is watched
    - ``from_percent``: the candidate's share before the retreat
    - ``named``: whether the baseline refuses a larger share than before, and the status shows this
    """

    recent: Recent = field(default_factory=Recent)
    before: Refused = field(default_factory=Refused)
    after: Refused = field(default_factory=Refused)
    since_ms: int | None = None
    from_percent: float = 0.0
    named: bool = False

    def after_tick(
        self, live_answers: Mapping[str, int], before_percent: float, percent: float, now_ms: int
    ) -> RefusalWatchAfterRetreat:
        """Return the watch after a tick that changed the candidate's share from ``before_percent`` to ``percent``.

        ``live_answers``: the counts over all steps (``Totals``). If the share is lowered again during a watched
        retreat, the first one is still watched.
        """
        watch = self
        if self.since_ms is not None and (percent > before_percent or now_ms - self.since_ms > WATCHED_MS):
            totals = Refused.of(live_answers, *Side)
            watch = RefusalWatchAfterRetreat(Recent(totals, totals))
        if watch.since_ms is not None:
            return watch._compared(Refused.of(live_answers, Side.BASELINE))
        totals = Refused.of(live_answers, *Side)
        if percent < before_percent:
            baseline = Refused.of(live_answers, Side.BASELINE)
            before = totals - watch.recent.older
            return RefusalWatchAfterRetreat(Recent(baseline, baseline), before, Refused(), now_ms, before_percent)
        recent = watch.recent.at(totals, BEFORE_WINDOW)
        return watch if recent is watch.recent else replace(watch, recent=recent)

    def _compared(self, baseline: Refused) -> RefusalWatchAfterRetreat:
        after = baseline - self.recent.older
        if after == self.after:
            return self
        named = _is_named(self.before, after, self.named)
        return replace(self, recent=self.recent.at(baseline, AFTER_WINDOW), after=after, named=named)

    def refusal(self, workload: Workload) -> SideRefusal:
        """Return a text that the baseline refuses a larger share of requests than before, with a remedy."""
        name, before, after = workload.baseline, self.before.share, self.after.share
        detail = (
            f"since the retreat from {self.from_percent:g} % the baseline {name} answers {after:.1%} of the clients' "
            f"requests with a 4xx; before it, {before:.1%} got one"
        )
        remedy = (
            "see what the 4xx says; if it names reasoning, a signature or an id, the candidate made it: "
            f"backends.{name}.foreign_reasoning: strip"
        )
        return SideRefusal(Side.BASELINE.value, EVENT, detail, remedy)


def _is_named(before: Refused, after: Refused, named: bool) -> bool:
    usual = (before.refused + 1) / (before.requests + 1)  # one more than seen: little is known of few requests
    if named:
        return after.share > FEW * usual
    unlikely = _chernoff_exponent(after, usual) > MIN_EXPONENT + math.log(after.requests + 1)
    return after.refused >= FEWEST and after.share > MOST * usual and unlikely


def _chernoff_exponent(counts: Refused, share: float) -> float:
    """Return minus the logarithm of Chernoff's bound on the probability of so many refusals, at the usual ``share``."""
    seen = counts.share
    if seen <= share or share >= 1:
        return 0.0
    rest = (1 - seen) * math.log((1 - seen) / (1 - share)) if seen < 1 else 0.0
    return counts.requests * (seen * math.log(seen / share) + rest)
