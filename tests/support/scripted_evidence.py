"""Evidence for tests, whose verdicts follow from a few counts by simple rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from glidepath.config import Workload
from glidepath.feedback import Feedback
from glidepath.outcome_summaries import Outcomes
from glidepath.pair_scores import ScoredPair
from glidepath.sides import Origin, Side
from glidepath.status_and_decisions import GateOutcome, SideStatus, Verdict
from scorer.steering.steering_interfaces import StepEvidence


def verdict(gate: str, outcome: GateOutcome, *, fast: bool = False, action: str = "") -> Verdict:
    action = action or ("hold" if gate in ("split", "capacity") else "rollback")
    return Verdict(gate, outcome.value, 0.5, 0.9, "", 100, 1.0, action=action, guard=fast or gate == "split", fast=fast)


@dataclass(slots=True)
class ScriptedEvidence:
    """Three errors of the candidate fail the fast guard; a mean agreement ≥ 0.9 passes "sameness", < 0.5 fails it.

    A flush of the source ``poison`` raises an error.
    """

    percent: float
    seen: int = 0
    errors: int = 0
    scores: list[float] = field(default_factory=list)

    def fold_outcomes(self, outcomes: Outcomes) -> ScriptedEvidence:
        if outcomes.source == "poison":
            raise ZeroDivisionError("a bug in the evidence")
        origin = Origin.LIVE if self.percent > 0 else Origin.SHADOW
        for side in outcomes.sides:
            if side.side is Side.CANDIDATE and side.origin is origin:
                self.seen += side.requests
                self.errors += side.errors
        return self

    def fold_scored(self, scored: ScoredPair) -> ScriptedEvidence:
        self.scores.append(scored.agreement)
        return self

    def fold_feedback(self, feedback: Feedback) -> ScriptedEvidence:
        return self

    def verdicts(self, now_ms: int) -> tuple[Verdict, ...]:
        mean = self.agreement()
        sameness = GateOutcome.INCONCLUSIVE
        if mean is not None:
            sameness = GateOutcome.PASS if mean >= 0.9 else GateOutcome.FAIL if mean < 0.5 else GateOutcome.INCONCLUSIVE
        errors = GateOutcome.FAIL if self.errors >= 3 else GateOutcome.INCONCLUSIVE
        return (verdict("sameness", sameness), verdict("errors_fast", errors, fast=True))

    def still_decides(self, verdicts: tuple[Verdict, ...]) -> bool:
        return self.verdicts(0) == verdicts

    def requests(self) -> int:
        return self.seen

    def sides(self) -> tuple[SideStatus, SideStatus]:
        return SideStatus(), SideStatus(requests=self.seen, errors=self.errors)

    def agreement(self) -> float | None:
        return sum(self.scores) / len(self.scores) if self.scores else None

    def noise(self) -> float | None:
        return None

    def tool_calls(self) -> tuple[int, int]:
        return 0, 0

    def to_json(self) -> dict[str, Any]:
        return {"seen": self.seen, "errors": self.errors, "scores": self.scores, "percent": self.percent}


class ScriptedEvidenceKind:
    """The ``EvidenceKind`` that creates ``ScriptedEvidence``."""

    def fresh(
        self, workload: Workload, percent: float, now_ms: int, before: StepEvidence | None = None
    ) -> ScriptedEvidence:
        return ScriptedEvidence(percent)

    def from_json(self, workload: Workload, raw: dict[str, Any]) -> ScriptedEvidence:
        return ScriptedEvidence(**raw)
