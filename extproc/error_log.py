"""A fault that nobody expected, met while one pair was made: the pair is set aside, everything else goes on."""

from __future__ import annotations

import structlog

_log = structlog.get_logger(__name__)
MOST_PLACES = 100


class Faults:
    """Logs each place in the code once, however many pairs fail there: their number is in the coverage.

    Neither message nor traceback: both may quote a body.
    """

    def __init__(self) -> None:
        self._known: set[tuple[str, str]] = set()

    def note(self, error: Exception, workload: str, pair_id: str) -> None:
        known = (type(error).__name__, _place(error))
        if known in self._known or len(self._known) >= MOST_PLACES:
            return
        self._known.add(known)
        # Not log.exception, for the reason above.
        _log.error("a pair was set aside", workload=workload, pair=pair_id, error=known[0], at=known[1])


def _place(error: Exception) -> str:
    """File and line that raised it."""
    trace = error.__traceback__
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
