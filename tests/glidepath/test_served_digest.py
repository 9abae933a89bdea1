"""The served digest depends on exactly the settings that decide which model answers."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from glidepath.config import parse_config
from glidepath.outcome_summaries import SEVERAL_DIGESTS, joined_digests
from glidepath.served_digest import served_digest


def digest(onprem: dict[str, Any] | None = None, **workload: Any) -> str:
    chat = {"match": {"path": "/v1/chat/completions"}, "baseline": "cloud", "candidate": "onprem", **workload}
    own = {"url": "https://b.test/v1", "strip": "/v1", **(onprem or {})}
    own = {key: value for key, value in own.items() if value is not None}
    other = {"url": "http://c.test", "model": "m"}
    backends = {"cloud": {"url": "http://a.test"}, "onprem": own, "spare": other}
    return served_digest(parse_config(yaml.safe_dump({"backends": backends, "workloads": {"chat": chat}})), "chat")


@pytest.mark.parametrize(
    "change",
    [
        {"url": "https://c.test/v1"},
        {"url": "https://b.test/v2"},
        {"url": None, "strip": None, "cluster": "there", "host": "b.test"},
        {"model": "llama"},
        {"credential": {"env": "KEY"}},
        {"credential": {"file": "/run/key"}},
        {"credential": {"passthrough": True}},
        {"headers": {"x-org": "a"}},
        {"strip": "/v"},
        {"host": "other.test"},
        {"sni": "other.test"},
        {"client_cert": {"cert": "a.pem", "key": "b.pem"}},
    ],
)
def test_what_decides_which_server_and_model_answers_is_in_the_digest(change: dict[str, Any]) -> None:
    assert digest(change) != digest()


@pytest.mark.parametrize("change", [{"candidate": "spare"}, {"baseline": "spare"}, {"fallback": False}])
def test_the_two_sides_and_the_fallback_are_in_the_digest(change: dict[str, Any]) -> None:
    assert digest(**change) != digest()


@pytest.mark.parametrize(
    "change",
    [{"max_requests": 7}, {"first_byte_timeout": "9s"}, {"price": {"input": 1, "output": 2}}, {"ca_file": "/ca.pem"}],
)
def test_limits_and_prices_are_not_in_the_digest(change: dict[str, Any]) -> None:
    assert digest(change) == digest()
    assert digest(ramp={"steps": [50]}, shadow={"sample": 3}) == digest()


def test_the_digest_has_no_value_of_a_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "one")
    before = digest({"credential": {"env": "KEY"}})
    monkeypatch.setenv("KEY", "two")
    assert digest({"credential": {"env": "KEY"}}) == before


def test_counts_of_two_digests_have_neither() -> None:
    assert joined_digests("a", "a") == joined_digests("", "a") == joined_digests("a", "") == "a"
    assert joined_digests("a", "b") == joined_digests(SEVERAL_DIGESTS, "b") == SEVERAL_DIGESTS
