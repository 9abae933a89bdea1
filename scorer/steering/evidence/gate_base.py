"""The base class of every gate: its running evidence, the observations it folds, its numbers and its message."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from scorer.steering.evidence.gate_observations import NO_REQUESTS, RequestCounts
from scorer.steering.evidence.gate_specs import GateSpec

Handler = Callable[[Any], None]


@dataclass(slots=True)
class StepRequests:
    """The requests of the step so far: one total, which is shared by the gates of requests."""

    total: RequestCounts = NO_REQUESTS


@dataclass(frozen=True, slots=True)
class FailureCause:
    """The numbers behind a failure. They usually cover the bad period, and not the whole step."""

    value: float | None
    n: int
    message: str


@dataclass(frozen=True, slots=True)
class Standing:
    """The state that every gate has: its largest e-values so far (natural logarithms), and the cause of a failure.

    ``limit``: the limit for which the evidence was collected.
    """

    limit: float
    fail_peak: float = 0.0
    pass_peak: float = 0.0
    cause: FailureCause | None = None


class Gate(ABC):
    """One gate of a step. A failure stays until the evidence is reset.

    ``state`` is a frozen dataclass of type ``STATE`` whose field ``standing`` is the gate's ``Standing``.
    """

    STATE: ClassVar[Any]

    def __init__(self, spec: GateSpec) -> None:
        self.spec = spec
        self.standing = Standing(spec.limit)

    @abstractmethod
    def handlers(self) -> Mapping[type, Handler]:
        """Return the types of observation that the gate consumes: type → the method that folds such an observation."""

    def note(self, log_fail: float, log_pass: float = 0.0) -> None:
        """Raise the peaks to these e-values, and record the cause if the gate fails."""
        standing = self.standing
        if log_fail <= standing.fail_peak and log_pass <= standing.pass_peak:
            return
        failed_before = self.failed
        fail_peak, pass_peak = max(standing.fail_peak, log_fail), max(standing.pass_peak, log_pass)
        self.standing = Standing(standing.limit, fail_peak, pass_peak, standing.cause)
        if self.failed and not failed_before:
            recent = None if self.step_explains_failure else self.recent_cause()
            cause = recent or FailureCause(self.value, self.n, self.message())
            self.standing = replace(self.standing, cause=cause)

    @property
    def fail_peak(self) -> float:
        return self.standing.fail_peak

    @property
    def pass_peak(self) -> float:
        return self.standing.pass_peak

    @property
    def failed(self) -> bool:
        return self.standing.fail_peak >= self.spec.fail_at

    @property
    def proven(self) -> bool:
        return self.standing.pass_peak >= self.spec.pass_at

    @property
    @abstractmethod
    def n(self) -> int:
        """The number of samples."""

    @property
    @abstractmethod
    def value(self) -> float | None:
        """The measured value over the step; None without data."""

    @property
    def within(self) -> bool:
        """Whether the present value meets the limit. While it does not, a proof does not count yet."""
        value = self.value
        return value is not None and value <= self.spec.limit

    @property
    def step_explains_failure(self) -> bool:
        """Whether the value over the step shows why the gate failed. It does not if the candidate broke late."""
        return not self.within

    def recent_cause(self) -> FailureCause | None:
        """Return the numbers since the bad period began; None if there are none."""
        return None

    @abstractmethod
    def message(self) -> str:
        """Describe the numbers over the step for people."""

    @property
    @abstractmethod
    def state(self) -> Any:
        """The gate's state as a frozen dataclass, for ``restore``."""

    def fits(self, state: Any) -> bool:
        """Return whether a stored state belongs to this kind of gate and to this limit."""
        return type(state) is self.STATE and bool(state.standing.limit == self.spec.limit)

    @abstractmethod
    def restore(self, state: Any) -> None:
        """Continue from a state that ``fits``. Raises ValueError if the state has another grid of alternatives."""
