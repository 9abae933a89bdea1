"""No engine may report its use: importing one writes nothing to the home folder and loads no telemetry package."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_an_engine_writes_nothing_to_the_home_folder(engine: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(engine) is None:
        pytest.skip(f"{engine} is not installed")
    program = f"import scorer.scoring.embed, {engine}, sys; print(sys.modules.get('openvino_telemetry'))"
    environment = {**os.environ, "HOME": str(tmp_path)}
    environment.pop("XDG_CACHE_HOME", None)
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "None"), done.stderr
    assert not [str(path) for path in tmp_path.rglob("*")]
