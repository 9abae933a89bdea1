"""A gate's evidence from the copies of one request at both sides: the tests of paired_*_test.py with their messages.

``PairedLatency`` and ``PairedErrors`` have the same attributes, which ``paired_gate.PairedGate`` uses.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from scorer.steering.evidence.confidence import Interval, difference_interval, rate_interval
from scorer.steering.evidence.dense_histogram import slot_of
from scorer.steering.evidence.formatting import share_text, signal_text
from scorer.steering.evidence.gate_observations import CopiesCompared, CopyEnded
from scorer.steering.evidence.gate_specs import GateSpec
from scorer.steering.evidence.latency_samples import LatencySignal
from scorer.steering.evidence.mixture import LN2, log_add
from scorer.steering.evidence.paired_increase_test import (
    PairedIncreaseTest,
    RateBelowTest,
)
from scorer.steering.evidence.paired_quantile_test import PairedQuantileTest
from scorer.steering.evidence.state_codec import Stored


class PairedLatency(Stored):
    """The evidence of a latency gate on pairs.

    The baseline's latency is the slower of two: the measured latency of its copies, and the latency computed as if
    their first token had come as late as the clients' (paired_copies.py). So the candidate fails only if it is too slow
    compared with both. It may pass if it is fast enough compared with one of them. The smaller of two e-values is an
    e-value if either null is true. The mean of two e-values is an e-value if both nulls are true.

    The warm-up leaves out pairs while it leaves out live answers of the candidate, but at most as many pairs as
    answers: a candidate that has answered that many copies is warm.

    ``_as_first``: the test with the computed latency; None while it equals ``test``, because no first token is known
    yet. ``_left_out``: the number of pairs that the warm-up has left out.
    """

    test: PairedQuantileTest
    _as_first: PairedQuantileTest | None
    _left_out: int

    def __init__(self, spec: GateSpec, q: float, signal: LatencySignal) -> None:
        self._spec, self._signal = spec, signal
        self._new_test = partial(PairedQuantileTest, q, spec.limit)
        self.test = self._new_test()
        self._as_first, self._left_out = None, 0

    @property
    def log_fail(self) -> float:
        return self.test.log_fail if self._as_first is None else min(self.test.log_fail, self._as_first.log_fail)

    @property
    def log_pass(self) -> float:
        if self._as_first is None:
            return self.test.log_pass
        return log_add(self.test.log_pass, self._as_first.log_pass) - LN2

    @property
    def compared(self) -> int:
        return self.test.n

    @property
    def n(self) -> int:
        return self.test.n

    @property
    def value(self) -> float | None:
        return self._slower.ratio

    @property
    def _slower(self) -> PairedQuantileTest:
        """The test that uses the slower of the baseline's two latencies."""
        copies, first = self.test, self._as_first
        if first is None or copies.ratio is None or first.ratio is None:
            return copies
        return first if first.ratio < copies.ratio else copies

    def interval(self, alpha: float) -> Interval | None:
        """Return None: an interval from each side alone would ignore that both sides answered the same requests."""
        return None

    def add(self, copies: CopiesCompared) -> bool:
        own, base = (copy.ms.get(self._spec.signal) for copy in (copies.candidate, copies.baseline))
        if own is None or base is None:
            return False
        if self._signal.warming and self._left_out < self._signal.warm_up:
            self._left_out += 1
            return False
        first = copies.as_first.get(self._spec.signal)
        if first is not None and self._as_first is None:
            self._as_first = self._new_test()
            self._as_first.restore(self.test.state)
        for test, ms in ((self.test, base), (self._as_first, base if first is None else first)):
            if test is not None:
                longer = {"candidate_longer": copies.candidate.gave_up, "baseline_longer": copies.baseline.gave_up}
                test.add(slot_of(own), slot_of(ms), **longer)
        return True

    def look(self, *, everything: bool) -> None:
        for test in (self.test, self._as_first):
            if test is not None:
                test.look(everything=everything)

    def weight(self, copies: CopiesCompared) -> float:
        own, base = (copy.ms.get(self._spec.signal, 0.0) for copy in (copies.candidate, copies.baseline))
        base = max(base, copies.as_first.get(self._spec.signal, 0.0))
        excess = own / base / self._spec.limit if base else 0.0
        return 1 - 1 / excess if excess > 1 else 0.0

    def message(self) -> str:
        own, base = self._slower.quantiles()
        pairs = f"of both sides' copies of {self.n} requests"
        if self._slower is self._as_first:
            pairs += ", with the baseline's first token as late as its clients got it"
        if base is None:
            return f"{signal_text(self._spec.name)} {pairs}: the baseline's is longer than the time limit of a copy"
        ratio = self.value
        candidate = "longer than the time limit of a copy" if own is None else f"{own:.3g} ms"
        times = "" if ratio is None or math.isinf(ratio) else f" is {ratio:.2f} × the baseline's {base:.3g} ms"
        return f"{signal_text(self._spec.name)} {candidate}{times}, {pairs}, limit {self._spec.limit:.2f}"

    def restore(self, raw: Any) -> None:
        self._as_first = self._new_test()
        super().restore(raw)


class PairedErrors(Stored):
    """The evidence of the errors gate on pairs.

    - ``test``: compares the two copies of a request, if each side got one
    - ``single``: evidence in the candidate's favour only, from all requests that the baseline answered to the client.
      Most of these have a copy at the candidate only, so there are far more of them. The evidence is cautious: a
      failure that would also hit a copy at the baseline counts against the candidate
    """

    test: PairedIncreaseTest
    single: RateBelowTest

    def __init__(self, spec: GateSpec) -> None:
        limit = min(max(spec.limit, 1e-6), 0.98)
        self._spec = spec
        self.test, self.single = PairedIncreaseTest(limit), RateBelowTest(limit)

    @property
    def log_fail(self) -> float:
        return self.test.log_fail

    @property
    def log_pass(self) -> float:
        """ln of the mean of both e-values in favour of the candidate, which is an e-value too."""
        return log_add(self.test.log_pass, self.single.log_pass) - LN2

    @property
    def compared(self) -> int:
        return self.test.n

    @property
    def _shows_single(self) -> bool:
        """Whether to show the numbers of ``single`` instead of those of ``test``.

        True if the evidence of ``single`` in favour of the candidate is stronger than any evidence of ``test``.
        """
        return self.single.log_pass > max(self.test.log_pass, self.test.log_fail)

    @property
    def n(self) -> int:
        return self.single.n if self._shows_single else self.test.n

    @property
    def value(self) -> float | None:
        return self.single.failed / self.single.n if self._shows_single else self.test.difference

    def interval(self, alpha: float) -> Interval | None:
        """Return the confidence sequence of ``value``; None without pairs.

        For ``test``, it follows from the rates of the pairs in which only one side's answer failed.
        """
        if self._shows_single:
            return rate_interval(self.single.failed, self.single.n, alpha)
        test = self.test
        return difference_interval((test.candidate_only, test.n), (test.baseline_only, test.n), alpha)

    def add(self, copies: CopiesCompared) -> bool:
        if any(copy.gave_up and not copy.failed for copy in (copies.candidate, copies.baseline)):
            return False  # whether the answer would have failed is unknown
        self.test.update(candidate=copies.candidate.failed, baseline=copies.baseline.failed)
        return True

    def add_single(self, ended: CopyEnded) -> None:
        self.single.add(failed=ended.failed)

    def look(self, *, everything: bool) -> None:
        """Do nothing: the evidence is always current."""

    def weight(self, copies: CopiesCompared) -> float:
        return float(copies.candidate.failed and not copies.baseline.failed)

    def message(self) -> str:
        test, single, limit = self.test, self.single, share_text(self._spec.limit)
        if self._shows_single:
            return (
                f"the candidate's copy failed in {single.failed} of {single.n} requests that the baseline answered; "
                f"{limit} are allowed"
            )
        return (
            f"only the candidate's copy failed in {test.candidate_only} of {test.n} requests, only the baseline's in "
            f"{test.baseline_only}; {limit} more are allowed"
        )
