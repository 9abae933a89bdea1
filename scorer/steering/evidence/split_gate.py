"""Does the router do what it says? The realised split against the weight that is set.

The multinomial test of a sample-ratio mismatch with a mixture prior, for two categories (Lindon & Malek, "Anytime-valid
inference for multinomial count data", 2022), with a tolerance: requests are counted when they end, so a slower side is
counted later, and a retried connection may count twice. Only a split beyond the tolerance is the router's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from scorer.steering.evidence.formatting import share_words
from scorer.steering.evidence.gate_base import Counts, Gate, Part
from scorer.steering.evidence.gate_specs import GateSpec
from scorer.steering.evidence.mixture import LN2, Mixed, RateGrid, log_add, spend
from scorer.steering.evidence.quality_gates import Block

TOLERANCE = 1.25  # as a factor of the odds, either way
PROVEN = 1.6  # within this factor it counts as shown to be right
_SHIFTS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0)


class SplitGuard:
    """Null: the candidate's odds are within TOLERANCE of ``share`` : 1 - ``share``."""

    def __init__(self, share: float, tolerance: float = TOLERANCE) -> None:
        self._high = RateGrid.around(_moved(share, tolerance), _SHIFTS, above=True)
        self._low = RateGrid.around(_moved(share, 1 / tolerance), _SHIFTS, above=False)
        self._more, self._less = Mixed(self._high.weights), Mixed(self._low.weights)
        self._under = RateGrid.around(_moved(share, PROVEN), _SHIFTS, above=False)
        self._over = RateGrid.around(_moved(share, 1 / PROVEN), _SHIFTS, above=True)
        self._not_more, self._not_less = Mixed(self._under.weights), Mixed(self._over.weights)

    def update(self, c_n: int, b_n: int) -> None:
        self._more.update(self._high.ratios(c_n, c_n + b_n))
        self._less.update(self._low.ratios(c_n, c_n + b_n))
        self._not_more.update(self._under.ratios(c_n, c_n + b_n))
        self._not_less.update(self._over.ratios(c_n, c_n + b_n))

    @property
    def log_e(self) -> float:
        return log_add(self._more.log_e, self._less.log_e) - LN2

    @property
    def log_pass(self) -> float:
        """Against "beyond PROVEN", on whichever side there is less evidence."""
        return min(self._not_more.log_e, self._not_less.log_e)

    def to_json(self) -> list[Any]:
        return [part.to_json() for part in self._parts()]

    def load(self, raw: Sequence[Any]) -> None:
        for part, state in zip(self._parts(), raw, strict=True):
            part.load(state)

    def _parts(self) -> tuple[Mixed, ...]:
        return (self._more, self._less, self._not_more, self._not_less)


def _moved(share: float, factor: float) -> float:
    odds = share / (1 - share) * factor
    return odds / (1 + odds)


def odds_ratio(c_n: int, b_n: int, share: float) -> float | None:
    """Realised odds over those that are set; None without requests of both sides."""
    if not c_n or not b_n:
        return None
    return math.exp(math.log(c_n / b_n) - math.log(share / (1 - share)))


class Mending:
    """After an alarm: is the split right again? Another guard watches the requests since then, and begins anew whenever
    they speak against it; what its proof costs grows with every beginning, so that in all of them together a split
    beyond PROVEN is called right with probability α at most."""

    _GIVE_UP = -2.0

    def __init__(self, share: float) -> None:
        self._share = share
        self.guard = SplitGuard(share)
        self._starts = 1
        self.c_n = self.b_n = 0

    def update(self, c_n: int, b_n: int) -> None:
        self.guard.update(c_n, b_n)
        self.c_n += c_n
        self.b_n += b_n
        if self.guard.log_pass < self._GIVE_UP:
            self.guard, self.c_n, self.b_n = SplitGuard(self._share), 0, 0
            self._starts += 1

    @property
    def log_pass(self) -> float:
        return self.guard.log_pass + math.log(spend(self._starts))

    def to_json(self) -> list[Any]:
        return [self._starts, self.c_n, self.b_n, self.guard.to_json()]

    def load(self, raw: Sequence[Any]) -> None:
        self._starts, self.c_n, self.b_n = (int(v) for v in raw[:3])
        self.guard.load(raw[3])


class SplitGate(Gate):
    """The realised share against the configured one, since the step began or since it was last put right."""

    def __init__(self, spec: GateSpec, counts: Counts | None = None) -> None:
        """``counts``: the step's, in place of what a state of an earlier version does not have."""
        super().__init__(spec)
        self._counts = counts or Counts()
        self._guard, self._mending = SplitGuard(spec.limit), Mending(spec.limit)
        self._seen = Block([0, 0])

    def add(self, c_n: int, b_n: int) -> None:
        seen = self._seen.values
        self._seen.values = [seen[0] + c_n, seen[1] + b_n]
        if not self.failed:
            self._guard.update(c_n, b_n)
            self.note(self._guard.log_e, self._guard.log_pass)
            return
        self._mending.update(c_n, b_n)
        if self._mending.log_pass >= self.spec.pass_at:
            self._begin_anew()

    def _begin_anew(self) -> None:
        """It would hold the ramp for ever otherwise: a router that was put right leaves the step's total as it is."""
        mended, self._mending = self._mending, Mending(self.spec.limit)
        self._guard, self._seen.values = mended.guard, [mended.c_n, mended.b_n]
        self.fail_peak, self.pass_peak, self.cause = 0.0, 0.0, None
        self.note(0.0, self._guard.log_pass)

    @property
    def n(self) -> int:
        return int(sum(self._seen.values))

    @property
    def within(self) -> bool:
        odds = self._odds()
        return odds is not None and 1 / PROVEN <= odds <= PROVEN

    @property
    def explained(self) -> bool:
        return True  # it has no late starts, and says both shares

    @property
    def value(self) -> float | None:
        return self._seen.values[0] / self.n if self.n else None

    def _odds(self) -> float | None:
        c_n, b_n = self._seen.values
        return odds_ratio(int(c_n), int(b_n), self.spec.limit)

    def words(self) -> str:
        odds = self._odds()
        off = "" if odds is None else f" (odds {odds:.2f} × what they should be)"
        own, limit = share_words(self.value), share_words(self.spec.limit)
        text = f"the candidate got {own} of {self.n} requests, {limit} is set{off}"
        since = self._mending.c_n + self._mending.b_n
        if not self.failed or not since:
            return text
        return f"{text}; of the last {since} {share_words(self._mending.c_n / since)}"

    def test(self) -> Sequence[Part]:
        return (self._guard, self._seen, self._mending)

    def load(self, raw: Sequence[Any]) -> None:
        super().load(raw)
        if self.lacks(raw, self._seen):
            self._seen.values = [self._counts.c_n, self._counts.b_n]
