"""The width of a command's output: the width of the terminal, or a fixed width in a file or a pipe."""

from __future__ import annotations

import os

from rich.console import Console

PIPED_WIDTH = 80
WIDE_TABLE = 200  # columns of a table that would be hard to read in 80


def output_console(piped: int = PIPED_WIDTH, *, stderr: bool = False) -> Console:
    """Return the console of standard output, or of standard error.

    In a file or a pipe it has ``piped`` columns, unless the environment variable COLUMNS gives another width.
    """
    console = Console(highlight=False, stderr=stderr)
    if console.is_terminal:
        return console
    wanted = os.environ.get("COLUMNS", "")[:6]
    width = int(wanted) if wanted.isascii() and wanted.isdigit() else 0
    return Console(width=width or piped, highlight=False, stderr=stderr)
