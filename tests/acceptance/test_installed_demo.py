"""The demo from a wheel that is installed in a fresh environment, outside of the checkout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.built_distributions import build, install


@pytest.mark.process
@pytest.mark.slow
def test_the_demo_runs_from_the_wheel_outside_of_the_checkout(tmp_path: Path) -> None:
    environment = install(build(tmp_path / "built").wheel, tmp_path / "venv")
    outside = tmp_path / "outside"
    outside.mkdir()
    done = environment.run(outside, "demo", "--json", "summary.json", timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads((outside / "summary.json").read_text())
    assert [step["percent"] for step in summary["steps"]][-1] == 100
    assert summary["rollback"]["to_percent"] == 0
    assert summary["client_errors"] == 0
