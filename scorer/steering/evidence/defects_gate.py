"""The defects gate: it limits how much more often the candidate's answer has a defect than the baseline's.

Both answers of a pair belong to one request, so a request that makes any model refuse counts against neither side. Only
discordant pairs, in which one answer has a defect and the other has none, change the evidence. The sample of a pair is
D = 1 if only the candidate's answer has a defect, -1 if only the baseline's has one, and 0 otherwise. The gate tests
the mean of D against the limit by betting (see mean_gate.py). See ADR 0171.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from glidepath.answer_faults import AnswerFault, Grade
from glidepath.pair_scores import AnswerFacts, ScoredPair
from scorer.steering.evidence.formatting import share_text
from scorer.steering.evidence.gate_base import Handler
from scorer.steering.evidence.gate_observations import AnswersJudged
from scorer.steering.evidence.gate_specs import GateSpec
from scorer.steering.evidence.mean_gate import DifferenceGate
from scorer.steering.evidence.weighed_pairs import pair_ref

_DEFECTS = frozenset(fault.value for fault in AnswerFault if fault.grade is Grade.DEFECT)
_SHOWN_KINDS = 3  # the message names the most frequent kinds


def answers_judged(pair: ScoredPair) -> AnswersJudged | None:
    """Return the kinds of defect of both answers; None if the gate does not count this pair.

    The gate counts the pairs in which both answers have a status of success, do not come from a failover, and have not
    failed. A failed answer is an error of its side (docs/reference/answer-faults.md), and the gates of errors count it.
    """
    if not (_is_usable(pair.candidate) and _is_usable(pair.baseline)):
        return None
    return AnswersJudged(pair.candidate.faults, pair.baseline.faults, pair_ref(pair))


def _is_usable(answer: AnswerFacts) -> bool:
    return 200 <= answer.status < 300 and not answer.failed_over and _DEFECTS.issuperset(answer.faults)


@dataclass(frozen=True, slots=True)
class DefectCounts:
    """The numbers of pairs by the side whose answer has a defect.

    ``kinds``: kind of defect → in how many pairs only the candidate's answer has a defect of this kind
    """

    candidate_only: int = 0
    baseline_only: int = 0
    both: int = 0
    neither: int = 0
    kinds: Mapping[str, int] = field(default_factory=dict)

    @property
    def n(self) -> int:
        return self.candidate_only + self.baseline_only + self.both + self.neither

    def after(self, pair: AnswersJudged) -> DefectCounts:
        """Return the counts with one more pair."""
        candidate, baseline = bool(pair.candidate), bool(pair.baseline)
        kinds = dict(self.kinds)
        if candidate and not baseline:
            for kind in pair.candidate:
                kinds[kind] = kinds.get(kind, 0) + 1
        return DefectCounts(
            self.candidate_only + (candidate and not baseline),
            self.baseline_only + (baseline and not candidate),
            self.both + (candidate and baseline),
            self.neither + (not candidate and not baseline),
            kinds,
        )


class DefectsGate(DifferenceGate):
    """The gate that limits by how much the candidate's rate of defects exceeds the baseline's, on the same requests."""

    _counts: DefectCounts

    def __init__(self, spec: GateSpec) -> None:
        super().__init__(spec)
        self._counts = DefectCounts()

    def handlers(self) -> Mapping[type, Handler]:
        return {AnswersJudged: self.fold_pair}

    def fold_pair(self, pair: AnswersJudged) -> None:
        self._counts = self._counts.after(pair)
        worse = bool(pair.candidate) - bool(pair.baseline)
        self.weigh(pair.pair, worse)
        self.add_difference(worse)

    def recent_message(self, value: float, n: int) -> str:
        return f"{share_text(value)} more defects over the last {n} pairs; over the step: {self.message()}"

    def message(self) -> str:
        counts = self._counts
        often = sorted(counts.kinds, key=lambda kind: (-counts.kinds[kind], kind))[:_SHOWN_KINDS]
        kinds = f" ({', '.join(f'{kind} {counts.kinds[kind]}' for kind in often)})" if often else ""
        return (
            f"only the candidate's answer has a defect in {counts.candidate_only} of {counts.n} pairs{kinds}, only the "
            f"baseline's in {counts.baseline_only}; {share_text(self.spec.limit)} more are allowed"
        )
