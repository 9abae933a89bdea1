"""Test how much more often one of two paired events occurs: the candidate's failure, or the baseline's.

The sample of a pair is D = 1 if only the candidate's answer failed, -1 if only the baseline's did, and 0 otherwise. So
a failure that both sides share, as in an outage of both, moves nothing. The null of the test that fails the candidate
is E[D] ≤ δ for each pair, given the pairs before it; that of the test in its favour is E[D] ≥ δ. A bet of λ pays
1 + λ (D - δ) or 1 + λ (δ - D) for each pair, whose expectation under the null is at most 1, so its product is an
e-process. Each test is a mixture of fixed bets. Source: Waudby-Smith & Ramdas, "Estimating means of bounded random
variables by betting" (2023). See ADR 0260.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scorer.steering.evidence.mixture import Mixture, MixtureState, RestartingMixture, RestartingState

# The parts of the largest bet that is staked, and their weights. In favour, large bets have most of the weight: where
# failures are rare, most pairs have D = 0, of which only a large bet gains much.
_AGAINST = ((0.1, 0.25), (0.3, 0.25), (0.6, 0.25), (0.9, 0.25))
_IN_FAVOUR = ((0.1, 0.1), (0.3, 0.15), (0.6, 0.25), (0.95, 0.5))


@dataclass(frozen=True, slots=True)
class PairedIncreaseState:
    """The state of a ``PairedIncreaseTest``.

    ``both``, ``candidate_only``, ``baseline_only``, ``neither``: the numbers of pairs by which answers failed.
    """

    candidate_only: int
    baseline_only: int
    both: int
    neither: int
    against: RestartingState
    in_favour: MixtureState


class PairedIncreaseTest:
    """Test by how much more often the candidate's answer fails than the baseline's, on the same requests.

    The class is mutable, as the mixtures are. Its stored form is ``state``.
    """

    def __init__(self, limit: float) -> None:
        """Start without pairs. ``limit``: the limit δ of the difference of both rates, with 0 < δ < 1."""
        self.candidate_only = self.baseline_only = self.both = self.neither = 0
        self._against = RestartingMixture([weight for _, weight in _AGAINST])
        self._in_favour = Mixture([weight for _, weight in _IN_FAVOUR])
        self._gains_against = {d: [math.log1p(part * (d - limit) / (1 + limit)) for part, _ in _AGAINST] for d in _D}
        self._gains_favour = {d: [math.log1p(part * (limit - d) / (1 - limit)) for part, _ in _IN_FAVOUR] for d in _D}

    def add(self, *, candidate: bool, baseline: bool) -> None:
        """Add a pair. ``candidate``, ``baseline``: whether the side's answer failed."""
        d = candidate - baseline
        self.candidate_only += d == 1
        self.baseline_only += d == -1
        self.both += candidate and baseline
        self.neither += not candidate and not baseline
        self._against.update(self._gains_against[d])
        self._in_favour.update(self._gains_favour[d])

    @property
    def log_fail(self) -> float:
        """ln of the e-value against the candidate."""
        return self._against.log_e

    @property
    def log_pass(self) -> float:
        """ln of the e-value in favour of the candidate."""
        return self._in_favour.log_e

    @property
    def n(self) -> int:
        return self.candidate_only + self.baseline_only + self.both + self.neither

    @property
    def difference(self) -> float | None:
        """The candidate's rate of failures minus the baseline's; None without pairs."""
        return (self.candidate_only - self.baseline_only) / self.n if self.n else None

    @property
    def state(self) -> PairedIncreaseState:
        return PairedIncreaseState(
            self.candidate_only, self.baseline_only, self.both, self.neither, self._against.state, self._in_favour.state
        )

    def restore(self, state: PairedIncreaseState) -> None:
        """Continue from ``state``. Raises ValueError if ``state`` has another number of bets."""
        self.candidate_only, self.baseline_only = state.candidate_only, state.baseline_only
        self.both, self.neither = state.both, state.neither
        self._against.restore(state.against)
        self._in_favour.restore(state.in_favour)


@dataclass(frozen=True, slots=True)
class RateBelowState:
    """The state of a ``RateBelowTest``: the numbers of all events and of the failures, and its evidence."""

    n: int
    failed: int
    in_favour: MixtureState


class RateBelowTest:
    """Gather evidence that a rate of failures is below a limit, with the bets of ``PairedIncreaseTest``."""

    def __init__(self, limit: float) -> None:
        self.n = self.failed = 0
        self._in_favour = Mixture([weight for _, weight in _IN_FAVOUR])
        self._gains = [[math.log1p(part * (limit - d) / (1 - limit)) for part, _ in _IN_FAVOUR] for d in (0, 1)]

    def add(self, *, failed: bool) -> None:
        self.n += 1
        self.failed += failed
        self._in_favour.update(self._gains[failed])

    @property
    def log_pass(self) -> float:
        """ln of the e-value for a rate below the limit."""
        return self._in_favour.log_e

    @property
    def state(self) -> RateBelowState:
        return RateBelowState(self.n, self.failed, self._in_favour.state)

    def restore(self, state: RateBelowState) -> None:
        self.n, self.failed = state.n, state.failed
        self._in_favour.restore(state.in_favour)


_D = (-1, 0, 1)
