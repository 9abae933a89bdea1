"""The latencies of both sides over a step, for one signal: total time, time to first token, or time per token."""

from __future__ import annotations

from scorer.steering.evidence.balanced_sampling import SideBalance
from scorer.steering.evidence.dense_histogram import DenseHistogram
from scorer.steering.evidence.gate_observations import LatencyHistograms, LatencyUnmeasured
from scorer.steering.evidence.state_codec import Stored


class LatencySignal(Stored):
    """Both sides' histograms of one latency signal, with weights by which common drift cancels (balanced_sampling.py).

    - ``without``, ``estimated``: see ``LatencyUnmeasured``
    - ``warmed``: the number of the candidate's answers that the warm-up has left out
    - ``_cold_candidate``, ``_cold_baseline``: the values that the warm-up has left out; empty once the candidate has
      others
    """

    candidate: DenseHistogram
    baseline: DenseHistogram
    balance: SideBalance
    without: int
    estimated: int
    warmed: int
    _cold_candidate: DenseHistogram
    _cold_baseline: DenseHistogram

    def __init__(self, *, judged: bool = False, warm_up: int = 0) -> None:
        """Start without data.

        - ``judged``: whether a gate uses the signal. If not, the signal is only shown, and no weights are computed.
        - ``warm_up``: the values of both sides are left out until the candidate has this many values, if the signal is
          judged. The last flush of the warm-up is left out as a whole (ADR 0272).
        """
        self.candidate, self.baseline, self.balance = DenseHistogram(), DenseHistogram(), SideBalance()
        self.judged = judged
        self.without = self.estimated = 0
        self._warm_up, self.warmed = warm_up, 0
        self._cold_candidate, self._cold_baseline = DenseHistogram(), DenseHistogram()

    def add(self, values: LatencyHistograms) -> None:
        candidate, baseline = values.candidate, values.baseline
        if self.warming:
            self.warmed += candidate.total
            self._cold_candidate.add(candidate)
            self._cold_baseline.add(baseline)
            return
        left_candidate, left_baseline = (
            self._leave_out(candidate.total, baseline.total, values.at_ms) if self.judged else (0, 0)
        )
        self.candidate.add(candidate, left_candidate)
        self.baseline.add(baseline, left_baseline)
        self._forget_cold()

    def _forget_cold(self) -> None:
        if self.candidate.total and self._cold_candidate.total:
            self._cold_candidate, self._cold_baseline = DenseHistogram(), DenseHistogram()

    @property
    def warm_up(self) -> int:
        """How many of the candidate's first answers are left out."""
        return self._warm_up if self.judged else 0

    @property
    def warming(self) -> bool:
        """Whether new values are left out at present, because the candidate may not be warm yet."""
        return self.judged and self.warmed < self._warm_up

    @property
    def shown(self) -> tuple[DenseHistogram, DenseHistogram]:
        """The values to show, of the candidate and of the baseline.

        They are the values of the warm-up until the candidate has other values.
        """
        if self.warmed and not self.candidate.total:
            return self._cold_candidate, self._cold_baseline
        return self.candidate, self.baseline

    @property
    def warm_up_text(self) -> str:
        """A text for people about the answers that the warm-up leaves out; "" if there are none."""
        if self.warming:
            return f"the first {self._warm_up} answers of the step are left out as a warm-up ({self.warmed} so far)"
        return f"the first {self.warmed} answers of the step are left out as a warm-up" if self.warmed else ""

    def add_unmeasured(self, seen: LatencyUnmeasured) -> None:
        self.without += seen.without
        self.estimated += 0 if self.warming else seen.estimated

    def _leave_out(self, candidate: int, baseline: int, at_ms: int) -> tuple[int, int]:
        parts = self.balance.leave_out(candidate, baseline, at_ms)
        returns = self.balance.returns
        for side, part in ((self.candidate, returns.candidate), (self.baseline, returns.baseline)):
            if returns.windows_ended:
                side.end_windows(returns.windows_ended)
            if part:
                side.take_back(part)
        return parts

    @property
    def uneven(self) -> bool:
        """Whether any value of the candidate or of the baseline is left out of the evidence."""
        return self.candidate.uneven or self.baseline.uneven
