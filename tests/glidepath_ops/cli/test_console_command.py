"""`glidepath console`: the token that it creates, and the settings that it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from glidepath.config import parse_config
from glidepath.errors import InputError
from glidepath_ops.cli.console import _create_token


def test_a_missing_token_is_created_once_and_is_private(tmp_path: Path, valid_yaml: str) -> None:
    path = tmp_path / "token"
    config = parse_config(f"{valid_yaml}console: {{token: {{file: {path}}}}}\n")
    _create_token(config, tmp_path)
    first = path.read_text()
    _create_token(config, tmp_path)
    assert path.read_text() == first
    assert len(first.strip()) >= 16
    assert path.stat().st_mode & 0o077 == 0


def test_without_a_file_in_the_configuration_no_token_is_created(tmp_path: Path, valid_yaml: str) -> None:
    with pytest.raises(InputError, match="names no file for the token"):
        _create_token(parse_config(valid_yaml), tmp_path)
