"""Every process and command imports only what it needs at its start, because an operator waits for each import."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOGS = "structlog"  # takes 0.1 s, because it imports Rich, too
ARRAYS = "numpy"  # 0.1 s
HTTP, REDIS = "aiohttp", "redis"  # 0.1 s each
STRING_METRICS = "rapidfuzz"  # 0.1 s; it comes with the comparison of answers, which takes 0.3 s

SCORING_PROCESS = (
    "import scorer.scoring.worker.scoring_process.process_main, scorer.scoring.worker.scoring_process.score_batch"
)


def imported(statement: str) -> set[str]:
    """Return the names of the top-level packages that are imported after the statement."""
    program = f"{statement}; import sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(subprocess.check_output([sys.executable, "-c", program], text=True, timeout=60).split())


@pytest.mark.process
@pytest.mark.parametrize(
    ("command", "unneeded"),
    [
        ("render", {LOGS, ARRAYS, HTTP, REDIS}),
        ("validate", {LOGS, ARRAYS, HTTP, REDIS}),
        ("status", {LOGS, ARRAYS, HTTP}),
        ("watch", {LOGS, ARRAYS, HTTP}),
        ("log", {LOGS, ARRAYS, HTTP}),
        ("pairs", {LOGS, ARRAYS, HTTP, STRING_METRICS}),
        ("steering_commands", {LOGS, ARRAYS, HTTP}),
    ],
)
def test_a_command_does_not_import_what_only_others_need(command: str, unneeded: set[str]) -> None:
    found = imported(f"import glidepath_ops.cli.command_line, glidepath_ops.cli.{command}")
    assert "typer" in found
    assert not found & unneeded


@pytest.mark.process
def test_the_scoring_process_imports_no_client_of_a_server() -> None:
    found = imported(SCORING_PROCESS)
    assert STRING_METRICS in found
    assert not found & {LOGS, HTTP, REDIS, "asyncio"}
