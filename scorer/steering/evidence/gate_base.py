"""The base class of all gates. It defines a gate's evidence, observation handlers, measured numbers and message."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

from glidepath.status_and_decisions import WeighedPair
from scorer.steering.evidence.confidence import Interval
from scorer.steering.evidence.gate_observations import NO_REQUESTS, PairRef, RequestCounts
from scorer.steering.evidence.gate_specs import GateSpec
from scorer.steering.evidence.weighed_pairs import with_pair

Handler = Callable[[Any], None]


@dataclass(slots=True)
class StepRequests:
    """The counts of the requests of the step so far. The gates that count requests share this object.

    ``total``: without the errors, and their requests, that the burst discount leaves out, which are ``in_bursts``.
    """

    total: RequestCounts = NO_REQUESTS
    in_bursts: RequestCounts = NO_REQUESTS

    @property
    def everything(self) -> RequestCounts:
        return self.total + self.in_bursts if self.in_bursts != NO_REQUESTS else self.total

    @property
    def burst_note(self) -> str:
        """What is left out, as text for people; "" if nothing is."""
        left = self.in_bursts.c_errors
        return f"; {left} more errors came in bursts of one cause" if left else ""


@dataclass(frozen=True, slots=True)
class FailureCause:
    """The value, the number of samples and the message that show why a gate failed.

    These three usually describe only the bad period, see changepoint.py. ``at``: the number of samples of the step when
    the gate failed.
    """

    value: float | None
    n: int
    message: str
    at: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """The part of the state that every gate has.

    - ``limit``: the gate's limit when the evidence was collected
    - ``fail_peak``: ln of the largest e-value against the candidate so far
    - ``pass_peak``: ln of the largest e-value in favour of the candidate so far
    - ``fail_now``, ``pass_now``: ln of the present e-values
    - ``cause``: why the gate failed; None if it has not failed
    - ``pairs``: of a gate on pairs, those that weigh most against the candidate, the heaviest first
    """

    limit: float
    fail_peak: float = 0.0
    pass_peak: float = 0.0
    fail_now: float = 0.0
    pass_now: float = 0.0
    cause: FailureCause | None = None
    pairs: tuple[WeighedPair, ...] = ()


class Gate(ABC):
    """One gate of a step.

    A failed gate stays failed until the evidence starts again. Only the split gate can recover earlier.

    ``STATE`` is the type of ``state``: a frozen dataclass that has a field ``standing`` of type ``Standing``.
    """

    STATE: ClassVar[Any]

    def __init__(self, spec: GateSpec) -> None:
        self.spec = spec
        self._standing = Standing(spec.limit)
        self._now = (0.0, 0.0)

    @property
    def standing(self) -> Standing:
        standing, (fail, passed) = self._standing, self._now
        if standing.fail_now != fail or standing.pass_now != passed:
            self._standing = standing = replace(standing, fail_now=fail, pass_now=passed)
        return standing

    @standing.setter
    def standing(self, standing: Standing) -> None:
        self._standing, self._now = standing, (standing.fail_now, standing.pass_now)

    @abstractmethod
    def handlers(self) -> Mapping[type, Handler]:
        """Return a mapping from each type of observation that the gate uses to the method that handles it."""

    def note(self, log_fail: float, log_pass: float = 0.0) -> None:
        """Record the present e-values (natural logarithms), and the largest so far.

        If they make the gate fail, also record the cause.
        """
        standing = self._standing
        self._now = (log_fail, log_pass)
        if log_fail <= standing.fail_peak and log_pass <= standing.pass_peak:
            return
        failed_before = self.failed
        fail_peak, pass_peak = max(standing.fail_peak, log_fail), max(standing.pass_peak, log_pass)
        self.standing = Standing(
            standing.limit, fail_peak, pass_peak, log_fail, log_pass, standing.cause, standing.pairs
        )
        if self.failed and not failed_before:
            recent = None if self.step_explains_failure else self.recent_cause()
            cause = recent or FailureCause(self.value, self.n, self.message())
            self.standing = replace(self.standing, cause=replace(cause, at=self.n))

    def weigh(self, pair: PairRef | None, weight: float) -> None:
        """Remember the pair if few pairs weigh more against the candidate. ``weight``: from 0 (nothing) to 1."""
        pairs = self._standing.pairs
        kept = with_pair(pairs, pair, weight)
        if kept is not pairs:
            self.standing = replace(self.standing, pairs=kept)

    @property
    def fail_peak(self) -> float:
        return self._standing.fail_peak

    @property
    def pass_peak(self) -> float:
        return self._standing.pass_peak

    @property
    def now(self) -> tuple[float, float]:
        """ln of the present e-values: against the candidate, and in its favour."""
        return self._now

    @property
    def failed(self) -> bool:
        return self._standing.fail_peak >= self.spec.fail_at

    @property
    def proven(self) -> bool:
        return self._standing.pass_peak >= self.spec.pass_at

    @property
    @abstractmethod
    def n(self) -> int:
        """The number of samples that the gate has counted."""

    @property
    @abstractmethod
    def value(self) -> float | None:
        """The gate's measured value over the whole step; None without data."""

    @property
    def interval(self) -> Interval | None:
        """The confidence sequence of ``value`` with the workload's whole α (confidence.py); None if it is unknown."""
        return None

    @property
    def within(self) -> bool:
        """Whether the gate's value meets the limit at present. If not, even strong evidence does not pass the gate."""
        value = self.value
        return value is not None and value <= self.spec.limit

    @property
    def basis(self) -> str:
        """What the gate compares at present: ``live`` requests, ``pairs`` of answers to one request, or ``both``."""
        return "pairs" if self.spec.on_pairs else "live"

    @property
    def blocks_step(self) -> bool:
        """Whether this is no time for a step although the gate does not fail."""
        return False

    @property
    def has_nothing_to_measure(self) -> bool:
        """Whether the traffic has none of what the gate measures, so that the gate need not pass."""
        return False

    @property
    def why_no_data(self) -> str:
        """Why the gate has no data although there was traffic, as text for people; "" if nothing is known."""
        return ""

    @property
    def step_explains_failure(self) -> bool:
        """Whether the value over the whole step violates the limit.

        If the candidate broke late in the step, this value may still meet the limit although the gate has failed.
        """
        return not self.within

    def recent_cause(self) -> FailureCause | None:
        """Return the cause of a failure, computed from the data of the bad period; None without such data."""
        return None

    @abstractmethod
    def message(self) -> str:
        """Return a text for people that shows the gate's numbers over the step."""

    @property
    def state(self) -> Any:
        """The gate's state as a frozen dataclass, from which ``restore`` continues.

        Each field of ``STATE`` but ``standing`` holds the attribute of the gate that has its name after an underscore,
        or that attribute's own state.
        """
        return self._state_as(self.STATE)

    def _state_as(self, kind: Any) -> Any:
        parts = (getattr(self, f"_{name}") for name in _parts(kind))
        return kind(self.standing, *(part.state if hasattr(part, "restore") else part for part in parts))

    def fits(self, state: Any) -> bool:
        """Return whether a stored state belongs to this kind of gate and to this gate's limit."""
        return type(state) is self.STATE and bool(state.standing.limit == self.spec.limit)

    def restore(self, state: Any) -> None:
        """Continue from a state that ``fits`` accepts.

        Raises ValueError if the state does not match the tests of the gate, for example because a test now has another
        number of alternatives.
        """
        self.standing = state.standing
        for name in _parts(type(state)):
            part, stored = getattr(self, f"_{name}"), getattr(state, name)
            if hasattr(part, "restore"):
                part.restore(stored)
            else:
                setattr(self, f"_{name}", stored)


def _parts(kind: Any) -> list[str]:
    """Return the names of the fields of a gate's state but ``standing``, which is the first one."""
    return [field.name for field in fields(kind) if field.name != "standing"]
