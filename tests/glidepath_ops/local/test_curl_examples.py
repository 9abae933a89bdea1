"""Tests of the printed example commands."""

from __future__ import annotations

from pathlib import Path

from glidepath.config import parse_config
from glidepath_ops.local.curl_examples import example_lines

RTDS = "\nenvoy: {actuator: rtds}\n"
KNOWN = '\nenvoy: {actuator: rtds, admin: "http://127.0.0.1:9901"}\n'


def lines(text: str) -> str:
    return "\n".join(example_lines(parse_config(text), Path("glidepath.yaml")))


def test_curl_is_shown_if_the_admin_api_is_known(valid_yaml: str) -> None:
    for more in ("", KNOWN):
        assert "/runtime_modify?glidepath.chat.weight.onprem-or-cloud=0" in lines(valid_yaml + more)


def test_the_address_for_clients_is_shown_only_if_it_is_that_of_our_envoy(valid_yaml: str) -> None:
    assert "http://127.0.0.1:10000" in lines(valid_yaml)
    theirs = "\n".join(example_lines(parse_config(valid_yaml + KNOWN), Path("glidepath.yaml"), own_envoy=False))
    assert "http://127.0.0.1:10000" not in theirs
    assert "clients        the listener of your own Envoy" in theirs


def test_a_split_that_ends_without_a_scorer_has_the_command_that_brings_it_back(valid_yaml: str) -> None:
    assert ".lease=" not in lines(valid_yaml)
    shown = lines(valid_yaml.replace("    candidate: onprem\n", "    candidate: onprem\n    if_lost: baseline\n"))
    assert "after 10 s without a scorer the split ends (if_lost); bring it back by hand" in shown
    assert "/runtime_modify?glidepath.chat.lease=100'" in shown
    assert "/runtime_modify?glidepath.chat.lease='" in shown


def test_with_rtds_and_no_admin_api_glidepath_commands_are_shown_and_no_curl(valid_yaml: str) -> None:
    shown = lines(valid_yaml + RTDS)
    assert "runtime_modify" not in shown
    for command in ("hold", "resume", "rollback"):
        assert f"glidepath {command} chat -c glidepath.yaml" in shown
