"""The gates of quality: against a fixed agreement, and against the noise floor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scorer.steering.evidence.betting import MeanTest
from scorer.steering.evidence.gate_base import Cause, Gate, Part
from scorer.steering.evidence.gate_specs import GateSpec


class QualityGate(Gate):
    """Mean agreement, at least the limit."""

    def __init__(self, spec: GateSpec) -> None:
        super().__init__(spec)
        self._test = MeanTest(min(max(spec.limit, 1e-6), 1 - 1e-6), spec.fail_at, spec.pass_at)

    def add(self, agreement: float) -> None:
        self._test.update(min(max(agreement, 0.0), 1.0))
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

    def late(self) -> Cause | None:
        recent = self._test.recent
        if not recent.n:
            return None
        mean = recent.total / recent.n
        asked = f"at least {self.spec.limit:.3f} asked ({self.value:.3f} over all {self.n})"
        return Cause(mean, recent.n, f"agreement {mean:.3f} over the last {recent.n} pairs, {asked}")

    def words(self) -> str:
        return f"agreement {self.value:.3f} over {self.n} pairs, at least {self.spec.limit:.3f} asked"

    def test(self) -> Sequence[Part]:
        return (self._test,)


class MarginGate(Gate):
    """Agreement below the noise floor, at most the limit. A value is the difference of two pairs that belong together,
    or of a block's means; a block ends when both kinds of pair have come. What changes for both over time cancels.
    """

    def __init__(self, spec: GateSpec) -> None:
        super().__init__(spec)
        self._test = MeanTest((1 - spec.limit) / 2, spec.fail_at, spec.pass_at)
        self._block = Block([0.0, 0.0, 0.0, 0.0])

    def add(self, agreement: float | None = None, noise: float | None = None) -> None:
        block = self._block.values
        for at, score in ((0, agreement), (2, noise)):
            if score is not None:
                block[at] += 1
                block[at + 1] += min(max(score, 0.0), 1.0)
        if block[0] and block[2]:
            self._update(block[1] / block[0] - block[3] / block[2])
            self._block.values = [0.0, 0.0, 0.0, 0.0]

    def match(self, agreement: float, noise: float) -> None:
        self._update(min(max(agreement, 0.0), 1.0) - min(max(noise, 0.0), 1.0))

    def _update(self, difference: float) -> None:
        self._test.update((difference + 1) / 2)
        self.note(self._test.log_fail, self._test.log_pass)

    @property
    def n(self) -> int:
        return self._test.n

    @property
    def value(self) -> float | None:
        mean = self._test.mean
        return None if mean is None else 1 - 2 * mean

    def late(self) -> Cause | None:
        recent = self._test.recent
        if not recent.n:
            return None
        below = 1 - 2 * recent.total / recent.n
        limit = f"limit {self.spec.limit:.3f} ({self.value:.3f} over all {self.n})"
        text = f"agreement is {below:.3f} below the noise floor over the last {recent.n} noise pairs, {limit}"
        return Cause(below, recent.n, text)

    def words(self) -> str:
        return (
            f"agreement is {self.value:.3f} below the noise floor ({self.n} noise pairs), limit {self.spec.limit:.3f}"
        )

    def test(self) -> Sequence[Part]:
        return (self._test, self._block)


class Block:
    """Numbers of a block that is not complete yet."""

    def __init__(self, values: list[float]) -> None:
        self.values = values

    def to_json(self) -> list[Any]:
        return list(self.values)

    def load(self, raw: Sequence[Any]) -> None:
        self.values = list(raw)
