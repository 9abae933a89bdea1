"""Logs unexpected errors in extproc's own code. One pair is lost with each such error; all other work continues."""

from __future__ import annotations

from glidepath.logs import get_logger

_log = get_logger(__name__)
MAX_LOGGED = 100


class UnexpectedErrors:
    """Logs unexpected errors. Errors of the same type from the same line of code are logged only once.

    The message and the traceback are not logged, because they may quote a body. The coverage counters count every lost
    pair, even if its error is not logged.
    """

    def __init__(self) -> None:
        self._known: set[tuple[str, str]] = set()

    def log(self, error: Exception, workload: str, pair_id: str) -> None:
        known = (type(error).__name__, _place(error))
        if known in self._known or len(self._known) >= MAX_LOGGED:
            return
        self._known.add(known)
        # log.exception would log the message and the traceback.
        _log.error("pair_lost", workload=workload, pair=pair_id, error=known[0], at=known[1])


def _place(error: Exception) -> str:
    """Return FILE:LINE of the statement that raised the error."""
    trace = error.__traceback__
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
