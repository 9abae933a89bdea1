"""A query parameter is stored or copied only if it is known to hold no secret."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.query_parameters import HARMLESS_PARAMETERS, MAX_VALUE, with_harmless_parameters
from tests.support.planted_secrets import PARAMETERS, SECRET, query_of_secrets

PATH = "/v1beta/models/g:generateContent"
TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="?#"))


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("around", ["{}", "alt=sse&{}", "{}&alt=sse", "{}&{}", "&{}&&"])
def test_a_credential_is_removed_whatever_its_name_and_place(name: str, around: str) -> None:
    secret = f"{name}={SECRET}"
    found = with_harmless_parameters(f"{PATH}?{around.format(secret, secret)}")
    assert SECRET not in found
    assert found.startswith(PATH)


def test_all_planted_secrets_at_once_leave_nothing() -> None:
    assert with_harmless_parameters(f"/x?{query_of_secrets()}") == "/x"
    assert with_harmless_parameters(f"/x?api-version=1#{SECRET}") == "/x?api-version=1"
    assert with_harmless_parameters(f"/x#{SECRET}") == "/x"


@pytest.mark.parametrize("query", ["api-version=2024-10-21", "alt=sse&$alt=json", "beta", "beta=true", "Lang=de&LANG="])
def test_harmless_parameters_stay_byte_for_byte(query: str) -> None:
    assert with_harmless_parameters(f"/x?{query}") == f"/x?{query}"


def test_a_harmless_name_with_a_long_or_odd_value_is_removed() -> None:
    for value in ("a" * (MAX_VALUE + 1), "a b", "%41", "a/b", "é"):
        assert with_harmless_parameters(f"/x?version={value}") == "/x"


def test_configured_names_are_kept_with_any_value() -> None:
    further = frozenset({"tenant"})
    assert with_harmless_parameters("/x?Tenant=a%20b&key=k", further) == "/x?Tenant=a%20b"


@given(TEXT, st.lists(st.tuples(TEXT, TEXT)))
def test_only_listed_names_with_short_words_remain(path: str, parameters: list[tuple[str, str]]) -> None:
    query = "&".join("=".join(parameter) for parameter in parameters)
    bare, _, kept = with_harmless_parameters(f"/{path}?{query}").partition("?")
    assert bare == f"/{path}"
    assert kept == "" or set(kept.split("&")) <= set(query.split("&"))
    for parameter in kept.split("&") if kept else ():
        name, _, value = parameter.partition("=")
        assert name.lower() in HARMLESS_PARAMETERS
        assert len(value) <= MAX_VALUE
