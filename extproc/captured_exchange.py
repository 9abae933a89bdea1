"""One captured request with its answer and its copies, and whether its answer can be compared."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from extproc.copy_plan import PlannedCopy
from extproc.exchange import Exchange
from extproc.workloads import WorkloadInfo
from glidepath.outcome_summaries import Coverage
from glidepath.pairs import Ending, PairKind, is_failure


@dataclass(slots=True)
class CapturedExchange:
    """An exchange of a configured workload, and the copies of its request."""

    workload: WorkloadInfo
    exchange: Exchange
    id: str  # the id of its pair and of its copies
    logged_id: str  # its x-request-id in the access log
    captured_at_ms: int
    served: str = ""  # the served digest (glidepath/served_digest.py); "" if unknown
    started_ns: int = 0  # when Envoy received the request, in Unix ns; 0 if unknown
    copy_tasks: list[asyncio.Task[None]] = field(default_factory=list)
    planned_copies: tuple[PlannedCopy, ...] = ()
    reason: Coverage | None = Coverage.NOT_TEED  # why no CROSS copy was sent; None if a CROSS copy was sent
    both_copied: bool = False  # whether each side got a copy of the request
    traceparents: dict[PairKind, str] = field(default_factory=dict)  # of its copies' spans, if recorded
    finished: asyncio.Event | None = None  # set when the exchange ends; None until a copy waits for the end
    references: int = 1  # the stream and each copy hold one reference; at 0 the bodies are released
    opted_out: bool = False  # whether no part of the exchange may be copied or stored
    planned: bool = False  # whether the decision about the copies was made

    def pair_id(self, planned: PlannedCopy) -> str:
        """Return the id of the pair that a copy produces.

        The scorer counts each pair id once, so the noise pair of the same request needs an id of its own.
        """
        return self.id if planned.kind is PairKind.CROSS else f"{self.id}~noise"


def failed_over(workload: WorkloadInfo, exchange: Exchange) -> bool:
    """Return whether the baseline answered, or may have answered, in place of the candidate.

    The number of attempts does not show a failover: if the candidate has no usable endpoint, the baseline gets the
    first attempt, and a second attempt may go to the same backend again. The endpoint's metadata shows a failover,
    because the metadata names the backend. Endpoints of a cluster that already existed in the user's Envoy
    (``backends.X.cluster``) have no such metadata.
    """
    request, response = exchange.request, exchange.response
    if request is None or response is None or request.cluster != workload.fallback:
        return False
    return exchange.retried or response.backend != workload.name_at_endpoint


def reason_not_comparable(workload: WorkloadInfo, exchange: Exchange) -> Coverage | None:
    """Return why the client's answer cannot be compared with a copy's answer, or None if it can be compared.

    A failed request has no answer whose quality can be compared, and the access log already counts the failure. After
    a failover, the client's answer comes from the baseline, so it does not show the candidate's quality.
    """
    if exchange.shed:
        return Coverage.SHED_MEMORY
    if exchange.cut:
        return Coverage.CUT
    if exchange.ending is Ending.ABORTED or exchange.ending is None:
        return Coverage.ABORTED
    if exchange.ending is Ending.LOCAL or is_failure(exchange.status) or failed_over(workload, exchange):
        return Coverage.NOT_COMPARABLE
    return None
