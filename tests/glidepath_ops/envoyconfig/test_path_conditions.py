"""Tests of the conditions on paths; tests/integration/envoy shows how Envoy applies them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.config.request_match import Match
from glidepath_ops.envoyconfig.path_conditions import REFUSED_METHODS, clear_path_headers

PIECES = (
    "/",
    ".",
    "..",
    "//",
    "\\",
    "%2e",
    "%2E",
    "%2f",
    "%2F",
    "%5c",
    "%20",
    "%",
    "2e",
    "?",
    "x",
    "v1",
    ";",
    "%3b",
    "%3B",
)


def is_clear(path: str) -> bool:
    decoded = path.partition("?")[0].lower().replace("%2f", "/").replace("%3b", ";")
    special = any(one in decoded for one in ("//", "\\", "%2e", "%5c"))
    return not special and not {".", ".."} & {segment.partition(";")[0] for segment in decoded.split("/")}


@given(st.lists(st.sampled_from(PIECES)).map(lambda pieces: "/" + "".join(pieces)))
def test_exactly_the_paths_with_one_reading_are_clear(path: str) -> None:
    (header,) = clear_path_headers(Match(path_prefix="/v1"))
    assert header["invert_match"] is True
    found = re.fullmatch(header["string_match"]["safe_regex"]["regex"], path)
    assert (found is None) is is_clear(path)


def test_an_exact_path_needs_no_condition() -> None:
    assert clear_path_headers(Match(path="/v1/chat")) == []


@pytest.mark.parametrize("method", ["TRACE", "trace", "Track", "CONNECT"])
def test_the_methods_are_refused_in_each_case(method: str) -> None:
    assert re.fullmatch(REFUSED_METHODS, method)


@pytest.mark.parametrize("method", ["GET", "POST", "TRACES", "OPTIONS"])
def test_other_methods_are_served(method: str) -> None:
    assert not re.fullmatch(REFUSED_METHODS, method)
