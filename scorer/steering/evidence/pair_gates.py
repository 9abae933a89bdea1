"""The gates that count an event in pairs: the candidate missed a class, its answer is not equal, or a fact differs.

See ADR 0101, ADR 0102 and ADR 0225.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

from glidepath.pair_scores import DIVERGED_AT
from scorer.steering.evidence.block_gate import BlockGate
from scorer.steering.evidence.changepoint import BadPeriod, EventCounts
from scorer.steering.evidence.formatting import share_text
from scorer.steering.evidence.gate_base import Handler
from scorer.steering.evidence.gate_observations import PairCompared, PairsMatched
from scorer.steering.evidence.gate_specs import GateKind, GateSpec

# The signals that show whether answers are equal: label, JSON fields, tool calls with their arguments, final answer.
_EXACT_SIGNALS = ("label", "fields", "json", "tool", "arguments", "final_answer")
_TEXT_SIGNAL = "word_overlap"  # a signal that exists only in a comparison of two texts


class PairGate(BlockGate):
    """A gate on the rate of an event in cross pairs, or on its excess over the rate in noise pairs."""

    def handlers(self) -> Mapping[type, Handler]:
        return {PairCompared: self.fold_pair, PairsMatched: self.fold_match}

    def fold_pair(self, pair: PairCompared) -> None:
        event = self.event(pair.labels, pair.signals) if pair.comparable or not self.spec.increase else None
        if event is not None:
            self.weigh(None if pair.noise else pair.pair, self.weight(pair.signals) if event else 0.0)
            self.add(event, pair.noise)

    def fold_match(self, matched: PairsMatched) -> None:
        if self.spec.name in matched.events:
            self.add(matched.events[self.spec.name], True)

    @abstractmethod
    def event(self, labels: Mapping[str, str], signals: Mapping[str, float]) -> bool | None:
        """Return whether the gate's event occurred in a pair; None if the pair does not count for this gate."""

    def weight(self, signals: Mapping[str, float]) -> float:
        """Return the weight of a pair in which the event occurred, from 0 to 1."""
        return 1.0

    def add(self, hit: bool, noise: bool) -> None:
        self.add_samples(EventCounts(b_errors=hit, b_n=1) if noise else EventCounts(c_errors=hit, c_n=1))

    @property
    def rate(self) -> float | None:
        return self._step.rate

    @property
    def floor(self) -> float | None:
        """The rate of the event among noise pairs; None without noise pairs."""
        return self._step.base_rate

    @property
    def noise_n(self) -> int:
        return self._step.b_n

    def recent_message(self, since: BadPeriod, more: float) -> str:
        meanwhile = f", {since.b_errors} of {since.b_n} noise pairs" if since.b_n else ""
        return f"{since.c_errors} of the last {since.c_n} pairs{meanwhile}; over the step: {self.message()}"


class ClassGate(PairGate):
    """A gate that limits the candidate's loss of recall or of precision for one class.

    The baseline's answers count as the truth. A recall gate counts the pairs in which the baseline answers the class. A
    precision gate counts the pairs in which the candidate answers the class. For both gates, the event is that the
    other side answers another class.
    """

    def event(self, labels: Mapping[str, str], signals: Mapping[str, float]) -> bool | None:
        side = "expected" if self.spec.kind is GateKind.CLASS_RECALL else "got"
        return labels["expected"] != labels["got"] if labels.get(side) == self.spec.of else None

    def message(self) -> str:
        kept, n = share_text(None if self.rate is None else 1 - self.rate), self.n
        measure = "recall" if self.spec.kind is GateKind.CLASS_RECALL else "precision"
        text = f"{measure} of “{self.spec.of}” {kept} ({n} pairs), limit {share_text(self.spec.limit)} less"
        if not self.spec.increase:
            return text
        floor = "unknown" if self.floor is None else share_text(1 - self.floor)
        return f"{text}; the baseline compared with itself: {floor} ({self.noise_n} pairs)"


class FactGate(PairGate):
    """A gate for one fact: it limits how much more often the fact differs in cross pairs than in noise pairs."""

    def event(self, labels: Mapping[str, str], signals: Mapping[str, float]) -> bool | None:
        # A comparison of equal texts has the signal ``word_overlap`` but no signals of facts: no fact differs.
        return signals.get(self.spec.of, 0.0) >= DIVERGED_AT if _TEXT_SIGNAL in signals else None

    def weight(self, signals: Mapping[str, float]) -> float:
        return signals[self.spec.of]

    def message(self) -> str:
        floor = f"in {share_text(self.floor)} of {self.noise_n} noise pairs" if self.noise_n else "no noise pairs yet"
        rate, limit = share_text(self.rate), share_text(self.spec.limit)
        return f"a difference in {self.spec.of} in {rate} of {self.n} pairs, {floor}; it may be {limit} more"


class ExactnessGate(PairGate):
    """The gate that limits how often the candidate's answer does not equal the baseline's exactly.

    With noise pairs, the limit applies to the excess over the rate at which the baseline's own two answers differ.
    """

    def event(self, labels: Mapping[str, str], signals: Mapping[str, float]) -> bool | None:
        if labels:
            return labels.get("expected") != labels.get("got")
        found = [signals[name] for name in _EXACT_SIGNALS if name in signals]
        return any(divergence > 0 for divergence in found) if found else None

    def message(self) -> str:
        exact, n = share_text(None if self.rate is None else 1 - self.rate), self.n
        text = f"{exact} of {n} answers equal the baseline's exactly, {share_text(self.spec.limit)} less is allowed"
        if not self.spec.increase:
            return text
        floor = "unknown" if self.floor is None else share_text(1 - self.floor)
        return f"{text} than the baseline's own {floor} ({self.noise_n} pairs)"


def pair_gate(spec: GateSpec) -> PairGate:
    return _PAIR_GATES[spec.kind](spec)


_PAIR_GATES: Mapping[GateKind, type[PairGate]] = {
    GateKind.FACT: FactGate,
    GateKind.EXACTNESS: ExactnessGate,
    GateKind.CLASS_RECALL: ClassGate,
    GateKind.CLASS_PRECISION: ClassGate,
}
