"""The console beside `up`: its address, its token, and a start without the console."""

from __future__ import annotations

from pathlib import Path

import pytest

from glidepath.config import parse_config
from glidepath_ops.local import console_process
from glidepath_ops.local.console_process import console_url, start_console, with_console
from glidepath_ops.local.stack import Stack


def test_without_a_section_the_console_gets_an_address_and_a_private_token(valid_yaml: str, tmp_path: Path) -> None:
    config = with_console(parse_config(valid_yaml), tmp_path)
    token = tmp_path / "console" / "token"
    assert token.stat().st_mode & 0o077 == 0
    url, _, shown = console_url(config, tmp_path).partition("/login#")
    assert url.startswith("http://127.0.0.1:")
    assert shown == token.read_text().strip()
    assert len(shown) >= 16


def test_the_token_stays_the_same(valid_yaml: str, tmp_path: Path) -> None:
    one, two = (console_url(with_console(parse_config(valid_yaml), tmp_path), tmp_path) for _ in range(2))
    assert one.partition("#")[2] == two.partition("#")[2]


def test_the_users_own_settings_stay_and_their_token_is_not_printed(
    valid_yaml: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLIDEPATH_TEST_TOKEN", "a-token-of-the-user")
    text = valid_yaml + 'console: {listen: "0.0.0.0:9999", token: {env: GLIDEPATH_TEST_TOKEN}}\n'
    config = with_console(parse_config(text), tmp_path)
    assert config.console == parse_config(text).console
    assert console_url(config, tmp_path) == "http://127.0.0.1:9999/"


def test_without_its_packages_the_console_is_left_out_with_a_message(
    valid_yaml: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console_process, "find_spec", lambda name: None)
    said: list[str] = []
    with Stack() as stack:
        assert not start_console(stack, parse_config(valid_yaml), tmp_path, said.append)
        assert not stack.children
    assert said == ["no console: its packages are missing (pip install 'glidepath[console]')"]
