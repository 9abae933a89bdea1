"""Tests of the Lua source for adapting requests to a backend."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from glidepath.config.backends import Backend
from glidepath_ops.envoyconfig.backend_adaptation import (
    Attempt,
    keeps_client_credential,
    lua_source,
    quote,
    upstream_filters,
)


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
    text = lua_source([Attempt("a", backend, keep=False), Attempt("b", Backend(url="http://b"), keep=True)])
    assert text.splitlines()[0].startswith("local SIDES = { {")
    assert "function envoy_on_request(handle)" in text
    assert '["x-a"] = "b"' in text


def test_which_backends_get_the_clients_own_credential() -> None:
    none = Backend(url="http://a")
    own = Backend(url="http://a", credential={"env": "KEY"})  # type: ignore[arg-type]
    asked = Backend(url="http://a", credential={"passthrough": True})  # type: ignore[arg-type]
    found = [keeps_client_credential(b, candidate=c) for b in (none, own, asked) for c in (False, True)]
    assert found == [True, False, False, False, True, True]


def test_a_backend_that_gets_requests_unchanged_needs_no_filter() -> None:
    assert upstream_filters([Attempt("a", Backend(url="http://a:1", host="b"), keep=True)]) == []
    different: list[dict[str, Any]] = [
        {"url": "http://a/x"},
        {"strip": "/v1"},
        {"model": "m"},
        {"headers": {"x-a": "b"}},
        {"credential": {"env": "KEY"}},
    ]
    for more in different:
        assert upstream_filters([Attempt("a", Backend(**{"url": "http://a", **more}), keep=True)]), more
    plain = Backend(url="http://a")
    assert upstream_filters([Attempt("a", plain, keep=False)])
    assert upstream_filters([Attempt("a", plain, keep=True), Attempt("b", plain, keep=True)])
