"""A user whose sticky value is in bodies is found, in every spelling that JSON encoders write."""

from __future__ import annotations

import pytest

from glidepath_ops.pairs.erase_pairs import digests_in_envoy
from tests.support.lua_in_process import RequestFacts

WRITTEN = {
    "JavaScript": ("acme/änn+x<1>", b'"acme/\xc3\xa4nn+x<1>"'),
    "Python": ("acme/änn+x<1>", rb'"acme/\u00e4nn+x<1>"'),
    "PHP": ("acme/änn+x<1>", rb'"acme\/\u00e4nn+x<1>"'),
    "PHP, not ASCII": ("acme/änn+x<1>", b'"acme\\/\xc3\xa4nn+x<1>"'),
    "Jackson": ("acme/änn+x<1>", rb'"acme/\u00E4nn+x<1>"'),
    "Go": ("acme/änn+x<1>", b'"acme/\xc3\xa4nn+x\\u003c1\\u003e"'),
    ".NET": ("acme/änn+x<1>", rb'"acme/\u00E4nn\u002Bx\u003C1\u003E"'),
    ".NET, a quote": ("o'n\"x\\u00e4", rb'"o\u0027n\u0022x\\u00e4"'),
    "a character beyond 16 bits": ("ann😀", rb'"ann\uD83D\uDE00"'),
    "a number": ("12345", b"12345"),
}


@pytest.mark.parametrize(("value", "written"), WRITTEN.values(), ids=list(WRITTEN))
def test_a_user_is_found_however_the_body_spells_the_value(value: str, written: bytes) -> None:
    facts = RequestFacts().of(b'{"user": ' + written + b', "messages": []}')
    assert not isinstance(facts, str)
    assert facts["keys"][b"user"].decode() in digests_in_envoy(value)


def test_another_user_is_not_found() -> None:
    assert digests_in_envoy("ann").isdisjoint(digests_in_envoy("anm"))
