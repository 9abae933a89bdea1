"""Callers are named by a header, or by a fingerprint that does not reveal the credential."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.inventory.callers import CREDENTIALS, NOBODY, UNKNOWN, CallerNames, fingerprint, is_credential

KEY = b"k" * 32
NAMES = CallerNames(("x-team",), fingerprint=True, key=KEY)


def values(**given: str) -> list[str]:
    return [given.get(name.replace("-", "_"), "") for name in NAMES.sources]


def token(**claims: object) -> str:
    parts = (json.dumps(one).encode() for one in ({"alg": "none"}, claims))
    return ".".join([*(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts), "signature"])


def test_the_configured_header_comes_before_the_credential() -> None:
    assert NAMES.caller(values(x_team="billing", authorization="Bearer sk-1")) == "x-team=billing"


def test_a_caller_without_the_header_has_a_fingerprint() -> None:
    first = NAMES.caller(values(authorization="Bearer sk-1"))
    assert first.startswith("key:")
    assert first == NAMES.caller(values(authorization="Bearer sk-1"))
    assert first != NAMES.caller(values(authorization="Bearer sk-2"))
    assert first != replace(NAMES, key=b"another key").caller(values(authorization="Bearer sk-1"))


def test_a_key_has_one_fingerprint_in_every_header_and_in_the_query() -> None:
    shown = {NAMES.caller(values(**{name.replace("-", "_"): "sk-1"})) for name in CREDENTIALS}
    assert shown == {NAMES.caller(values(authorization="Bearer sk-1")), NAMES.caller(values(), "/v1/x?key=sk-1")}
    assert len(shown) == 1


def test_a_header_with_control_characters_is_shown_without_them() -> None:
    assert NAMES.caller(values(x_team="a\x1b[31m\nb" + 100 * "c")).isprintable()


@pytest.mark.parametrize("team", ["équipe-données", "финансы", "数据组", "टीम"])
def test_a_name_is_shown_in_its_own_script(team: str) -> None:
    assert NAMES.caller(values(x_team=team)) == f"x-team={team}"


def test_a_request_without_a_header_or_a_credential_has_no_caller() -> None:
    assert NAMES.caller(values()) == NOBODY
    assert replace(NAMES, fingerprint=False).caller(values(authorization="Bearer sk-1")) == NOBODY


def test_no_fingerprint_is_made_before_its_key_is_known() -> None:
    assert replace(NAMES, key=None).caller(values(authorization="Bearer sk-1")) == UNKNOWN


def test_a_renewed_token_is_the_same_caller() -> None:
    old, new = token(iss="idp", sub="svc-a", exp=1), token(iss="idp", sub="svc-a", exp=2, jti="x")
    other = token(iss="idp", sub="svc-b", exp=1)
    assert fingerprint(f"Bearer {old}", KEY) == fingerprint(f"Bearer {new}", KEY)
    assert fingerprint(f"Bearer {old}", KEY) != fingerprint(f"Bearer {other}", KEY)


def test_a_signed_request_is_known_by_the_id_of_its_key() -> None:
    def signed(key: str, signature: str) -> str:
        return f"AWS4-HMAC-SHA256 Credential={key}/20261101/eu-west-1/bedrock/aws4_request, Signature={signature}"

    assert fingerprint(signed("AKIA1", "aa"), KEY) == fingerprint(signed("AKIA1", "bb"), KEY)
    assert fingerprint(signed("AKIA1", "aa"), KEY) != fingerprint(signed("AKIA2", "aa"), KEY)


@pytest.mark.parametrize("damaged", ["ey.x.y", "eyJ.a.b", "a.b.c", "", " ", "Bearer ", "ey" + 9000 * "x" + ".a.b"])
def test_a_damaged_token_has_a_fingerprint_too(damaged: str) -> None:
    assert len(fingerprint(damaged, KEY)) == 12


@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=6, max_size=60))
def test_no_part_of_a_credential_is_in_its_fingerprint(secret: str) -> None:
    shown = NAMES.caller(values(authorization=f"Bearer {secret}")).removeprefix("key:")
    assert not any(secret[at : at + 6] in shown for at in range(len(secret) - 5))


@pytest.mark.parametrize(
    "secret", ["Bearer abc", "sk-proj-abcdefghijklmnop", "AIzaSyD-abcdefghijklmnopq", "AKIA1234567890AB"]
)
def test_a_credential_in_the_header_of_callers_is_a_fingerprint(secret: str) -> None:
    names = replace(NAMES, headers=("x-team",), key=KEY)
    assert names.caller([secret, "", "", "", ""]) == f"key:{fingerprint(secret, KEY)}"
    assert replace(names, fingerprint=False).caller([secret]) == UNKNOWN


@pytest.mark.parametrize("value", ["basic", "skills-team", "sk-team", "bearer-proxy", "hf_jobs", "eyewear.com.shop"])
def test_a_name_that_begins_as_a_credential_stays_a_name(value: str) -> None:
    assert not is_credential("x-team", value)
