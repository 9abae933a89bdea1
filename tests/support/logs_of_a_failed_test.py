"""Show the ends of the logs that the processes of a failed test wrote, in its report."""

from __future__ import annotations

from pathlib import Path

_LINES = 15  # of each log
_LOGS = 12  # of a test


def log_ends(folder: Path) -> list[tuple[str, str]]:
    """Return the name and the last lines of each log in the folder and below it. Empty logs are left out."""
    logs = [path for path in sorted(folder.rglob("*.log")) if path.is_file() and path.stat().st_size]
    return [(str(path.relative_to(folder)), _end(path)) for path in logs[:_LOGS]]


def _end(path: Path) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-_LINES:])
