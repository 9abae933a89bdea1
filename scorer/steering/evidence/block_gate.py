"""The base class of the gates that compare rates within blocks of samples, so that changes on both sides cancel."""

from __future__ import annotations

from abc import abstractmethod

from scorer.steering.evidence.changepoint import NO_BAD_PERIOD, BadPeriod, EventCounts
from scorer.steering.evidence.confidence import Interval, difference_interval, rate_interval
from scorer.steering.evidence.error_rate_tests import IncreaseTest, RateTest
from scorer.steering.evidence.gate_base import FailureCause, Gate
from scorer.steering.evidence.gate_specs import GateSpec


class BlockGate(Gate):
    """A gate that limits the rate of an event.

    Without ``spec.increase``, the gate limits the rate among the candidate's samples. With ``spec.increase``, it limits
    by how much this rate exceeds the baseline's. In the second case, a block ends as soon as it has samples of both
    sides.

    ``_step`` counts the samples of the step, ``_block`` those of the open block.
    """

    _test: IncreaseTest | RateTest
    _step: EventCounts
    _block: EventCounts
    _since: BadPeriod

    def __init__(self, spec: GateSpec) -> None:
        super().__init__(spec)
        limit = min(max(spec.limit, 1e-6), 0.98)
        self._test = IncreaseTest(limit) if spec.increase else RateTest(limit)
        self._step = self._block = EventCounts()
        self._since = NO_BAD_PERIOD

    def add_samples(self, added: EventCounts) -> None:
        self._step, self._block = self._step + added, self._block + added
        block = self._block
        if not block.c_n or (self.spec.increase and not block.b_n):
            return
        counts = (block.c_errors, block.c_n, block.b_errors, block.b_n)
        if isinstance(self._test, IncreaseTest):
            self._test.update(*counts)
        else:
            self._test.update(*counts[:2])
        self._since = self._since.after(self._test.gain, *counts)
        self._block = EventCounts()
        self.note(self._test.log_fail, self._test.log_pass)

    @property
    def n(self) -> int:
        return self._step.c_n

    @property
    def value(self) -> float | None:
        return self._step.increase if self.spec.increase else self._step.rate

    @property
    def interval(self) -> Interval | None:
        step, alpha = self._step, self.spec.alpha
        if not self.spec.increase:
            return rate_interval(step.c_errors, step.c_n, alpha)
        return difference_interval((step.c_errors, step.c_n), (step.b_errors, step.b_n), alpha)

    def recent_cause(self) -> FailureCause | None:
        since = self._since
        more = since.increase if self.spec.increase else since.rate
        return None if more is None else FailureCause(more, since.c_n, self.recent_message(since, more))

    @abstractmethod
    def recent_message(self, since: BadPeriod, more: float) -> str:
        """Return a text for people about the bad period ``since``, in which the gate's value is ``more``."""

    @property
    def identity(self) -> str:
        return f"{super().identity} {type(self._test).__name__}"
