"""A configuration file for the tests of commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.evidence_builders import BACKENDS


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "glidepath.yaml"
    path.write_text(BACKENDS)
    return path
