"""The latencies of both sides over a step, for one signal: total time, time to first token, or time per token."""

from __future__ import annotations

from dataclasses import dataclass

from scorer.steering.evidence.balanced_sampling import BalanceState, SideBalance
from scorer.steering.evidence.dense_histogram import CountedHistogram, DenseHistogram, HistogramState
from scorer.steering.evidence.gate_observations import LatencyHistograms, LatencyMeasured, LatencyUnmeasured


@dataclass(frozen=True, slots=True)
class LatencySignalState:
    """The state of a ``LatencySignal``. For ``without`` and ``estimated``, see ``LatencyUnmeasured``."""

    candidate: HistogramState
    baseline: HistogramState
    balance: BalanceState
    without: int
    estimated: int


class LatencySignal:
    """Both sides' histograms of one latency signal, with weights by which common drift cancels (balanced_sampling.py).

    The class is mutable, because every flush adds to it. Its stored form is ``state``.
    """

    def __init__(self, *, judged: bool = False) -> None:
        """Start without data.

        ``judged``: whether a gate uses the signal. If not, the signal is only shown, and no weights are computed.
        """
        self.candidate, self.baseline, self.balance = DenseHistogram(), DenseHistogram(), SideBalance()
        self.judged = judged
        self.without = self.estimated = 0

    def add(self, values: LatencyHistograms) -> None:
        candidate, baseline = CountedHistogram.of(values.candidate), CountedHistogram.of(values.baseline)
        left_candidate, left_baseline = self._leave_out(candidate.total, baseline.total) if self.judged else (0, 0)
        self.candidate.add(candidate, left_candidate)
        self.baseline.add(baseline, left_baseline)

    def add_value(self, value: LatencyMeasured) -> None:
        own = value.candidate
        left_candidate, left_baseline = self._leave_out(int(own), int(not own)) if self.judged else (0, 0)
        if own:
            self.candidate.add_value(value.ms, left_candidate)
        else:
            self.baseline.add_value(value.ms, left_baseline)

    def add_unmeasured(self, seen: LatencyUnmeasured) -> None:
        self.without += seen.without
        self.estimated += seen.estimated

    def _leave_out(self, candidate: int, baseline: int) -> tuple[int, int]:
        parts = self.balance.leave_out(candidate, baseline)
        returns = self.balance.returns
        self.candidate.take_back(returns.kept, returns.candidate)
        self.baseline.take_back(returns.kept, returns.baseline)
        return parts

    @property
    def uneven(self) -> bool:
        """Whether any value of the candidate or of the baseline is left out of the evidence."""
        return self.candidate.uneven or self.baseline.uneven

    @property
    def state(self) -> LatencySignalState:
        return LatencySignalState(
            self.candidate.state, self.baseline.state, self.balance.state, self.without, self.estimated
        )

    def restore(self, state: LatencySignalState) -> None:
        self.candidate.restore(state.candidate)
        self.baseline.restore(state.baseline)
        self.balance.restore(state.balance)
        self.without, self.estimated = state.without, state.estimated
