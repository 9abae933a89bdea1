"""Configuration files for the tests of commands."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.support.chat_config import CHAT_CONFIG


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "glidepath.yaml"
    path.write_text(CHAT_CONFIG)
    return path


@pytest.fixture
def file(tmp_path: Path, valid_yaml: str, redis_url: str) -> Path:
    """Return a configuration file whose Redis runs."""
    path = tmp_path / "glidepath.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(valid_yaml) | {"redis": {"url": redis_url}}))
    return path
