"""The feedback gate: it limits how much worse the feedback on the candidate's answers is than that on the baseline's.

Feedback belongs to single requests of two groups, so it is compared as two rates of bad answers, where a score s counts
as 1 - s bad answers. The test is that of an increase of errors, block by block, so drift that both sides share cancels.
It stays valid for scores between 0 and 1: by the inequality of weighted means, a^y b^(1-y) ≤ y a + (1-y) b, a
likelihood ratio with a fractional event is at most the mean of its two values. See ADR 0227.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scorer.steering.evidence.confidence import Interval, difference_interval
from scorer.steering.evidence.error_rate_tests import IncreaseTest
from scorer.steering.evidence.formatting import share_text
from scorer.steering.evidence.gate_base import FailureCause, Gate, Handler
from scorer.steering.evidence.gate_observations import FeedbackGiven
from scorer.steering.evidence.gate_specs import GateSpec


@dataclass(frozen=True, slots=True)
class FeedbackCounts:
    """The feedback on both sides: its number, and the sum of 1 - score (``bad``)."""

    c_bad: float = 0.0
    c_n: int = 0
    b_bad: float = 0.0
    b_n: int = 0

    def after(self, given: FeedbackGiven) -> FeedbackCounts:
        bad = 1 - min(max(given.score, 0.0), 1.0)
        if given.candidate:
            return FeedbackCounts(self.c_bad + bad, self.c_n + 1, self.b_bad, self.b_n)
        return FeedbackCounts(self.c_bad, self.c_n, self.b_bad + bad, self.b_n + 1)

    def __add__(self, other: FeedbackCounts) -> FeedbackCounts:
        return FeedbackCounts(
            self.c_bad + other.c_bad, self.c_n + other.c_n, self.b_bad + other.b_bad, self.b_n + other.b_n
        )

    @property
    def worse(self) -> float | None:
        """By how much the candidate's mean score is below the baseline's; None without feedback on both sides."""
        return self.c_bad / self.c_n - self.b_bad / self.b_n if self.c_n and self.b_n else None


@dataclass(frozen=True, slots=True)
class WorsePeriod:
    """The feedback since the present bad period began, see changepoint.py. ``score``: the sum of the test's gains."""

    score: float = 0.0
    counts: FeedbackCounts = FeedbackCounts()

    def after(self, gain: float, block: FeedbackCounts) -> WorsePeriod:
        score = self.score + gain
        return WorsePeriod() if score <= 0 else WorsePeriod(score, self.counts + block)


class FeedbackGate(Gate):
    """The gate that limits by how much the candidate's mean score is below the baseline's.

    A block ends as soon as it has feedback on both sides. ``_step`` counts the feedback of the step, ``_block`` that of
    the open block.
    """

    _test: IncreaseTest
    _step: FeedbackCounts
    _block: FeedbackCounts
    _since: WorsePeriod

    def __init__(self, spec: GateSpec) -> None:
        super().__init__(spec)
        self._test = IncreaseTest(spec.limit)
        self._step = self._block = FeedbackCounts()
        self._since = WorsePeriod()

    def handlers(self) -> Mapping[type, Handler]:
        return {FeedbackGiven: self.fold_feedback}

    def fold_feedback(self, given: FeedbackGiven) -> None:
        self._step, self._block = self._step.after(given), self._block.after(given)
        block = self._block
        if not block.c_n or not block.b_n:
            return
        self._test.update(block.c_bad, block.c_n, block.b_bad, block.b_n)
        self._since = self._since.after(self._test.gain, block)
        self._block = FeedbackCounts()
        self.note(self._test.log_fail, self._test.log_pass)

    @property
    def n(self) -> int:
        return self._step.c_n

    @property
    def value(self) -> float | None:
        return self._step.worse

    @property
    def interval(self) -> Interval | None:
        step = self._step
        return difference_interval((step.c_bad, step.c_n), (step.b_bad, step.b_n), self.spec.alpha)

    def recent_cause(self) -> FailureCause | None:
        since = self._since.counts
        if since.worse is None:
            return None
        text = f"{share_text(since.worse)} worse over the last {since.c_n} answers; over the step: {self.message()}"
        return FailureCause(since.worse, since.c_n, text)

    def message(self) -> str:
        step = self._step
        candidate = share_text(1 - step.c_bad / step.c_n if step.c_n else None)
        baseline = share_text(1 - step.b_bad / step.b_n if step.b_n else None)
        return (
            f"mean feedback {candidate} on {step.c_n} answers of the candidate, {baseline} on {step.b_n} of the "
            f"baseline; {share_text(self.spec.limit)} less is allowed"
        )
