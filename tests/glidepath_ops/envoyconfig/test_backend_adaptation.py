"""Tests of the Lua source for adapting requests to a backend."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from glidepath.config import parse_config
from glidepath.config.backends import Backend
from glidepath_ops.envoyconfig.backend_adaptation import (
    AdaptedBackend,
    keeps_client_credential,
    lua_source,
    quote,
    upstream_filters,
)
from glidepath_ops.envoyconfig.clusters import clusters
from glidepath_ops.envoyconfig.envoy_api_builders import HTTP_OPTIONS
from tests.support.chat_config import CHAT_CONFIG


def unquote(literal: str) -> bytes:
    """Return the bytes that Lua reads from a literal: decimal escapes of three digits, everything else unchanged."""
    assert literal[0] == literal[-1] == '"'
    inner = literal[1:-1]
    assert re.fullmatch(r'(?:[^"\\\x00-\x1f\x7f-\U0010ffff]|\\\d{3})*', inner), inner
    parts = re.split(r"\\(\d{3})", inner)
    return b"".join(bytes([int(p)]) if n % 2 else p.encode() for n, p in enumerate(parts))


@given(st.text())
def test_lua_reads_a_quoted_string_back_unchanged(text: str) -> None:
    assert unquote(quote(text)) == text.encode()


def test_the_lua_program_is_constant_and_its_parameters_precede_it() -> None:
    backend = Backend(url="http://a:1/x", model='m"', headers={"X-A": "b"})
    text = lua_source(
        [AdaptedBackend("a", backend, keep=False), AdaptedBackend("b", Backend(url="http://b"), keep=True)]
    )
    assert text.splitlines()[0].startswith('local SIDES = { ["a"] = {')
    assert text.splitlines()[1] == 'local DEFAULT = "b"'
    assert "function envoy_on_request(handle)" in text
    assert '["x-a"] = "b"' in text


def test_the_longest_form_that_is_left_to_the_baseline_is_the_longest_body_that_envoy_holds() -> None:
    config = parse_config(CHAT_CONFIG + "envoy: {max_body: 8MiB}\n")
    sources = [
        one["typed_config"]["default_source_code"]["inline_string"]
        for cluster in clusters(config)
        for one in cluster.get("typed_extension_protocol_options", {}).get(HTTP_OPTIONS, {}).get("http_filters", [])
        if "default_source_code" in one["typed_config"]
    ]
    assert any(f"local LONGEST_FORM = {8 * 2**20}\n" in source for source in sources)


def test_which_backends_get_the_clients_own_credential() -> None:
    none = Backend(url="http://a")
    own = Backend(url="http://a", credential={"env": "KEY"})  # type: ignore[arg-type]
    asked = Backend(url="http://a", credential={"passthrough": True})  # type: ignore[arg-type]
    found = [keeps_client_credential(b, candidate=c) for b in (none, own, asked) for c in (False, True)]
    assert found == [True, False, False, False, True, True]


def test_a_backend_that_gets_requests_unchanged_needs_no_filter() -> None:
    assert upstream_filters([AdaptedBackend("a", Backend(url="http://a:1", host="b"), keep=True)]) == []
    different: list[dict[str, Any]] = [
        {"url": "http://a/x"},
        {"strip": "/v1"},
        {"model": "m"},
        {"headers": {"x-a": "b"}},
        {"credential": {"env": "KEY"}},
    ]
    for more in different:
        assert upstream_filters([AdaptedBackend("a", Backend(**{"url": "http://a", **more}), keep=True)]), more
    plain = Backend(url="http://a")
    assert upstream_filters([AdaptedBackend("a", plain, keep=False)])
    assert upstream_filters([AdaptedBackend("a", plain, keep=True), AdaptedBackend("b", plain, keep=True)])


def test_a_side_that_gets_what_the_route_made_of_the_request_has_no_setting_of_its_own() -> None:
    there = Backend(cluster="theirs", host="b", model="m", headers={"x-b": "c"}, credential={"env": "KEY"})  # type: ignore[arg-type]
    restored = AdaptedBackend("b", there, keep=False, restore=True)
    lines = lua_source([AdaptedBackend("a", Backend(url="http://a", model="n"), keep=False), restored]).splitlines()
    assert '["b"] = { ["restore"] = true, ["set"] = {} }' in lines[0]
    assert "x-b" not in next(line for line in lines if line.startswith("local NAMES"))


def test_only_a_cluster_of_two_sides_asks_for_the_backend_of_the_endpoint() -> None:
    sides = [AdaptedBackend(name, Backend(url=f"http://{name}"), keep=False) for name in ("a", "b")]
    assert [one["name"] for one in upstream_filters(sides)] == ["glidepath.backend", "envoy.filters.http.lua"]
    assert [one["name"] for one in upstream_filters(sides[:1])] == ["envoy.filters.http.lua"]
