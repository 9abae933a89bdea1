"""Tests that the report of a test that exceeds its time limit shows where its tasks wait."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.waiting_tasks import waiting_tasks

HANGS = """
import asyncio

async def innermost():
    await asyncio.Event().wait()

async def outer():
    await innermost()

async def test_that_hangs():
    await asyncio.create_task(outer(), name="the task that hangs")
"""


async def test_each_waiting_task_is_shown_with_the_functions_that_wait() -> None:
    async def innermost() -> None:
        await asyncio.Event().wait()

    async def outer() -> None:
        await innermost()

    task = asyncio.create_task(outer(), name="named")
    await asyncio.sleep(0)
    lines = waiting_tasks().splitlines()
    task.cancel()
    shown = lines[lines.index("named") + 1 :]
    names = [line.rpartition(".")[2] for line in shown[:3]]
    assert names == ["outer", "innermost", "wait"]
    assert __file__ in shown[0]


@pytest.mark.process
def test_a_test_that_exceeds_its_time_limit_shows_its_waiting_tasks(tmp_path: Path) -> None:
    (tmp_path / "test_hanging.py").write_text(HANGS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "--timeout", "2"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTEST_ADDOPTS": ""}
    env.pop("PYTEST_XDIST_WORKER", None)
    done = subprocess.run([*command, str(tmp_path)], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1, done.stdout + done.stderr
    waiting = done.stdout.partition("Waiting tasks")[2]
    assert "the task that hangs" in waiting
    assert "in innermost" in waiting
