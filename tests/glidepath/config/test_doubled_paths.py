"""An error with remedies if a backend's URL ends with the start of the clients' path, which Envoy would double."""

from __future__ import annotations

import pytest

from glidepath.config import parse_config
from glidepath.errors import ConfigError


def parse(backend: str, match: str = "{path: /v1/chat/completions}", more: str = "") -> None:
    parse_config(
        f"backends:\n  cloud: {{url: 'https://a'}}\n  onprem: {{{backend}}}\n"
        f"workloads:\n  chat: {{match: {match}, baseline: cloud, candidate: onprem{more}}}\n"
    )


@pytest.mark.parametrize(
    ("backend", "match", "sent"),
    [
        ("url: 'http://b/v1'", "{path: /v1/chat/completions}", "/v1/v1/chat/completions"),
        ("url: 'http://b/v1/'", "{path: /v1/chat/completions}", "/v1/v1/chat/completions"),
        ("url: 'https://b/openai/v1'", "{path: /v1/embeddings}", "/openai/v1/v1/embeddings"),
        ("url: 'https://b/openai/v1'", "{path_prefix: /openai/v1/}", "/openai/v1/openai/v1/"),
        ("url: 'https://b/v1/chat/completions'", "{path: /v1/chat/completions}", "/completions/v1/chat/completions"),
    ],
)
def test_a_base_url_that_repeats_the_clients_path_is_refused(backend: str, match: str, sent: str) -> None:
    with pytest.raises(ConfigError, match=r"yaml:3: backends\.onprem\.url: ends with ") as caught:
        parse(backend, match)
    assert sent in str(caught.value)


def test_the_error_shows_both_remedies_and_each_works() -> None:
    with pytest.raises(ConfigError, match=r"write url: http://b, or add strip: /v1"):
        parse("url: 'http://b/v1'")
    parse("url: 'http://b'")
    parse("url: 'http://b/v1', strip: /v1")


def test_the_path_of_probes_counts_too() -> None:
    probes = ", probes: {prompts: [hi], path: /v1/chat/completions}"
    with pytest.raises(ConfigError, match="would request /v1/v1/chat/completions"):
        parse("url: 'http://b/v1'", "{path_prefix: /}", probes)


@pytest.mark.parametrize(
    "backend",
    ["url: 'http://b/v2'", "url: 'http://b/v1x'", "url: 'http://b/x/v1/y'", "url: 'http://b/v1', strip: ''"],
)
def test_other_paths_and_an_explicit_strip_are_accepted(backend: str) -> None:
    parse(backend)


def test_a_backend_that_no_workload_with_this_path_uses_is_accepted() -> None:
    parse("url: 'http://b'}\n  other: {url: 'http://c/v1'")
