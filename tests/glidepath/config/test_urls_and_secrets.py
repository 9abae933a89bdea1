"""A URL with a part that cannot be sent is an error."""

from __future__ import annotations

import pytest

from glidepath.config import parse_config
from glidepath.errors import ConfigError

GOOD = """\
backends: {cloud: {url: "http://a"}, onprem: {url: "http://b"}}
workloads: {chat: {match: {path: /v1/chat/completions}, baseline: cloud, candidate: onprem}}
"""


@pytest.mark.parametrize(
    ("what", "by", "message"),
    [
        ('"http://b"', '"http://user:pw@b"', "backends.onprem.url: must not contain a user or a password"),
        ('"http://b"', '"http://user@b/v2"', "backends.onprem.url: must not contain a user or a password"),
        (
            '"http://b"',
            '"http://b/v2?api-version=1"',
            "onprem.url: must end with the path: '\\?api-version=1'",
        ),
        ('"http://b"', '"http://b c/"', "backends.onprem.url: must be a URL without white space"),
        ('"http://b"', '"http://b/#x"', "backends.onprem.url: must end with the path: '#x' would not be sent"),
        ("backends:", "registry: {mlflow: 'http://m?x=1'}\nbackends:", "registry.mlflow: must end with the path"),
        ("backends:", "envoy: {admin: 'http://m:1?x=1'}\nbackends:", "envoy.admin.*must end with the path"),
        (
            "backends:",
            "scorer: {embedder: {engine: remote, url: 'http://u:pw@e'}}\nbackends:",
            "scorer.embedder.url: must not contain a user",
        ),
    ],
)
def test_a_part_of_a_url_that_would_not_be_sent_is_refused(what: str, by: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        parse_config(GOOD.replace(what, by))
    assert "pw" not in str(caught.value)


def test_a_whole_address_may_have_a_query() -> None:
    parse_config("notify: [{kind: webhook, url: 'https://hooks.example.com/x?channel=1'}]\n" + GOOD)
