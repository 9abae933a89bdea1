"""The base classes of the gates that limit a mean: of scores, or of paired differences. They bet (see betting.py)."""

from __future__ import annotations

from scorer.steering.evidence.betting import MeanTest, ScoreSums, score_of_difference
from scorer.steering.evidence.confidence import Interval
from scorer.steering.evidence.gate_base import Gate
from scorer.steering.evidence.gate_specs import GateSpec


class MeanGate(Gate):
    """A gate that requires that the mean of the scores, each from 0 to 1, is at least the limit."""

    _test: MeanTest

    def __init__(self, spec: GateSpec) -> None:
        super().__init__(spec)
        self._test = MeanTest(min(max(spec.limit, 1e-6), 1 - 1e-6))

    def add(self, score: float) -> None:
        self._test.update(min(max(score, 0.0), 1.0))
        self.note(self._test.log_fail, self._test.log_pass)

    @property
    def n(self) -> int:
        return self._test.n

    @property
    def value(self) -> float | None:
        return self._test.mean

    @property
    def interval(self) -> Interval | None:
        return self._test.interval(self.spec.alpha)

    @property
    def within(self) -> bool:
        return self.value is not None and self.value >= self.spec.limit


class DifferenceGate(Gate):
    """A gate that limits the mean of paired differences: by how much the candidate's answer is worse, from -1 to 1."""

    _test: MeanTest

    def __init__(self, spec: GateSpec) -> None:
        super().__init__(spec)
        self._test = MeanTest(score_of_difference(spec.limit))

    def add_difference(self, worse: float) -> None:
        self._test.update(score_of_difference(worse))
        self.note(self._test.log_fail, self._test.log_pass)

    @property
    def n(self) -> int:
        return self._test.n

    @property
    def value(self) -> float | None:
        return mean_difference(self._test.all)

    @property
    def interval(self) -> Interval | None:
        found = self._test.interval(self.spec.alpha)
        if found is None or found.low is None or found.high is None:
            return None
        return Interval(1 - 2 * found.high, 1 - 2 * found.low)

    @property
    def recent_value(self) -> float | None:
        """The mean difference since the evidence of the failure began; None without data."""
        return mean_difference(self._test.recent)


def mean_difference(sums: ScoreSums) -> float | None:
    """Return the mean of the differences whose scores ``sums`` holds; None if there are none."""
    return (sums.n - 2 * sums.total) / sums.n if sums.n else None
