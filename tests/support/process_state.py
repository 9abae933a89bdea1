"""Check whether a process runs."""

from __future__ import annotations

from pathlib import Path


def is_running(pid: int) -> bool:
    """Return whether the process ``pid`` runs. A zombie, which has ended but still has an entry, does not run."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
