"""Tests of the environment of all tests."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.support.steady_environment import steady

SHOW = """
import os, signal, sys
print(sorted({"COLUMNS", "LINES", "NO_COLOR", "GITHUB_ACTIONS"} & set(os.environ)), os.environ["TZ"])
print(sorted(one.name for one in (signal.SIGHUP, signal.SIGINT) if signal.getsignal(one) is signal.SIG_IGN))
"""
STARTED_BY_A_SCRIPT = f"""
import subprocess, sys
from tests.support.steady_environment import make_steady
make_steady()
subprocess.run([sys.executable, "-c", {SHOW!r}], check=True)
"""


def test_what_a_shell_or_a_ci_system_sets_for_itself_does_not_reach_a_test() -> None:
    assert steady({"COLUMNS": "200", "LC_TIME": "de_DE", "OPENAI_BASE_URL": "http://x", "GITHUB_ACTIONS": "true"}) == {
        "TERM": "xterm",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "no_proxy": "localhost,127.0.0.1,::1",
        "NO_PROXY": "localhost,127.0.0.1,::1",
    }


def test_the_proxy_for_other_hosts_and_the_paths_stay() -> None:
    given = {"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "example.com", "PATH": "/bin", "HOME": "/root"}
    assert given | {"NO_PROXY": "example.com,localhost,127.0.0.1,::1"} == {
        name: value for name, value in steady(given).items() if name in given
    }


@pytest.mark.process
def test_a_child_of_this_run_has_it_although_readline_sets_the_width() -> None:
    done = subprocess.run([sys.executable, "-c", SHOW], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[0] == "[] UTC"


@pytest.mark.process
def test_signals_that_a_script_ignores_for_its_background_job_are_not_ignored_by_a_child() -> None:
    def ignore() -> None:
        for number in (signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)

    command = [sys.executable, "-c", STARTED_BY_A_SCRIPT]
    env = {"COLUMNS": "200", "NO_COLOR": "1", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, preexec_fn=ignore, env=env)
    assert done.stdout.splitlines() == ["[] UTC", "[]"]
