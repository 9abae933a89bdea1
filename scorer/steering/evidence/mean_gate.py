"""The base classes of the gates that limit a mean of scores or of paired differences.

Each gate tests its mean by betting (betting.py).
"""

from __future__ import annotations

from abc import abstractmethod

from scorer.steering.evidence.betting import MeanTest, ScoreSums, score_of_difference
from scorer.steering.evidence.confidence import Interval
from scorer.steering.evidence.gate_base import FailureCause, Gate
from scorer.steering.evidence.gate_specs import GateSpec


class ScoresGate(Gate):
    """Base class of ``MeanGate`` and ``DifferenceGate``.

    ``value_of``: returns the gate's value for the scores in ``sums``; None if there are none.
    """

    _test: MeanTest

    def __init__(self, spec: GateSpec, limit: float) -> None:
        super().__init__(spec)
        self._test = MeanTest(limit)

    def add_score(self, score: float) -> None:
        self._test.update(score)
        self.note(self._test.log_fail, self._test.log_pass)

    @staticmethod
    @abstractmethod
    def value_of(sums: ScoreSums) -> float | None: ...

    @property
    def n(self) -> int:
        return self._test.n

    @property
    def value(self) -> float | None:
        return self.value_of(self._test.all)

    def recent_cause(self) -> FailureCause | None:
        recent = self._test.recent
        value = self.value_of(recent)
        return None if value is None else FailureCause(value, recent.n, self.recent_message(value, recent.n))

    @abstractmethod
    def recent_message(self, value: float, n: int) -> str:
        """Return a text for people about the bad period, which has the last ``n`` samples and the value ``value``."""


class MeanGate(ScoresGate):
    """A gate that requires that the mean of the scores, each from 0 to 1, is at least the limit."""

    def __init__(self, spec: GateSpec) -> None:
        super().__init__(spec, min(max(spec.limit, 1e-6), 1 - 1e-6))

    def add(self, score: float) -> None:
        self.add_score(min(max(score, 0.0), 1.0))

    @staticmethod
    def value_of(sums: ScoreSums) -> float | None:
        return sums.mean

    @property
    def interval(self) -> Interval | None:
        return self._test.interval(self.spec.alpha)

    @property
    def within(self) -> bool:
        return self.value is not None and self.value >= self.spec.limit


class DifferenceGate(ScoresGate):
    """A gate that limits the mean of paired differences: by how much the candidate's answer is worse, from -1 to 1."""

    def __init__(self, spec: GateSpec) -> None:
        super().__init__(spec, score_of_difference(spec.limit))

    def add_difference(self, worse: float) -> None:
        self.add_score(score_of_difference(worse))

    @staticmethod
    def value_of(sums: ScoreSums) -> float | None:
        return (sums.n - 2 * sums.total) / sums.n if sums.n else None

    @property
    def interval(self) -> Interval | None:
        found = self._test.interval(self.spec.alpha)
        if found is None or found.low is None or found.high is None:
            return None
        return Interval(1 - 2 * found.high, 1 - 2 * found.low)
