"""The base class of every gate: its evidence so far, the observations that it handles, its numbers and its message."""

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
    """The total of the requests of the step so far. All gates that measure requests share this object."""

    total: RequestCounts = NO_REQUESTS


@dataclass(frozen=True, slots=True)
class FailureCause:
    """The numbers that show why a gate failed. They usually cover only the bad period, see changepoint.py."""

    value: float | None
    n: int
    message: str


@dataclass(frozen=True, slots=True)
class Standing:
    """The part of the state that every gate has: its largest e-values so far, and the cause of a failure.

    The e-values are natural logarithms. ``limit``: the limit for which the evidence was collected.
    """

    limit: float
    fail_peak: float = 0.0
    pass_peak: float = 0.0
    cause: FailureCause | None = None


class Gate(ABC):
    """One gate of a step.

    A failed gate stays failed until the evidence starts again. Only the split gate can recover earlier.

    ``state`` is a frozen dataclass of type ``STATE`` whose field ``standing`` is the gate's ``Standing``.
    """

    STATE: ClassVar[Any]

    def __init__(self, spec: GateSpec) -> None:
        self.spec = spec
        self.standing = Standing(spec.limit)

    @abstractmethod
    def handlers(self) -> Mapping[type, Handler]:
        """Return type of observation → the method that handles it, for every type of observation that the gate uses."""

    def note(self, log_fail: float, log_pass: float = 0.0) -> None:
        """Keep the largest e-values so far (natural logarithms). If the gate fails now, also record the cause."""
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
        """The number of samples that the gate has counted."""

    @property
    @abstractmethod
    def value(self) -> float | None:
        """The gate's measured value over the whole step; None without data."""

    @property
    def within(self) -> bool:
        """Whether the present value meets the limit. A proven gate passes only while its value meets the limit."""
        value = self.value
        return value is not None and value <= self.spec.limit

    @property
    def step_explains_failure(self) -> bool:
        """Whether the value over the whole step shows the failure. It does not if the candidate broke late."""
        return not self.within

    def recent_cause(self) -> FailureCause | None:
        """Return the cause of a failure from the data since the bad period began; None without such data."""
        return None

    @abstractmethod
    def message(self) -> str:
        """Return the gate's numbers over the step as text for people."""

    @property
    @abstractmethod
    def state(self) -> Any:
        """The gate's state as a frozen dataclass, from which ``restore`` continues."""

    def fits(self, state: Any) -> bool:
        """Return whether a stored state belongs to this kind of gate and to this gate's limit."""
        return type(state) is self.STATE and bool(state.standing.limit == self.spec.limit)

    @abstractmethod
    def restore(self, state: Any) -> None:
        """Continue from a state that ``fits`` accepts. Raises ValueError if the state does not match the tests."""
