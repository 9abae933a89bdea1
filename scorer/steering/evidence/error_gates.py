"""The gates on the candidate's error rate: one against a fixed limit, one against the baseline's error rate.

See ADR 0042.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scorer.steering.evidence.burst_tests import CLUSTER, BurstTests, come_in_bursts
from scorer.steering.evidence.changepoint import NO_BAD_PERIOD, BadPeriod
from scorer.steering.evidence.confidence import Interval, difference_interval, rate_interval
from scorer.steering.evidence.error_rate_tests import Against, IncreaseTest, RateTest
from scorer.steering.evidence.formatting import share_text
from scorer.steering.evidence.gate_base import FailureCause, Gate, Handler, StepRequests
from scorer.steering.evidence.gate_observations import BlockClosed, RequestCounts, RequestsEnded
from scorer.steering.evidence.gate_specs import GateSpec


class RequestGate(Gate):
    """Base class of the gates that count the requests and errors of a step."""

    def __init__(self, spec: GateSpec, step: StepRequests) -> None:
        super().__init__(spec)
        self._step = step

    @property
    def counts(self) -> RequestCounts:
        """The counts of both sides' requests and errors in the step so far, without those left out as bursts."""
        return self._step.total

    @property
    def n(self) -> int:
        return self._step.total.c_n


class ErrorGate(RequestGate):
    """Base class of the gates on error rates, in which errors of bursts count too (burst_tests.py)."""

    _test: BurstTests[Any]
    _since: BadPeriod
    _in_bursts: bool

    def __init__(self, spec: GateSpec, step: StepRequests, test: BurstTests[Any]) -> None:
        super().__init__(spec, step)
        self._test, self._since, self._in_bursts = test, NO_BAD_PERIOD, False

    def _judge(self) -> None:
        """Record the evidence.

        When errors begin or cease to come in bursts, the peak of the evidence for passing is forgotten.
        """
        left_out, everything = self._step.in_bursts, self._step.everything
        in_bursts = come_in_bursts(left_out.c_errors + left_out.b_errors, everything.c_errors + everything.b_errors)
        if in_bursts is not self._in_bursts:
            self._in_bursts, self.pass_peak = in_bursts, 0.0
        self.note(self._test.log_fail, self._test.log_pass(in_bursts=in_bursts))

    @property
    def counts(self) -> RequestCounts:
        """The counts of both sides' requests and errors in the step so far."""
        return self._step.everything

    @property
    def n(self) -> int:
        return self._step.total.c_n + self._step.in_bursts.c_n

    @property
    def _burst_note(self) -> str:
        if not self._in_bursts:
            return ""
        return f"; {self._step.in_bursts.c_errors} errors came in bursts, so {CLUSTER} count as one"


class RateGate(ErrorGate):
    """The gate that compares the candidate's error rate with a fixed limit."""

    def __init__(self, spec: GateSpec, step: StepRequests) -> None:
        super().__init__(spec, step, BurstTests(RateTest(min(max(spec.limit, 1e-6), 1 - 1e-6))))

    def handlers(self) -> Mapping[type, Handler]:
        return {RequestsEnded: self.fold_requests}

    def fold_requests(self, ended: RequestsEnded) -> None:
        errors, n, bursts = ended.counts.c_errors, ended.counts.c_n, ended.in_bursts
        if n + bursts.c_n:
            self._test.update((errors, n), (errors + bursts.c_errors, n + bursts.c_n))
            self._since = self._since.after(self._test.gain, errors, n, 0, 0)
            self._judge()

    @property
    def value(self) -> float | None:
        return self.counts.c_errors / self.n if self.n else None

    @property
    def interval(self) -> Interval | None:
        return rate_interval(self.counts.c_errors, self.n, self.spec.alpha)

    def recent_cause(self) -> FailureCause | None:
        since = self._since
        if not since.c_n:
            return None
        rate = since.c_errors / since.c_n
        seen = f"{since.c_errors} of the last {since.c_n} requests"
        limit = f"limit {share_text(self.spec.limit)} ({share_text(self.value)} of all {self.n})"
        return FailureCause(rate, since.c_n, f"error rate {share_text(rate)} ({seen}), {limit}")

    def message(self) -> str:
        seen = f"{self.counts.c_errors} of {self.n} requests"
        limit = f"limit {share_text(self.spec.limit)}{self._burst_note}"
        return f"error rate {share_text(self.value)} ({seen}), {limit}"


@dataclass(frozen=True, slots=True)
class WeightedDifference:
    """The sums for the weighted mean of (the candidate's error rate minus the baseline's) over blocks.

    ``weights``: the sum of the blocks' weights; ``differences``: the sum of weight times difference.
    """

    weights: float = 0.0
    differences: float = 0.0

    def after(self, block: RequestCounts) -> WeightedDifference:
        weight = block.c_n * block.b_n / (block.c_n + block.b_n)
        difference = block.c_errors / block.c_n - block.b_errors / block.b_n
        return WeightedDifference(self.weights + weight, self.differences + weight * difference)


class IncreaseGate(ErrorGate):
    """The gate that limits the difference: the candidate's error rate minus the baseline's error rate at the same time.

    The gate's value is the mean of this difference over blocks of time, with the weights of Mantel and Haenszel (1959).
    The difference of the rates over the whole step would be misleading: if the candidate's share was large during an
    outage of both sides, the outage would count against the candidate.
    """

    _blocks: WeightedDifference
    _by_copies: bool

    def __init__(self, spec: GateSpec, step: StepRequests, *, other_users: bool = False) -> None:
        """Start without blocks. ``other_users``: whether the two sides serve different users (baseline_rates.py)."""
        super().__init__(spec, step, BurstTests(IncreaseTest(min(max(spec.limit, 1e-6), 0.98))))
        self._blocks, self._other_users, self._by_copies = WeightedDifference(), other_users, False

    def handlers(self) -> Mapping[type, Handler]:
        return {BlockClosed: self.fold_block}

    def fold_block(self, closed: BlockClosed) -> None:
        everything = closed.counts + closed.in_bursts
        counted = _four(closed.counts)
        if self._other_users:
            self._update_by_users(closed, everything)
        else:
            self._test.update(counted, _four(everything))
        self._since = self._since.after(self._test.gain, *counted)
        self._blocks = self._blocks.after(everything)
        self._judge()

    def _update_by_users(self, closed: BlockClosed, everything: RequestCounts) -> None:
        by_copies, copies = closed.by_copies, closed.copies
        if by_copies is not None and not self._by_copies:
            self._test.forget_gains()  # they came from other users
        self._by_copies = by_copies is not None
        tested = []
        for counts, own in (
            (closed.counts, closed.own_errors),
            (everything, max(0, everything.c_errors - everything.failed_at_both)),
        ):
            if by_copies is None:
                against = Against((own, counts.c_n, counts.b_errors, counts.b_n))
            else:
                against = Against((own, counts.c_n, copies.candidates_failed, copies.candidates_n), by_copies.rate)
            tested.append((*_four(counts), against))
        self._test.update(*tested)

    @property
    def value(self) -> float | None:
        blocks = self._blocks
        return blocks.differences / blocks.weights if blocks.weights else self._difference_over_step

    @property
    def interval(self) -> Interval | None:
        c = self.counts
        return difference_interval((c.c_errors, c.c_n), (c.b_errors, c.b_n), self.spec.alpha)

    @property
    def _difference_over_step(self) -> float | None:
        c = self.counts
        return c.c_errors / c.c_n - c.b_errors / c.b_n if c.c_n and c.b_n else None

    def recent_cause(self) -> FailureCause | None:
        since = self._since
        if not since.c_n or not since.b_n:
            return None
        candidate, base = since.c_errors / since.c_n, since.b_errors / since.b_n
        seen = f"{since.c_errors} of the last {since.c_n}"
        limit = f"it may be {share_text(self.spec.limit)} more"
        step = f"({self.counts.c_errors} of {self.counts.c_n} in this step)"
        text = f"error rate {share_text(candidate)} ({seen}), the baseline's is {share_text(base)}; {limit} {step}"
        return FailureCause(candidate - base, since.c_n, text)

    def message(self) -> str:
        c = self.counts
        if self.value is None:
            return f"{c.c_n} requests of the candidate and {c.b_n} of the baseline: nothing to compare with"
        candidate, base = share_text(c.c_errors / c.c_n), share_text(c.b_errors / c.b_n)
        seen, limit = f"{c.c_errors} of {c.c_n}", share_text(self.spec.limit)
        text = f"error rate {candidate} ({seen}), the baseline's is {base}; it may be {limit} more"
        text += self._burst_note + self._step.copies_note
        plain = self._difference_over_step
        if plain is None or (plain <= self.spec.limit) == (self.value <= self.spec.limit):
            return text
        return f"{text}; compared at the same times, it is {share_text(self.value)} more"


def _four(counts: RequestCounts) -> tuple[int, int, int, int]:
    return counts.c_errors, counts.c_n, counts.b_errors, counts.b_n
