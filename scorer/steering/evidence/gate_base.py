"""The base class of all gates. It defines a gate's evidence, observation handlers, measured numbers and message."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from glidepath.status_and_decisions import WeighedPair
from scorer.steering.evidence.baseline_rates import BaselineRates
from scorer.steering.evidence.confidence import Interval
from scorer.steering.evidence.gate_observations import (
    NO_COPIES,
    NO_REQUESTS,
    BaselineCopies,
    ByCopies,
    PairRef,
    RequestCounts,
    RequestsEnded,
)
from scorer.steering.evidence.gate_specs import GateSpec
from scorer.steering.evidence.state_codec import MisfitError, Stored
from scorer.steering.evidence.weighed_pairs import with_pair

Handler = Callable[[Any], None]


@dataclass(slots=True)
class StepRequests(Stored):
    """The counts of the requests of the step so far. The gates that count requests share this object.

    - ``in_bursts``: the errors that the burst discount leaves out, with their requests
    - ``total``: all other requests and errors
    - ``copies``: the baseline's copies
    - ``rates``: recent rates, up to the latest ``RequestsEnded``
    - ``by_copies``: with what the requests of the latest ``RequestsEnded`` are compared, decided from the rates before
      them; None: with the baseline's clients' requests
    """

    total: RequestCounts = NO_REQUESTS
    in_bursts: RequestCounts = NO_REQUESTS
    copies: BaselineCopies = NO_COPIES
    rates: BaselineRates = field(default_factory=BaselineRates)
    by_copies: ByCopies | None = None

    def learn_rates(self, ended: RequestsEnded) -> None:
        """Decide how these requests are compared. Then add them to the rates."""
        self.by_copies = self.rates.by_copies
        counts = ended.counts if ended.in_bursts is NO_REQUESTS else ended.counts + ended.in_bursts
        self.rates = self.rates.after(counts, ended.copies)
        if ended.copies is not NO_COPIES:
            self.copies += ended.copies

    @property
    def everything(self) -> RequestCounts:
        return self.total + self.in_bursts if self.in_bursts != NO_REQUESTS else self.total

    @property
    def burst_note(self) -> str:
        """A text for people about the errors that the burst discount leaves out; "" if there are none."""
        left = self.in_bursts.c_errors
        return f"; {left} more errors came in bursts of one cause" if left else ""

    @property
    def copies_note(self) -> str:
        """A text for people if the candidate is compared with copies at present; otherwise ""."""
        if self.by_copies is None:
            return ""
        failed, n = self.copies.candidates_failed, self.copies.candidates_n
        return f"; the baseline failed {failed} of {n} copies of requests that the candidate answered"


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


class Gate(Stored, ABC):
    """One gate of a step.

    A failed gate stays failed until the evidence starts again. Only the split gate can recover earlier.

    - ``fail_peak``: ln of the largest e-value against the candidate so far
    - ``pass_peak``: ln of the largest e-value in favour of the candidate so far
    - ``fail_now``, ``pass_now``: ln of the present e-values
    - ``cause``: why the gate failed; None if it has not failed
    - ``pairs``: the pairs that weigh most against the candidate, the heaviest first; empty for a gate without pairs
    """

    fail_peak: float
    pass_peak: float
    fail_now: float
    pass_now: float
    cause: FailureCause | None
    pairs: tuple[WeighedPair, ...]

    def __init__(self, spec: GateSpec) -> None:
        self.spec = spec
        self.fail_peak = self.pass_peak = self.fail_now = self.pass_now = 0.0
        self.cause, self.pairs = None, ()

    @abstractmethod
    def handlers(self) -> Mapping[type, Handler]:
        """Return a mapping from each type of observation that the gate uses to the method that handles it."""

    def note(self, log_fail: float, log_pass: float = 0.0) -> None:
        """Record the present e-values (natural logarithms), and the largest so far.

        If they make the gate fail, also record the cause.
        """
        self.fail_now, self.pass_now = log_fail, log_pass
        self.pass_peak = max(self.pass_peak, log_pass)
        if log_fail <= self.fail_peak:
            return
        failed_before, self.fail_peak = self.failed, log_fail
        if self.failed and not failed_before:
            recent = None if self.step_explains_failure else self.recent_cause()
            cause = recent or FailureCause(self.value, self.n, self.message())
            self.cause = replace(cause, at=self.n)

    def weigh(self, pair: PairRef | None, weight: float) -> None:
        """Keep the pair if few pairs weigh more against the candidate. ``weight``: its weight, from 0 (none) to 1."""
        self.pairs = with_pair(self.pairs, pair, weight)

    @property
    def failed(self) -> bool:
        return self.fail_peak >= self.spec.fail_at

    @property
    def proven(self) -> bool:
        return self.pass_peak >= self.spec.pass_at

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
        """The basis of the gate's comparison at present: ``live`` requests, ``pairs`` of answers, or ``both``."""
        return "pairs" if self.spec.on_pairs else "live"

    @property
    def blocks_step(self) -> bool:
        """Whether the gate forbids a step at present although it does not fail."""
        return False

    @property
    def has_nothing_to_measure(self) -> bool:
        """Whether the traffic contains nothing that the gate can measure, so that the gate need not pass."""
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
    def identity(self) -> str:
        """The gate's kind and limit as text. A stored gate continues only if its identity is the same."""
        return f"{type(self).__name__} {self.spec.limit!r}"

    @property
    def state(self) -> list[Any]:
        return [self.identity, *super().state]

    def restore(self, raw: Any) -> None:
        """Continue from ``raw``, the stored ``state`` of a gate.

        If the identity in ``raw`` differs from this gate's, start without data.
        """
        if not isinstance(raw, list) or not raw:
            raise MisfitError("a list that begins with the identity of a gate", raw)
        if raw[0] == self.identity:
            super().restore(raw[1:])
