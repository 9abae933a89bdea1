"""The latencies of both sides over a step, for one signal: total time, time to first token, or time per token."""

from __future__ import annotations

from scorer.steering.evidence.balanced_sampling import SideBalance
from scorer.steering.evidence.dense_histogram import DenseHistogram
from scorer.steering.evidence.gate_observations import LatencyHistograms, LatencyUnmeasured
from scorer.steering.evidence.state_codec import Stored

AFTER_IDLE_MS = 600_000  # the longest warm-up after an idle time of the candidate


class LatencySignal(Stored):
    """Both sides' histograms of one latency signal, weighted so that common drift cancels (balanced_sampling.py).

    - ``without``, ``estimated``: see ``LatencyUnmeasured``
    - ``warmed``: the number of the candidate's answers that the warm-ups have left out
    - ``idles``: the number of warm-ups after an idle time of the candidate
    - ``_cold_answers``: how many further answers of the candidate the present warm-up leaves out
    - ``_cold_until_ms``: when the present warm-up ends even if it has left out fewer answers; 0: no such time
    - ``_cold_candidate``, ``_cold_baseline``: the values that the warm-up has left out; empty once the candidate has
      other values
    """

    candidate: DenseHistogram
    baseline: DenseHistogram
    balance: SideBalance
    without: int
    estimated: int
    warmed: int
    idles: int
    _cold_answers: int
    _cold_until_ms: int
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
        self._warm_up, self._cold_answers, self._cold_until_ms = warm_up, warm_up, 0
        self.warmed = self.idles = 0
        self._cold_candidate, self._cold_baseline = DenseHistogram(), DenseHistogram()

    def add(self, values: LatencyHistograms) -> None:
        candidate, baseline = values.candidate, values.baseline
        if 0 < self._cold_until_ms <= values.at_ms:
            self._cold_answers = self._cold_until_ms = 0
        if self.warming:
            self.warmed += candidate.total
            self._cold_answers -= candidate.total
            self._cold_candidate.add(candidate)
            self._cold_baseline.add(baseline)
            return
        left_candidate, left_baseline = (
            self._leave_out(candidate.total, baseline.total, values.at_ms) if self.judged else (0, 0)
        )
        self.candidate.add(candidate, left_candidate)
        self.baseline.add(baseline, left_baseline)
        self._forget_cold()

    def cool(self, at_ms: int) -> None:
        """Begin a warm-up at ``at_ms``, because the candidate has been idle.

        The warm-up leaves out the answers of at most AFTER_IDLE_MS. It begins only if more answers have counted than
        earlier warm-ups have left out. Otherwise, a candidate that is idle before each request would never be judged.
        """
        if not self.judged or self.warming or self.candidate.total <= self.warmed:
            return
        self._cold_answers, self._cold_until_ms = self._warm_up, at_ms + AFTER_IDLE_MS
        self.idles += 1

    def _forget_cold(self) -> None:
        if self.candidate.total and self._cold_candidate.total:
            self._cold_candidate, self._cold_baseline = DenseHistogram(), DenseHistogram()

    @property
    def warm_up(self) -> int:
        """The number of the candidate's answers that the warm-ups so far may leave out."""
        return self._warm_up * (1 + self.idles) if self.judged else 0

    @property
    def warming(self) -> bool:
        """Whether new values are left out at present, because the candidate may not be warm yet."""
        return self.judged and self._cold_answers > 0

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
        if self.idles:
            return f"the first answers of the step and after idle times are left out as a warm-up ({self.warmed})"
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
