"""The base class of the gates that require a mean of at least the limit. They test it by betting (see betting.py)."""

from __future__ import annotations

from scorer.steering.evidence.betting import MeanTest
from scorer.steering.evidence.gate_base import Gate
from scorer.steering.evidence.gate_specs import GateSpec


class MeanGate(Gate):
    """A gate that requires that the mean of the scores, each from 0 to 1, is at least the limit."""

    def __init__(self, spec: GateSpec) -> None:
        super().__init__(spec)
        self._test = MeanTest(min(max(spec.limit, 1e-6), 1 - 1e-6), spec.fail_at, spec.pass_at)

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
    def within(self) -> bool:
        return self.value is not None and self.value >= self.spec.limit
