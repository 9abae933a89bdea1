"""The latency gate: it limits the ratio of both sides' latency quantiles (latency_ratio_test.py)."""

from __future__ import annotations

from collections.abc import Mapping

from scorer.steering.evidence.confidence import Interval
from scorer.steering.evidence.formatting import estimate_note, signal_text, why_unmeasured
from scorer.steering.evidence.gate_base import FailureCause, Gate, Handler
from scorer.steering.evidence.gate_observations import LookDue
from scorer.steering.evidence.gate_specs import GateSpec
from scorer.steering.evidence.latency_ratio_test import LEAST_GROWTH, LatencyTest, worse_quantiles
from scorer.steering.evidence.latency_samples import LatencySignal

_LEAST_WITHOUT = 50  # this many answers without a value show that the traffic has none


class LatencyGate(Gate):
    """The gate that limits the ratio of the candidate's latency quantile to the baseline's."""

    _test: LatencyTest

    def __init__(
        self, spec: GateSpec, q: float, signal: LatencySignal, share: float = 0.5, *, shown: bool = True
    ) -> None:
        """Start without data.

        ``share``: the candidate's expected share of the requests. ``shown``: whether people see the gate's interval.
        """
        super().__init__(spec)
        self._signal, self._alpha = signal, spec.alpha if shown else None
        signal.judged = True
        self._test = LatencyTest(q, spec.limit, share)

    def handlers(self) -> Mapping[type, Handler]:
        return {LookDue: self.look}

    def look(self, due: LookDue) -> None:
        """Compute the evidence again if there are enough new samples. ``due`` says how many are enough."""
        growth = 1.0 if due.everything else LEAST_GROWTH
        if self._signal.baseline.total and self._test.due(self._signal.candidate, growth):
            self._test.look(self._signal.candidate, self._signal.baseline, self._alpha)
            self.note(self._test.log_fail, self._log_pass())

    def _log_pass(self) -> float:
        """Return the evidence in favour of the candidate, ln of an e-value.

        If the weighted evidence is enough to pass, the evidence over all requests must be enough too. Otherwise, a slow
        candidate could pass: when it stops answering for a while and then continues, many slow requests end at once and
        are partly left out of the weighted evidence.
        """
        weighed, signal = self._test.log_pass, self._signal
        if weighed < self.spec.pass_at or self.proven or not signal.uneven:
            return weighed
        return min(weighed, self._test.unweighted_log_pass(signal.candidate, signal.baseline))

    @property
    def n(self) -> int:
        return self._signal.candidate.total

    @property
    def value(self) -> float | None:
        own, base = self._quantiles
        return own / base if own is not None and base else None

    @property
    def _quantiles(self) -> tuple[float | None, ...]:
        """Both sides' quantiles, as computed at the last look. Computing them at each call would take time."""
        if self._test.looked_at:
            return self._test.quantiles
        return worse_quantiles(self._signal.candidate, self._signal.baseline, self._test.q)

    @property
    def interval(self) -> Interval | None:
        return self._test.interval

    @property
    def has_nothing_to_measure(self) -> bool:
        signal, least = self._signal, max(self.spec.min_samples, _LEAST_WITHOUT)
        measured = signal.candidate.total or signal.warmed
        return self.spec.optional and not measured and signal.without >= least

    @property
    def why_no_data(self) -> str:
        if self._signal.warmed:
            return self._signal.warm_up_text
        return why_unmeasured(self.spec.signal, self._signal.without) if self._signal.without else ""

    def recent_cause(self) -> FailureCause | None:
        sides = self._test.since(self._signal.candidate, self._signal.baseline)
        own, base = (side.weighed_quantile(self._test.q) for side in sides)
        if own is None or not base:
            return None
        n = sides[0].total
        step = "" if self.value is None else f" ({self.value:.2f} × over all {self.n})"
        return FailureCause(own / base, n, f"{self._compared(own, base, f' over the last {n} requests')}{step}")

    def message(self) -> str:
        own, base = self._quantiles
        if own is None or not base:
            return f"{self.n} samples of the candidate, {self._signal.baseline.total} of the baseline"
        warm_up = f"; {text}" if (text := self._signal.warm_up_text) else ""
        return f"{self._compared(own, base, '')}{estimate_note(self._signal.estimated, self.n)}{warm_up}"

    def _compared(self, own: float, base: float, over: str) -> str:
        ratio = f"{own / base:.2f} × the baseline's {base:.3g} ms"
        return f"{signal_text(self.spec.name)} {own:.3g} ms{over} is {ratio}, limit {self.spec.limit:.2f}"
