"""Turn scored pairs into observations for the gates: the agreement, the comparison, the defects, the time per token."""

from __future__ import annotations

from dataclasses import dataclass, replace

from glidepath.pair_scores import EQUAL, EXACT_CALL, ScoredPair
from glidepath.pairs import PairKind
from glidepath.sides import Origin
from scorer.steering.evidence.correctness_gate import true_class
from scorer.steering.evidence.defects_gate import answers_judged
from scorer.steering.evidence.gate_observations import (
    AgreementScored,
    CorrectnessGiven,
    NoiseScored,
    PairCompared,
    PairsMatched,
    PreferenceGiven,
)
from scorer.steering.evidence.gate_set import GateSet
from scorer.steering.evidence.noise_pair_matching import NoisePair, PairMatcher
from scorer.steering.evidence.paired_copies import CopyMatcher, copy_ended
from scorer.steering.evidence.state_codec import Stored
from scorer.steering.evidence.time_per_token import time_per_token
from scorer.steering.evidence.user_discount import UserDiscount
from scorer.steering.evidence.weighed_pairs import pair_ref


@dataclass(frozen=True, slots=True)
class ScoreSums:
    """The numbers of scored cross pairs and noise pairs, and the sums of their agreements.

    ``with_calls``: the number of cross pairs with tool calls. ``exact_calls``: of those, the pairs with equal calls.
    The sums also include the pairs that the user discount (user_discount.py) leaves out of the gates.
    """

    crosses: int = 0
    cross_sum: float = 0.0
    noises: int = 0
    noise_sum: float = 0.0
    with_calls: int = 0
    exact_calls: int = 0

    def with_cross(self, agreement: float, exact_call: float | None = None) -> ScoreSums:
        """Add a cross pair. ``exact_call``: 1 if its tool calls are equal, 0 if not, None if it has none."""
        return replace(
            self,
            crosses=self.crosses + 1,
            cross_sum=self.cross_sum + agreement,
            with_calls=self.with_calls + (exact_call is not None),
            exact_calls=self.exact_calls + (exact_call == 1),
        )

    def with_noise(self, agreement: float) -> ScoreSums:
        return replace(self, noises=self.noises + 1, noise_sum=self.noise_sum + agreement)

    @property
    def agreement(self) -> float | None:
        """The mean agreement of all cross pairs; None if there are none."""
        return self.cross_sum / self.crosses if self.crosses else None

    @property
    def noise(self) -> float | None:
        """The mean agreement of all noise pairs; None if there are none."""
        return self.noise_sum / self.noises if self.noises else None


class ScoredPairs(Stored):
    """Passes scored pairs to the gates. The user discount and the matching of noise pairs decide which pairs count."""

    scores: ScoreSums
    _discount: UserDiscount
    _matcher: PairMatcher
    _copies: CopyMatcher
    _copies_discount: UserDiscount

    def __init__(self, gates: GateSet, *, match: bool) -> None:
        """Start without pairs. ``match``: whether there are noise pairs to match with cross pairs of the same user."""
        self._gates, self._match = gates, match
        self._discount, self._matcher = UserDiscount(), PairMatcher()
        self._copies, self._copies_discount = CopyMatcher(), UserDiscount()
        self.scores = ScoreSums()

    def add(self, scored: ScoredPair) -> bool:
        """Add a pair, and return whether any part of it was used.

        If the pair could not be scored, only the defects of its answers and the results of both copies are used.
        """
        copies = self._copies.add(scored)
        if copies is not None and self._copies_discount.admits(scored.sticky):
            self._gates.observe(copies)
        cross = scored.kind is PairKind.CROSS
        counts = cross and self._discount.admits(scored.sticky)
        judged = answers_judged(scored) if counts else None
        ended = copy_ended(scored) if counts else None
        if ended is not None:
            self._gates.observe(ended)
        if judged is not None:
            self._gates.observe(judged)
        if scored.scored and cross:
            self._add_cross(scored, counts)
        elif scored.scored:
            self._add_noise(scored)
        return scored.scored or judged is not None or copies is not None or ended is not None

    def _add_noise(self, scored: ScoredPair) -> None:
        self.scores = self.scores.with_noise(scored.agreement)
        if scored.sticky:
            noise = NoisePair(scored.agreement, self._gates.events(scored.labels, scored.signals))
            self._observe_match(self._matcher.add_noise(scored.sticky, scored.captured_at_ms, noise))
        else:
            self._gates.observe(NoiseScored(scored.agreement))
            self._gates.observe(PairCompared(scored.labels, scored.signals, noise=True))

    def _add_cross(self, scored: ScoredPair, counts: bool) -> None:
        self.scores = self.scores.with_cross(scored.agreement, scored.signals.get(EXACT_CALL))
        comparable, pair = _is_comparable(scored), pair_ref(scored)
        if counts:
            unmatched = comparable and not scored.sticky
            self._gates.observe(AgreementScored(scored.agreement, comparable=unmatched, pair=pair))
            self._gates.observe(PairCompared(scored.labels, scored.signals, comparable=comparable, pair=pair))
            self._observe_time_per_token(scored)
            if scored.preference is not None:
                equal = scored.unjudged == EQUAL
                self._gates.observe(PreferenceGiven(scored.preference.score, scored.preference, pair, equal))
            if (found := scored.correctness) is not None:
                self._gates.observe(CorrectnessGiven(found, true_class(found, scored.labels), pair))
        if comparable and scored.sticky and self._match:
            at_ms = scored.captured_at_ms
            self._observe_match(self._matcher.add_cross(scored.sticky, at_ms, scored.agreement, counts=counts))

    def _observe_match(self, match: PairsMatched | None) -> None:
        if match is not None:
            self._gates.observe(match)

    def _observe_time_per_token(self, scored: ScoredPair) -> None:
        if "per_token" in self._gates.signals:
            for seen in time_per_token(scored.candidate, scored.baseline):
                self._gates.observe(seen)


def _is_comparable(scored: ScoredPair) -> bool:
    """Return whether this cross pair may be compared with noise pairs.

    Noise pairs are made from client requests that the baseline served. So a cross pair is not comparable if a sticky
    split assigned its user to the candidate, or if the pair comes from a probe.
    """
    origin = scored.baseline.origin
    return origin is Origin.LIVE or (origin is Origin.SHADOW and not scored.sticky)
