"""What is printed to play with: only what the scorer will see."""

from __future__ import annotations

from pathlib import Path

from glidepath.config import parse_config
from glidepath_ops.local.curl_guide import guide

RTDS = "\nenvoy: {actuator: rtds}\n"
KNOWN = '\nenvoy: {actuator: rtds, admin: "http://127.0.0.1:9901"}\n'


def lines(text: str) -> str:
    return "\n".join(guide(parse_config(text), Path("glidepath.yaml")))


def test_curl_is_shown_where_the_admin_interface_is_read(valid_yaml: str) -> None:
    for more in ("", KNOWN):
        assert "/runtime_modify?glidepath.chat.weight.onprem-or-cloud=0" in lines(valid_yaml + more)


def test_with_rtds_alone_the_commands_are_shown_and_no_curl(valid_yaml: str) -> None:
    shown = lines(valid_yaml + RTDS)
    assert "runtime_modify" not in shown
    for command in ("hold", "resume", "rollback"):
        assert f"glidepath {command} chat -c glidepath.yaml" in shown
