"""The gates of what happens in some share of the pairs: a class that is lost, a fact that differs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from glidepath.domain import TRIP_DIVERGENCE
from scorer.steering.evidence.changepoint import Onset
from scorer.steering.evidence.error_tests import IncreaseTest, RateTest
from scorer.steering.evidence.formatting import share_words
from scorer.steering.evidence.gate_base import Cause, Gate, Part
from scorer.steering.evidence.gate_specs import GateSpec
from scorer.steering.evidence.quality_gates import Block

_TEXTS = "word_overlap"  # the measure that only a comparison of two texts has


class PairGate(Gate):
    """The rate of an event among pairs: by itself, or (``spec.increase``) less its rate among noise pairs.

    Of the latter a block ends when both kinds of pair have come, so what changes for both over time cancels.
    """

    def __init__(self, spec: GateSpec) -> None:
        super().__init__(spec)
        limit = min(max(spec.limit, 1e-6), 0.98)
        self._test: IncreaseTest | RateTest = IncreaseTest(limit) if spec.increase else RateTest(limit)
        self._seen = Block([0, 0, 0, 0])  # events and pairs between the sides, events and noise pairs
        self._block = Block([0, 0, 0, 0])
        self._since = Onset()

    @abstractmethod
    def event(self, labels: Mapping[str, str], signals: Mapping[str, float]) -> bool | None:
        """Whether it happened in a pair; None: the pair says nothing about it."""

    def add(self, hit: bool, noise: bool) -> None:
        at = 2 if noise else 0
        for counts in (self._seen.values, self._block.values):
            counts[at] += hit
            counts[at + 1] += 1
        hits, n, floor_hits, floor_n = (int(v) for v in self._block.values)
        if not n or (self.spec.increase and not floor_n):
            return
        if isinstance(self._test, IncreaseTest):
            self._test.update(hits, n, floor_hits, floor_n)
        else:
            self._test.update(hits, n)
        self._since.see(self._test.gain, hits, n, floor_hits, floor_n)
        self._block.values = [0, 0, 0, 0]
        self.note(self._test.log_fail, self._test.log_pass)

    @property
    def n(self) -> int:
        return int(self._seen.values[1])

    @property
    def rate(self) -> float | None:
        hits, n, *_ = self._seen.values
        return hits / n if n else None

    @property
    def floor(self) -> float | None:
        """The same rate among noise pairs."""
        *_, hits, n = self._seen.values
        return hits / n if n else None

    @property
    def value(self) -> float | None:
        if not self.spec.increase or self.rate is None:
            return self.rate
        return None if self.floor is None else self.rate - self.floor

    def late(self) -> Cause | None:
        since = self._since
        if not since.c_n or (self.spec.increase and not since.b_n):
            return None
        own, floor = since.c_errors / since.c_n, since.b_errors / since.b_n if since.b_n else 0.0
        meanwhile = f", {since.b_errors} of {since.b_n} noise pairs" if since.b_n else ""
        text = f"{since.c_errors} of the last {since.c_n} pairs{meanwhile}; over the step: {self.words()}"
        return Cause(own - floor, since.c_n, text)

    @property
    def _floor_n(self) -> int:
        return int(self._seen.values[3])

    def test(self) -> Sequence[Part]:
        return (self._test, self._seen, self._block, self._since)

    def to_json(self) -> list[Any]:
        return [*super().to_json(), int(self.spec.increase)]

    def load(self, raw: Sequence[Any]) -> None:
        """Raises ValueError for another limit, and when noise pairs have come to count, or have ceased to."""
        if raw[-1] != int(self.spec.increase):
            raise ValueError("another kind of test")
        super().load(raw[:-1])


class ClassGate(PairGate):
    """Recall of a class (of the baseline's, how many are the candidate's too), or its precision: what is lost."""

    def event(self, labels: Mapping[str, str], signals: Mapping[str, float]) -> bool | None:
        side = "expected" if self.spec.name.startswith("recall_") else "got"
        return labels["expected"] != labels["got"] if labels.get(side) == self.spec.of else None

    def words(self) -> str:
        own, n = share_words(None if self.rate is None else 1 - self.rate), self.n
        what = self.spec.name.partition("_")[0]
        text = f"{what} of “{self.spec.of}” {own} ({n} pairs), may lose {share_words(self.spec.limit)}"
        if not self.spec.increase:
            return text
        floor = "not known" if self.floor is None else share_words(1 - self.floor)
        return f"{text}; the baseline's against itself: {floor} ({self._floor_n} pairs)"


class SignalGate(PairGate):
    """How often a fact differs between the sides, against how often it does among the baseline's own answers."""

    def event(self, labels: Mapping[str, str], signals: Mapping[str, float]) -> bool | None:
        return (
            signals.get(self.spec.of, 0.0) >= TRIP_DIVERGENCE if _TEXTS in signals else None
        )  # same texts: nothing differs

    def words(self) -> str:
        floor = (
            f"in {share_words(self.floor)} of {self._floor_n} noise pairs" if self._floor_n else "no noise pairs yet"
        )
        own, limit = share_words(self.rate), share_words(self.spec.limit)
        return f"{self.spec.of} differ in {own} of {self.n} pairs, {floor}; may be {limit} more"


def pair_gate(spec: GateSpec) -> PairGate:
    return SignalGate(spec) if spec.name.startswith("signal_") else ClassGate(spec)
