"""``pytest --fast``: run only the tests that start no process and load no torch, and check that they do neither.

A test is left out if it is in a folder of whole-system tests, uses a fixture that starts a server, or carries the
mark ``process`` (it starts a process or loads a model) or ``slow`` (a long simulation). If a test without a mark
starts a process or loads torch, the audit hook makes it fail.
"""

from __future__ import annotations

import sys

import pytest

FOLDERS = frozenset({"integration", "acceptance", "compose"})
FIXTURES = frozenset({"redis_server", "redis_url", "redis_client"})
MARKS = ("process", "slow")
FORBIDDEN_MODULES = frozenset({"torch", "openvino", "xllamacpp"})


def is_fast(item: pytest.Item) -> bool:
    fixtures = set(getattr(item, "fixturenames", ()))
    marked = any(item.get_closest_marker(mark) is not None for mark in MARKS)
    return not fixtures & FIXTURES and not marked


def forbid_processes_and_torch() -> None:
    """Install an audit hook that raises an error in a test that starts a process or imports torch.

    The hook stays until the process ends.
    """

    def audit(event: str, arguments: tuple[object, ...]) -> None:
        if event in ("subprocess.Popen", "os.fork", "os.posix_spawn"):
            raise RuntimeError(f"a fast test must not start a process ({arguments[0] if arguments else event})")
        if event == "import" and arguments[0] in FORBIDDEN_MODULES:
            raise RuntimeError(f"a fast test must not load {arguments[0]}")

    sys.addaudithook(audit)
