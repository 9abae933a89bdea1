"""The feedback gate: it limits how much worse the feedback on the candidate's answers is than on the baseline's.

Each request with feedback belongs to one side, so there are no pairs to compare. The gate compares two rates of bad
answers, where a score s counts as 1 - s bad answers. It uses the test for an increased error rate (``IncreaseTest``),
block by block, so drift common to both sides cancels. The test stays valid for scores between 0 and 1. By the
inequality of weighted means, a^y b^(1-y) ≤ y a + (1-y) b, a likelihood ratio with a fractional event is at most the
mean of its two values. See ADR 0227.
"""

from __future__ import annotations

from collections.abc import Mapping

from scorer.steering.evidence.block_gate import BlockGate
from scorer.steering.evidence.changepoint import BadPeriod, EventCounts
from scorer.steering.evidence.formatting import share_text
from scorer.steering.evidence.gate_base import Handler
from scorer.steering.evidence.gate_observations import FeedbackGiven


class FeedbackGate(BlockGate):
    """The gate that limits by how much the candidate's mean score is below the baseline's."""

    def handlers(self) -> Mapping[type, Handler]:
        return {FeedbackGiven: self.fold_feedback}

    def fold_feedback(self, given: FeedbackGiven) -> None:
        bad = 1 - min(max(given.score, 0.0), 1.0)
        self.add_samples(EventCounts(c_errors=bad, c_n=1) if given.candidate else EventCounts(b_errors=bad, b_n=1))

    def recent_message(self, since: BadPeriod, more: float) -> str:
        return f"{share_text(more)} worse over the last {since.c_n} answers; over the step: {self.message()}"

    def message(self) -> str:
        step = self._step
        candidate, baseline = (share_text(None if rate is None else 1 - rate) for rate in (step.rate, step.base_rate))
        return (
            f"mean feedback {candidate} on {step.c_n} answers of the candidate, {baseline} on {step.b_n} of the "
            f"baseline; {share_text(self.spec.limit)} less is allowed"
        )
