"""A field is recognised as a credential by its name and its value."""

from __future__ import annotations

import pytest

from extproc.credential_names import is_credential, is_credential_before_host, is_credential_of_url

SPELLINGS = ("{0}_{1}", "{0}-{1}", "{0}{1}", "{0}.{1}", "X-{0}-{1}")


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("api", "key"),
        ("Access", "Token"),
        ("client", "secret"),
        ("PRIVATE", "KEY"),
        ("db", "password"),
        ("hub", "token"),
    ],
)
def test_every_spelling_of_a_name_is_known(spelling: str, first: str, last: str) -> None:
    assert is_credential(spelling.format(first, last), "T")


@pytest.mark.parametrize(
    "name",
    [
        "max_tokens",
        "eosToken",
        "next-page-token",
        "price_per_token",
        "token_count",
        "tokens",
        "key",
        "cache_key",
        "keys",
    ],
)
def test_tokens_of_a_model_cursors_and_counts_are_no_credentials(name: str) -> None:
    assert not is_credential(name, "a1b2c3d4e5f6a7b8")


@pytest.mark.parametrize(
    ("value", "expected"),
    [("hunter22", True), ("a" * 20, True), ("Paris", False), ("abcdefgh", False), ("a 1 b 2 c 3", False)],
)
def test_the_value_decides_for_a_bare_token(value: str, expected: bool) -> None:
    assert is_credential("token", value) is expected


@pytest.mark.parametrize("value", ["", "string", "STR", "null"])
def test_an_empty_value_and_the_name_of_a_type_are_no_credentials(value: str) -> None:
    assert not is_credential("password", value)


@pytest.mark.parametrize(
    "name",
    ["X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token", "X-Goog-Signature", "X-Goog-Credential", "sig",
     "Signature", "access_token", "token"],
)  # fmt: skip
def test_parameters_of_signed_urls_are_known(name: str) -> None:
    assert is_credential_of_url(name, "0123456789abcdef")
    assert not is_credential_of_url(name, "SIGNATURE_OF_THE_REQUEST")
    assert not is_credential_of_url(name, "short1")


PASSWORDS = [
    "hunter2", "s3cret!", "correct-horse", "p%40ss1", "pass:w0rd", "äöü", "mysecret", "bluekey", "passw0rd", "aaaa",
    "Sup3r$ecret9", "$ecret", "$ECRET!", "aB3*x9Qk", "a(b)c", "a[b]c", "a{b}c", "a<b>c", "***a", "%41b", "%PW",
    "{a}b{c}", "[a]b[c]", "$A$b", "${PW:-hunter2}", "x.x", "...a", "p%PW%", "token1", "password!",
]  # fmt: skip
PLACEHOLDERS = [
    "pass", "password", "your_password", "PASSWORD", "my-secret", "<pw>", "${PW}", "{{pw}}", "%PW%", "***", "xxx",
    "your-password", "YOUR_API_KEY", "yourpassword", "your-token-here", "changeme", "change_me", "example",
    "secret", "{pw}", "{quote(pw)}", "$PW", "$DB_PASS_2", "$(pw)", "${env.PW}", "[YOUR-PASSWORD]", "%s", "%(pw)s",
    "...", "…", "••••", "XXXX", "p",
]  # fmt: skip


@pytest.mark.parametrize("password", PASSWORDS)
def test_a_password_before_a_host_is_a_credential(password: str) -> None:
    assert is_credential_before_host("user", password)


@pytest.mark.parametrize("password", ["", *PLACEHOLDERS])
def test_a_placeholder_before_a_host_is_no_credential(password: str) -> None:
    assert not is_credential_before_host("user", password)


def test_only_a_long_user_with_a_digit_is_a_credential_without_a_real_password() -> None:
    for password in ("", "x", "pass"):
        assert is_credential_before_host("ghp_0123456789abcdef", password)
    assert not is_credential_before_host("git", "")
    assert not is_credential_before_host("firstname.lastname", "")
