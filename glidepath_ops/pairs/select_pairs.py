"""Selects results by the conditions of a person's search, and sorts them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from glidepath.pair_labels import Judgement, PairLabel
from glidepath.pair_scores import AnswerFacts, Preference, ScoredPair
from glidepath.pairs import PairKind
from glidepath.sides import Side

_LOST = frozenset({Preference.LOSS, Preference.FORFEIT})


@dataclass(frozen=True, slots=True)
class PairFilter:
    """The conditions that a pair must meet to be selected. An empty field and None mean no condition.

    - ``flags``, ``faults``, ``reasons``: the pair has at least one of these flags, of these faults of an answer, or of
      these reasons for no score
    - ``side``: the side at fault: its answer has a fault, has no success status, or prevents a score
    - ``status``: the status of an answer, or of the ``side``'s answer. 500 means only 500; ``5xx`` means 500 to 599
    - ``since_ms``, ``until_ms``: when the pair was captured, in Unix milliseconds
    - ``request_id``, ``sticky``: the id of the request, the digest of the sticky value
    - ``label``, ``labelled``: a person's judgement; whether there is one
    """

    flags: frozenset[str] = frozenset()
    faults: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()
    side: Side | None = None
    status: str = ""
    since_ms: int | None = None
    until_ms: int | None = None
    request_id: str = ""
    sticky: frozenset[str] = frozenset()
    label: Judgement | None = None
    labelled: bool | None = None
    kind: PairKind | None = PairKind.CROSS

    def selects(self, pair: ScoredPair, labels: Mapping[str, PairLabel]) -> bool:
        """Return whether the pair meets all conditions. ``labels``: pair id → label."""
        return self._in_time(pair) and self._has_label(labels.get(pair.pair_id)) and self._has_content(pair)

    def _in_time(self, pair: ScoredPair) -> bool:
        after = self.since_ms is None or pair.captured_at_ms >= self.since_ms
        return after and (self.until_ms is None or pair.captured_at_ms < self.until_ms)

    def _has_label(self, label: PairLabel | None) -> bool:
        known = self.labelled is None or self.labelled == (label is not None)
        return known and (self.label is None or (label is not None and label.label is self.label))

    def _has_content(self, pair: ScoredPair) -> bool:
        sides = (self.side,) if self.side else tuple(Side)
        return (
            (self.kind is None or pair.kind is self.kind)
            and (not self.request_id or request_id(pair.pair_id) == self.request_id)
            and (not self.sticky or pair.sticky in self.sticky)
            and (not self.flags or not self.flags.isdisjoint(pair.flags))
            and (not self.faults or any(not self.faults.isdisjoint(facts_of(pair, s).faults) for s in sides))
            and (not self.reasons or pair.unscored_reason in self.reasons)
            and (not self.status or any(_has_status(facts_of(pair, s), self.status) for s in sides))
            and (self.side is None or bool(self.status) or is_at_fault(pair, self.side))
        )


def request_id(pair_id: str) -> str:
    """Return the id of the request to which a pair belongs. (A noise pair has this id with a suffix.)"""
    return pair_id.removesuffix("~noise")


def facts_of(pair: ScoredPair, side: Side) -> AnswerFacts:
    return pair.baseline if side is Side.BASELINE else pair.candidate


def _has_status(facts: AnswerFacts, wanted: str) -> bool:
    if wanted.endswith("xx"):
        return facts.status // 100 == int(wanted[0])
    return facts.status == int(wanted)


def is_at_fault(pair: ScoredPair, side: Side) -> bool:
    """Return whether the side's answer has a fault, has no success status, or prevents a score."""
    facts = facts_of(pair, side)
    return bool(facts.faults) or not 200 <= facts.status < 300 or pair.unscored_reason.startswith(f"{side.value}_")


def badness(pair: ScoredPair) -> tuple[int, float]:
    """Return a sort key for how bad the candidate's answer is. A worse pair has a larger key.

    The worst are pairs in which only the candidate's answer is at fault. Then come pairs in which it lost the
    evaluator's comparison, or according to the verifier is less correct than the baseline's. Then come all others.
    Within each group, a lower agreement is worse. A pair without a score is the worst of the first group, and the best
    of the other two.
    """
    only_candidate = is_at_fault(pair, Side.CANDIDATE) and not is_at_fault(pair, Side.BASELINE)
    right = pair.correctness
    less_right = right is not None and right.candidate < right.baseline
    grade = 2 if only_candidate else 1 if pair.preference in _LOST or less_right else 0
    return grade, 1 - pair.agreement if pair.scored else float(only_candidate)


def worst_first(pairs: Iterable[ScoredPair]) -> list[ScoredPair]:
    """Return the pairs, the worst first. If pairs are equally bad, the newest comes first."""
    return sorted(pairs, key=lambda pair: (badness(pair), pair.captured_at_ms), reverse=True)


def newest_first(pairs: Iterable[ScoredPair]) -> list[ScoredPair]:
    return sorted(pairs, key=lambda pair: pair.captured_at_ms, reverse=True)
