"""What a process records for OpenTelemetry, and the part that does nothing where the section ``otel`` is absent.

The processes call these interfaces; ``otel_signals.py`` implements them with OpenTelemetry's packages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from glidepath.pair_scores import ScoredPair
from glidepath.pairs import Answer, PairKind


@dataclass(frozen=True, slots=True)
class CopyToTrace:
    """A copy that is about to be sent. ``headers``: the client's, of which traceparent and tracestate are read."""

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
        """The headers traceparent and tracestate that the copy is sent with, so that the backend's spans join it."""

    @property
    def traceparent(self) -> str:
        """The span's own traceparent for the events about the pair; "" if it is not recorded."""

    def end(self, answer: Answer | None) -> None:
        """End the span. None: the copy was given up."""


class CopyTracer(Protocol):
    """Records a span for each copy. The methods never wait and raise nothing."""

    def begin(self, copy: CopyToTrace) -> CopySpan: ...


class EvaluationEvents(Protocol):
    """Records what scoring says about a pair. The methods never wait and raise nothing."""

    def scored(self, pair: ScoredPair) -> None: ...


class NoSpan:
    """The span of a copy where nothing is traced: the copy keeps the client's headers."""

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
