"""A gate that compares both sides on copies of the same requests, and on the clients' live requests.

With sticky users, the two sides serve different users. If some users differ from the others, for example because their
answers are long, the live requests of both sides differ although the sides are equal. At 0 %, the candidate answers
copies and the baseline answers clients, and a copy may differ from a client's request. So in both cases the copies
decide. The live requests then fail the gate only if they are far beyond the limit (``gross``), since copies do not show
every fault that clients meet. In all other cases, both kinds of evidence decide. If no copies are compared, live
requests decide.

A candidate that is within its limit fails the gate with a probability of at most α: each of the two tests gets α/2, so
ln 2 is subtracted from its evidence. The same holds for passing, unless the copies alone decide. See ADR 0260.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from scorer.steering.evidence.confidence import Interval
from scorer.steering.evidence.gate_base import FailureCause, Gate, Handler
from scorer.steering.evidence.gate_observations import CopiesCompared, CopyEnded, LookDue
from scorer.steering.evidence.gate_specs import GateSpec
from scorer.steering.evidence.mixture import LN2
from scorer.steering.evidence.paired_evidence import PairedErrors, PairedLatency

# The limits for live requests while the copies decide.
GROSS_RATIO = 3.0  # the latency ratio of live requests may be this many times the limit
GROSS_INCREASE = 0.05  # the increase of the error rate of live requests may exceed the limit by this
MOST_WITHOUT_COPIES = 200  # requests of the candidate after which live requests decide if there is no pair of copies


class PairedGate(Gate):
    """Combines the evidence of copies with the evidence of live requests.

    - ``live``: a gate on live requests with the same limit
    - ``gross``: a gate on live requests with a wide limit, which replaces ``live`` while the copies decide; else None
    """

    _pairs: PairedLatency | PairedErrors
    _live: Gate
    _gross: Gate | None

    def __init__(self, spec: GateSpec, pairs: PairedLatency | PairedErrors, live: Gate, gross: Gate | None) -> None:
        super().__init__(spec)
        self._pairs, self._live, self._gross = pairs, live, gross

    def handlers(self) -> Mapping[type, Handler]:
        found: dict[type, list[Handler]] = {CopiesCompared: [self.fold_copies], LookDue: [self.look]}
        if isinstance(self._pairs, PairedErrors):
            found[CopyEnded] = [self._pairs.add_single]
        for kind in self._live.handlers():
            found.setdefault(kind, []).append(self._to_deciding(kind))
        return {kind: self._then_combine(handlers) for kind, handlers in found.items()}

    def _to_deciding(self, kind: type) -> Handler:
        """Return a handler that passes each observation to the gate on live requests that decides at present.

        The other gate misses the observation but stays valid, as if it had made no bet on it.
        """
        live = self._live.handlers()[kind]
        gross = live if self._gross is None else self._gross.handlers()[kind]
        return lambda observation: (gross if self._deciding is self._gross else live)(observation)

    def _then_combine(self, handlers: Sequence[Handler]) -> Callable[[Any], None]:
        def handle(observation: Any) -> None:
            for handler in handlers:
                handler(observation)
            self._combine()

        return handle

    @property
    def _deciding(self) -> Gate:
        """The gate on live requests that can fail or pass this gate at present."""
        if self._gross is None or (not self._pairs.compared and self._live.n >= MOST_WITHOUT_COPIES):
            return self._live
        return self._gross

    def fold_copies(self, copies: CopiesCompared) -> None:
        first = not self._pairs.compared
        if not self._pairs.add(copies):
            return
        if first and self._gross:  # live requests may have passed the gate before, but decide no longer
            self.pass_peak = 0.0
        self.weigh(copies.pair, self._pairs.weight(copies))

    def look(self, due: LookDue) -> None:
        self._pairs.look(everything=due.everything)

    def _combine(self) -> None:
        pairs, live = self._pairs, self._deciding
        if self._gross is None:
            passed = max(pairs.log_pass, live.pass_peak) - LN2
        elif live is self._live:
            passed = live.pass_peak
        else:
            passed = pairs.log_pass if pairs.compared else 0.0
        self.note(max(pairs.log_fail, live.fail_peak) - LN2, passed)

    @property
    def basis(self) -> str:
        if not self._pairs.compared:
            return "live"
        return "both" if self._gross is None else "pairs"

    @property
    def n(self) -> int:
        if not self._pairs.compared:
            return self._live.n
        return self._pairs.n + (self._live.n if self._gross is None else 0)

    @property
    def _shown(self) -> Gate | PairedLatency | PairedErrors:
        """The part whose numbers are shown: the deciding part. If both decide, the one with more evidence to pass."""
        if self.basis == "both" and self._live.pass_peak > self._pairs.log_pass:
            return self._live
        return self._pairs if self._pairs.compared else self._live

    @property
    def value(self) -> float | None:
        return self._shown.value

    @property
    def interval(self) -> Interval | None:
        shown = self._shown
        return shown.interval if isinstance(shown, Gate) else shown.interval(self.spec.alpha)

    @property
    def within(self) -> bool:
        shown = self._shown
        if isinstance(shown, Gate):
            return shown.within
        return shown.value is not None and shown.value <= self.spec.limit

    @property
    def has_nothing_to_measure(self) -> bool:
        return not self._pairs.compared and self._live.has_nothing_to_measure

    @property
    def why_no_data(self) -> str:
        return self._live.why_no_data

    @property
    def step_explains_failure(self) -> bool:
        return False  # the part that fails the gate is known only when it fails

    def recent_cause(self) -> FailureCause:
        live = self._deciding
        if live.fail_peak <= self._pairs.log_fail:
            return FailureCause(self._pairs.value, self._pairs.n, self._pairs.message())
        cause = live.cause or FailureCause(live.value, live.n, live.message())
        return replace(cause, message=f"live requests: {cause.message}") if self._pairs.compared else cause

    def message(self) -> str:
        shown = self._shown
        beside = f"; also {self._live.n} live requests" if self.basis == "both" and shown is not self._live else ""
        return f"{shown.message()}{beside}"

    @property
    def identity(self) -> str:
        return f"{super().identity} {self._live.identity}{'' if self._gross is None else f' {self._gross.identity}'}"


def gross_spec(spec: GateSpec, limit: float) -> GateSpec:
    """Return the definition of the gate with the wide limit."""
    return replace(spec, limit=limit)
