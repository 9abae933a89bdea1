"""Counts how often the baseline fails a copy of a request whose client got a good answer.

With a sticky split, the two sides serve different users. If many requests of one user fail at both sides, the side that
serves this user has more errors, although it is no worse. The baseline's copies of the candidate's requests show this.
The baseline's copies of its own requests show how often a copy fails because it is a copy. See ADR 0545.
"""

from __future__ import annotations

from extproc.captured_exchange import CapturedExchange
from extproc.copy_plan import PlannedCopy
from extproc.outcome_classification import error_of_status
from extproc.traffic_counters import TrafficCounters
from glidepath.pairs import BUSY, Answer, Ending, PairKind
from glidepath.sides import Side


def count_baselines_copy(
    counters: TrafficCounters, captured: CapturedExchange, planned: PlannedCopy, answer: Answer
) -> None:
    """Count the baseline's copy of a request if it shows whether the baseline can answer this request.

    ``captured``: the request, whose client has got a complete answer. ``answer``: the answer to the copy.

    The copy shows nothing in three cases: the client's answer has no 2xx status, the answer to the copy is incomplete,
    or the baseline had too many requests (408, 429).
    """
    answered = 200 <= captured.exchange.status < 300
    if planned.side is not Side.BASELINE or not answered or answer.ending is not Ending.COMPLETE:
        return
    if answer.status in BUSY:
        return
    served = Side.BASELINE if planned.kind is PairKind.NOISE else Side.CANDIDATE
    failed = bool(error_of_status(answer.status, captured.workload, Side.BASELINE))
    counters.count_baselines_copy(captured.workload.name, served, failed=failed)
