"""The rules for workloads whose weights are in an HTTPRoute."""

from __future__ import annotations

import pytest

from glidepath.config import parse_config
from glidepath.errors import ConfigError
from tests.support.chat_config import CHAT_CONFIG
from tests.support.kubernetes_api_server import ACTUATOR, steered_by_http_route

VALID = steered_by_http_route(CHAT_CONFIG, "https://10.0.0.1")


def test_the_section_is_read() -> None:
    workload = parse_config(VALID).workload("chat")
    assert workload.actuator is not None
    assert workload.actuator.place == "models/chat/0"
    assert workload.assignment is None, "an HTTPRoute assigns each request at random"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("fallback: false", "fallback: true", "fallback: is not possible where an HTTPRoute splits"),
        (
            "fallback: false",
            "fallback: false\n    sticky: {header: x-user}",
            "sticky: has no effect where an HTTPRoute",
        ),
        ("fallback: false", "fallback: false\n    if_lost: baseline", "if_lost: is not possible where an HTTPRoute"),
        ("https://10.0.0.1", "http://10.0.0.1", "must be https://, or http:// with a loopback address"),
        ("name: chat", "name: Chat", "actuator.name"),
        ("baseline: {name: cloud}, ", "", "actuator.baseline"),
        (
            "{name: cloud}",
            "{group: inference.networking.k8s.io, kind: InferencePool, name: vllm}",
            "the same backendRef",
        ),
        ("{namespace", "{kind: gateway, namespace", "actuator.kind"),
        ("{namespace", "{rule: -1, namespace", "actuator.rule"),
    ],
)
def test_a_setting_that_an_httproute_cannot_have_is_an_error(old: str, new: str, message: str) -> None:
    assert old in VALID
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        parse_config(VALID.replace(old, new, 1))


def test_two_workloads_with_one_rule_are_an_error() -> None:
    second = (
        "  other:\n    match: {path: /v1/other}\n    baseline: cloud\n    candidate: onprem\n"
        f"    fallback: false\n    actuator: {ACTUATOR}\n"
    )
    with pytest.raises(ConfigError, match=r"workloads\.other\.actuator: is the rule models/chat/0, which has the"):
        parse_config(VALID + second)


def test_the_section_changes_no_digest_of_other_workloads() -> None:
    plain = parse_config(CHAT_CONFIG).digest("chat")
    assert parse_config("kubernetes: {timeout: 1s}\n" + CHAT_CONFIG).digest("chat") == plain
