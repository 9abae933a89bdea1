"""The preference gate: it limits how far the evaluator's mean preference may be below 1/2.

The preference for a pair is 1 if the evaluator prefers the candidate's answer, 0 if it prefers the baseline's, and 1/2
otherwise. The gate tests by betting (see betting.py) whether the mean is at least 1/2 minus the margin. See ADR 0172.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from glidepath.pair_scores import Preference
from scorer.steering.evidence.formatting import share_text
from scorer.steering.evidence.gate_base import Handler
from scorer.steering.evidence.gate_observations import PreferenceGiven
from scorer.steering.evidence.gate_specs import GateSpec
from scorer.steering.evidence.mean_gate import MeanGate

_LEAST_ASKED = 20  # pairs that the evaluator was asked about, before its inconsistency is judged
_MOST_INCONSISTENT = 0.9  # a good evaluator chooses by position in fewer pairs, even if all answers are equally good


@dataclass(frozen=True, slots=True)
class PreferenceCounts:
    """The numbers of judged pairs by their preference. ``ties`` includes ``inconsistent`` and ``equal``.

    ``equal``: the pairs about which the evaluator was not asked, because both answers have the same text.
    ``forfeits``: how many answers lost because they address the evaluator, although it preferred them.
    """

    wins: int = 0
    ties: int = 0
    losses: int = 0
    inconsistent: int = 0
    forfeits: int = 0
    equal: int = 0

    @property
    def n(self) -> int:
        return self.wins + self.ties + self.losses

    @property
    def asked(self) -> int:
        return self.n - self.equal

    @property
    def chosen_by_position(self) -> bool:
        """Whether the evaluator chose by the order of the answers in nearly all pairs. Its ties then prove nothing."""
        return self.asked >= _LEAST_ASKED and self.inconsistent > _MOST_INCONSISTENT * self.asked

    def after(self, given: PreferenceGiven) -> PreferenceCounts:
        """Return the counts with one more pair. A score above 1/2 is a win, and a score below 1/2 a loss."""
        won, lost = given.score > 0.5, given.score < 0.5
        return PreferenceCounts(
            self.wins + won,
            self.ties + (not won and not lost),
            self.losses + lost,
            self.inconsistent + (given.verdict is Preference.INCONSISTENT),
            self.forfeits + (given.verdict is Preference.FORFEIT),
            self.equal + given.equal,
        )


class PreferenceGate(MeanGate):
    """The gate that requires that the mean preference is at least the limit, which is 1/2 minus the margin."""

    _counts: PreferenceCounts

    def __init__(self, spec: GateSpec) -> None:
        super().__init__(spec)
        self._counts = PreferenceCounts()

    def handlers(self) -> Mapping[type, Handler]:
        return {PreferenceGiven: self.fold_preference}

    def fold_preference(self, given: PreferenceGiven) -> None:
        self._counts = self._counts.after(given)
        self.weigh(given.pair, 1 - 2 * given.score)
        self.add(given.score)

    @property
    def within(self) -> bool:
        return super().within and not self._counts.chosen_by_position

    def recent_message(self, value: float, n: int) -> str:
        return f"preference {value:.3f} over the last {n} judged pairs; over the step: {self.message()}"

    def message(self) -> str:
        counts = self._counts
        forfeits = f"; {counts.forfeits} lost because the answer addresses its judge" if counts.forfeits else ""
        asked = counts.asked
        orders = f"; the two orders disagreed in {share_text(counts.inconsistent / asked)} of {asked}" if asked else ""
        orders += ", so its ties prove nothing" if counts.chosen_by_position else ""
        equal = f", {counts.equal} of them equal answers" if counts.equal else ""
        return (
            f"preference {self.value:.3f} over {counts.n} judged pairs, limit at least {self.spec.limit:.3f} "
            f"({counts.wins} won, {counts.losses} lost, {counts.ties} tied{equal}{orders}{forfeits})"
        )
