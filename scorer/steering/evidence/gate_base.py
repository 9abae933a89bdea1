"""What every gate has: a test with running maxima, the numbers it shows, and words for them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from glidepath.histogram import Histogram
from scorer.steering.evidence.dense_histogram import Tally, total_of
from scorer.steering.evidence.gate_specs import GateSpec
from scorer.steering.evidence.side_balance import Balance


@dataclass(slots=True)
class Counts:
    """What a step has seen of both sides so far."""

    c_n: int = 0
    c_errors: int = 0
    c_down: int = 0
    b_n: int = 0
    b_errors: int = 0
    rescued: int = 0  # of the candidate's errors: answered by the baseline
    rescues_failed: int = 0  # by neither side

    def to_json(self) -> list[int]:
        return [self.c_n, self.c_errors, self.c_down, self.b_n, self.b_errors, self.rescued, self.rescues_failed]

    def load(self, raw: Sequence[int]) -> None:
        self.c_n, self.c_errors, self.c_down, self.b_n, self.b_errors = (int(v) for v in raw[:5])
        self.rescued, self.rescues_failed = (int(v) for v in raw[5:]) if len(raw) > 5 else (0, 0)


@dataclass(slots=True)
class Signal:
    """One latency signal of both sides, over the step; both weigh every time alike."""

    candidate: Tally = field(default_factory=Tally)
    baseline: Tally = field(default_factory=Tally)
    balance: Balance = field(default_factory=Balance)
    judged: bool = False  # by some gate; else it is only shown, and nothing need be weighed

    def add(self, candidate: Histogram, baseline: Histogram) -> None:
        """What ended at about the same time."""
        own = base = 0
        if self.judged:
            own, base = self._leave_out(total_of(candidate), total_of(baseline))
        self.candidate.add(candidate, own)
        self.baseline.add(baseline, base)

    def add_value(self, candidate: bool, value: float) -> None:
        own, base = self._leave_out(int(candidate), int(not candidate)) if self.judged else (0, 0)
        if candidate:
            self.candidate.add_value(value, own)
        else:
            self.baseline.add_value(value, base)

    def _leave_out(self, candidate: int, baseline: int) -> tuple[int, int]:
        parts = self.balance.leave_out(candidate, baseline)
        returns = self.balance.returns
        self.candidate.take_back(returns.kept, returns.own)
        self.baseline.take_back(returns.kept, returns.base)
        return parts

    @property
    def uneven(self) -> bool:
        """Whether some of either side is left out of the evidence."""
        return self.candidate.uneven or self.baseline.uneven

    def to_json(self) -> list[Any]:
        return [self.candidate.to_json(), self.baseline.to_json(), self.balance.to_json()]

    def load(self, raw: Sequence[Any]) -> None:
        self.candidate.load(raw[0])
        self.baseline.load(raw[1])
        if len(raw) > 2:
            self.balance.load(raw[2])


@dataclass(frozen=True, slots=True)
class Cause:
    """The numbers that a failure was decided on, as of that moment: since the bad time began, not over the step."""

    value: float | None
    n: int
    words: str


class Part(Protocol):
    """A piece of a gate's state."""

    def to_json(self) -> list[Any]: ...

    def load(self, raw: Sequence[Any]) -> None: ...


_HEAD = 4  # of a gate's state: before its parts


class Gate(ABC):
    """Running maxima of the two e-values (natural logarithms). A failure stays until the evidence is reset."""

    def __init__(self, spec: GateSpec) -> None:
        self.spec = spec
        self.fail_peak = self.pass_peak = 0.0
        self.cause: Cause | None = None

    def note(self, log_fail: float, log_pass: float = 0.0) -> None:
        failed_before = self.failed
        self.fail_peak = max(self.fail_peak, log_fail)
        self.pass_peak = max(self.pass_peak, log_pass)
        if self.failed and not failed_before:
            late = None if self.explained else self.late()
            self.cause = late or Cause(self.value, self.n, self.words())

    @property
    def failed(self) -> bool:
        return self.fail_peak >= self.spec.fail_at

    @property
    def proven(self) -> bool:
        return self.pass_peak >= self.spec.pass_at

    @property
    @abstractmethod
    def n(self) -> int: ...

    @property
    @abstractmethod
    def value(self) -> float | None: ...

    @property
    def within(self) -> bool:
        """Whether the present value is on the good side of the limit: a proof that no longer looks true waits."""
        value = self.value
        return value is not None and value <= self.spec.limit

    @property
    def explained(self) -> bool:
        """Whether the value over the step says by itself why the gate failed: it need not, the fall may be recent."""
        return not self.within

    def late(self) -> Cause | None:
        """The numbers since the bad time began, where these say more than the whole step's."""
        return None

    @abstractmethod
    def words(self) -> str: ...

    @abstractmethod
    def test(self) -> Sequence[Part]: ...

    def lacks(self, raw: Sequence[Any], part: Part) -> bool:
        """Whether this state is of a version that did not keep ``part`` yet."""
        return len(raw) - _HEAD <= list(self.test()).index(part)

    def to_json(self) -> list[Any]:
        cause = [self.cause.value, self.cause.n, self.cause.words] if self.cause else []
        return [self.spec.limit, self.fail_peak, self.pass_peak, cause, *(part.to_json() for part in self.test())]

    def load(self, raw: Sequence[Any]) -> None:
        """Raises ValueError when the limit is another than the one this evidence was gathered against."""
        limit, fail_peak, pass_peak, cause, *states = raw
        if limit != self.spec.limit:
            raise ValueError("another limit")
        parts = self.test()[: len(states)]  # what a later version has come to keep besides begins empty
        for part, state in zip(parts, states, strict=True):
            part.load(state)
        self.fail_peak, self.pass_peak = fail_peak, pass_peak
        self.cause = Cause(*cause) if cause else None
