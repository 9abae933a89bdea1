"""The correctness gates: they limit how much less often the candidate's answer is right than the baseline's.

Both answers of a pair belong to one request, so a question that is hard for both sides counts against neither. With a
verifier, the sample of a pair is the baseline's correctness minus the candidate's, each from 0 to 1, and the gate tests
its mean by betting (see mean_gate.py). Without a verifier, the gate is an ``ExactnessGate`` (pair_gates.py). See ADR
0225.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from glidepath.pair_scores import Correctness
from scorer.steering.evidence.formatting import share_text
from scorer.steering.evidence.gate_base import Handler
from scorer.steering.evidence.gate_observations import CorrectnessGiven
from scorer.steering.evidence.gate_specs import GateSpec
from scorer.steering.evidence.mean_gate import DifferenceGate

_RIGHT = 0.5  # an answer with at least this correctness shows the class of its request


def true_class(correctness: Correctness, labels: Mapping[str, str]) -> str:
    """Return the class of the request, which is the class of the right answer; "" if no answer is right.

    ``labels``: the classes of the answers, as in ``PairCompared``.
    """
    if correctness.baseline >= _RIGHT:
        return labels.get("expected", "")
    return labels.get("got", "") if correctness.candidate >= _RIGHT else ""


@dataclass(frozen=True, slots=True)
class CorrectnessSums:
    """The sums of the correctness of both sides' answers."""

    candidate: float = 0.0
    baseline: float = 0.0


class CorrectnessGate(DifferenceGate):
    """The gate that limits how much lower the verifier rates the candidate's answers than the baseline's.

    If ``spec.of`` is a class, the gate counts only the requests of this class.
    """

    _sums: CorrectnessSums

    def __init__(self, spec: GateSpec) -> None:
        super().__init__(spec)
        self._sums = CorrectnessSums()

    def handlers(self) -> Mapping[type, Handler]:
        return {CorrectnessGiven: self.fold_correctness}

    def fold_correctness(self, given: CorrectnessGiven) -> None:
        if self.spec.of and given.of != self.spec.of:
            return
        found = given.correctness
        self._sums = CorrectnessSums(self._sums.candidate + found.candidate, self._sums.baseline + found.baseline)
        worse = found.baseline - found.candidate
        self.weigh(given.pair, worse)
        self.add_difference(worse)

    def recent_message(self, value: float, n: int) -> str:
        return f"right in {share_text(value)} less over the last {n} pairs; over the step: {self.message()}"

    def message(self) -> str:
        of = f" of “{self.spec.of}”" if self.spec.of else ""
        candidate, baseline = (share_text(total / self.n) for total in (self._sums.candidate, self._sums.baseline))
        return (
            f"the candidate is right in {candidate} of {self.n} verified pairs{of}, the baseline in {baseline}; "
            f"{share_text(self.spec.limit)} less is allowed"
        )
