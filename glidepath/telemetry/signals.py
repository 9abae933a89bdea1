"""The interfaces with which a process records telemetry, and implementations that do nothing.

The implementations are used if the configuration has no section ``otel``. ``otel_signals.py`` has the real
implementations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from glidepath.pair_scores import ScoredPair
from glidepath.pairs import Answer, PairKind


@dataclass(frozen=True, slots=True)
class CopyToTrace:
    """A copy that is about to be sent. ``headers``: the client's; only traceparent and tracestate are read."""

    workload: str
    side: str
    backend: str
    path: str
    pair_id: str
    kind: PairKind
    headers: Mapping[str, str]


class CopySpan(Protocol):
    """The span of one copy."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers traceparent and tracestate for the copy, which connect the backend's spans to this span."""

    @property
    def traceparent(self) -> str:
        """The span's own traceparent, for the events about the pair; "" if the span is not recorded."""

    def end(self, answer: Answer | None) -> None:
        """End the span. ``answer``: None if the copy was given up."""


class CopyTracer(Protocol):
    """Records a span for each copy. The methods never wait and never raise an error."""

    def begin(self, copy: CopyToTrace) -> CopySpan: ...


class EvaluationEvents(Protocol):
    """Records the results of scoring a pair. The methods never wait and never raise an error."""

    def scored(self, pair: ScoredPair) -> None: ...


class NoSpan:
    """The span of a copy without tracing: the copy keeps the client's headers."""

    headers: Mapping[str, str] = {}
    traceparent = ""

    def end(self, answer: Answer | None) -> None:
        """Do nothing."""


class NoTraces:
    _SPAN = NoSpan()

    def begin(self, copy: CopyToTrace) -> CopySpan:
        return self._SPAN


NO_TRACES = NoTraces()


class NoEvents:
    def scored(self, pair: ScoredPair) -> None:
        """Do nothing."""


NO_EVENTS = NoEvents()
