"""Structured logs on stderr: one JSON object per line, or coloured text on a terminal."""

from __future__ import annotations

import json
import logging
import os
import sys

import structlog

# Lines go to stderr even without ``configure_logging``: a warning in a command must not become a part of its result.
if not structlog.is_configured():
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))

get_logger = structlog.get_logger


class LogLines:
    """Writes log lines to a file descriptor, one system call each.

    A line that cannot be written, for example because the disk is full, raises no error: logging must not stop the
    work. Such lines are counted, and the next line that can be written says how many were lost.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lost = 0
        self._broken = False  # whether the last line was written in part

    def msg(self, line: str) -> None:
        lost = json.dumps({"event": "log_lines_lost", "level": "warning", "lines": self._lost}) + "\n"
        data = ("\n" * self._broken + lost * bool(self._lost) + line + "\n").encode(errors="replace")
        try:
            written = os.write(self._descriptor, data)
        except OSError:
            written = 0
        self._broken = self._broken if written == 0 else written < len(data)
        self._lost = 0 if written == len(data) else self._lost + 1

    debug = info = warning = error = critical = exception = msg


def configure_logging(part: str) -> None:
    """Configure structured logging; call it once at the start of a process.

    Every line contains ``part``, the name of the process.
    """
    closed = sys.stderr is None  # then the descriptor 2 may be any file or connection
    lines = LogLines(os.open(os.devnull, os.O_WRONLY) if closed else sys.stderr.fileno())
    terminal = not closed and sys.stderr.isatty()
    renderer = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(part=part)
