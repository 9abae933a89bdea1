"""The sameness gates: they compare the mean agreement of cross pairs with a fixed limit, or with the noise floor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scorer.steering.evidence.gate_base import Handler
from scorer.steering.evidence.gate_observations import AgreementScored, NoiseScored, PairsMatched
from scorer.steering.evidence.gate_specs import GateSpec
from scorer.steering.evidence.mean_gate import DifferenceGate, MeanGate


def _clamped(score: float) -> float:
    return min(max(score, 0.0), 1.0)


class SamenessGate(MeanGate):
    """The gate that requires that the mean agreement of the cross pairs is at least the limit."""

    def handlers(self) -> Mapping[type, Handler]:
        return {AgreementScored: self.fold_scored}

    def fold_scored(self, scored: AgreementScored) -> None:
        self.weigh(scored.pair, 1 - scored.agreement)
        self.add(scored.agreement)

    def recent_message(self, value: float, n: int) -> str:
        limit = f"limit at least {self.spec.limit:.3f} ({self.value:.3f} over all {self.n})"
        return f"agreement {value:.3f} over the last {n} pairs, {limit}"

    def message(self) -> str:
        return f"agreement {self.value:.3f} over {self.n} pairs, limit at least {self.spec.limit:.3f}"


@dataclass(frozen=True, slots=True)
class SamenessMarginBlock:
    """The numbers of cross pairs and noise pairs in an open block, and the sums of their agreements."""

    crosses: int = 0
    cross_sum: float = 0.0
    noises: int = 0
    noise_sum: float = 0.0


class SamenessMarginGate(DifferenceGate):
    """The gate that limits how far the mean agreement of cross pairs may be below the noise floor.

    A sample is the agreement of noise pairs minus the agreement of cross pairs. Two matched pairs give one sample.
    Pairs without a sticky value are not matched but collected in blocks. A block ends as soon as it has a cross pair
    and a noise pair, and its sample is the difference of the mean agreements. So changes over time that affect both
    kinds of pair cancel.
    """

    _block: SamenessMarginBlock

    def __init__(self, spec: GateSpec) -> None:
        super().__init__(spec)
        self._block = SamenessMarginBlock()

    def handlers(self) -> Mapping[type, Handler]:
        return {
            AgreementScored: self.fold_agreement,
            NoiseScored: self.fold_noise,
            PairsMatched: self.fold_match,
        }

    def fold_agreement(self, scored: AgreementScored) -> None:
        self.weigh(scored.pair, 1 - scored.agreement)
        if scored.comparable:
            b, score = self._block, _clamped(scored.agreement)
            self._fold_block(SamenessMarginBlock(b.crosses + 1, b.cross_sum + score, b.noises, b.noise_sum))

    def fold_noise(self, scored: NoiseScored) -> None:
        b, score = self._block, _clamped(scored.agreement)
        self._fold_block(SamenessMarginBlock(b.crosses, b.cross_sum, b.noises + 1, b.noise_sum + score))

    def _fold_block(self, block: SamenessMarginBlock) -> None:
        self._block = block
        if block.crosses and block.noises:
            self.add_difference(block.noise_sum / block.noises - block.cross_sum / block.crosses)
            self._block = SamenessMarginBlock()

    def fold_match(self, matched: PairsMatched) -> None:
        self.add_difference(_clamped(matched.noise) - _clamped(matched.agreement))

    def recent_message(self, value: float, n: int) -> str:
        limit = f"limit {self.spec.limit:.3f} ({self.value:.3f} over all {self.n})"
        return f"agreement is {value:.3f} below the noise floor over the last {n} noise pairs, {limit}"

    def message(self) -> str:
        return (
            f"agreement is {self.value:.3f} below the noise floor ({self.n} noise pairs), limit {self.spec.limit:.3f}"
        )
