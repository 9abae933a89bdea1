"""Finds requests whose body gives the backend a credential, or a remote tool to call.

A copy of such a request would give the credential to the other side, store it in Redis, and run the tool a second time.
A body is found if it has one of these:

- OpenAI's ``tools[].authorization``, or a tool of type ``mcp``
- in the ``headers`` of a tool: a header that is not well known, if its value may be a secret
- Anthropic's ``mcp_servers[].authorization_token``
- Azure OpenAI's ``data_sources[].parameters.authentication``
- a JSON member, form field or URL parameter whose name means a credential (``extproc.credential_names``), such as the
  signature of a signed URL
- a URL with a password or a token before its host

The check searches the bytes of the body without parsing them, so a large body costs little. A name inside a text that a
user wrote does not count, because its quotes are escaped. If the search would take too long, the body counts as found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from extproc.credential_names import (
    ENDS,
    PORT,
    is_credential,
    is_credential_before_host,
    is_credential_of_url,
    looks_random,
)
from glidepath.envoy_names import PASSED_HEADERS

LONGEST_NAME = 64
MOST_CANDIDATES = 20_000
MOST_ESCAPES = 200_000


def _after(closing: bytes) -> bytes:
    """Return a pattern for the position directly after ``closing``, if ``closing`` follows a name ending from ENDS."""
    return b"(?:" + b"|".join(rb"(?<=" + end.encode() + closing + b")" for end in ENDS) + b")"


# A member with a string, or with a list of strings. The pattern begins at the quote that ends the name, because this is
# fast to find.
_MEMBER = re.compile(rb'"(?=\s*:\s*(?:\[\s*)?"[^"])' + _after(b'"') + rb'\s*:\s*(?:\[\s*)?"([^"]*)')
_A_TYPE = rb'"(?:type"\s*:\s*(?:"(?:object|array|string|number|integer|boolean|null)"|\[)|\$ref"|anyof"|description")'
_OBJECT = re.compile(
    rb'"(?:(?:auth|authentication|credentials?|vertex_credentials)"\s*:\s*\{\s*(?!' + _A_TYPE + rb')"'
    rb'|mcp_servers"\s*:\s*[\[{]|type"\s*:\s*"mcp")'
)
# The headers that a tool sends. A service may read its secret from a header with any name.
_HEADERS = re.compile(rb'headers"\s*:\s*\{([^{}]{1,4096}+)')
_HEADER = re.compile(rb'"([^"]{1,64}+)"\s*:\s*"([^"]{1,4096}+)')
_NO_SECRET = frozenset(name.encode() for name in PASSED_HEADERS)
_PARAMETER = re.compile(rb"=(?=[^&\s\"'<>\\])" + _after(b"=") + rb"([^&\s\"'<>\\]+)")
# The user and the password before the host of a URL. A password may contain "@", so it ends at the last "@". In the
# second form, it also contains a slash or another character that ends a host if the URL is read strictly. No part
# contains "://", so no byte is searched from two beginnings.
_BEFORE_HOST = re.compile(
    rb"://(?:([^\s/?#@:\"'<>\\]{0,4096}+)(?::([^\s/?#\"'<>\\]{0,4096}))?"
    rb"|([^\s/?#@:\"'<>\\\[]{0,256}+):(?!" + PORT.encode() + rb")((?:[^\s\"<>\\:]|:(?!//)){1,256}))@(?=[\w\[{$%<])"
)
# A part of a multipart body. All repetitions are bounded, because an attacker may send a body that is slow to search.
_PART = re.compile(rb"content-disposition:([^\r\n]{0,256}+)\r?\n(?:[^\r\n]{1,999}+\r?\n){0,8}+\r?\n([^\r\n]+)")
_NAME_OF_A_PART = re.compile(rb'[; ]name="?([^";]{1,64})')
_NAME_BEFORE = re.compile(rb"([^\s&?;#=\"'<>,{}()]{1,64})\Z")
_OF_A_MODELS_TOKEN = re.compile(rb'"(?:logprob|bytes|top_logprobs|text_offset)"')
_NEAR = 160  # a language model's token and its log-probability are at most this many bytes apart
_ASCII_ESCAPE = re.compile(rb"\\u00([2-7][0-9a-fA-F])")
_PERCENT = re.compile(rb"%([2-7][0-9a-fA-F])")
_QUOTES = (0x22, 0x5C)


def gives_a_credential(body: bytes) -> bool:
    """Return whether a request's body contains a credential or a remote tool. Return True if it cannot be read.

    ``body`` has no content encoding.
    """
    if b"\0" in body[:4] or body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return True  # UTF-16 or UTF-32, which this check does not read
    if len(body) > MOST_ESCAPES and body.count(b"\\u00") + body.count(b"%") > MOST_ESCAPES:
        return True
    is_json = _is_json(body)
    return any(_found(text, is_json=is_json) for text in _readings(body, is_json=is_json))


def _is_json(body: bytes) -> bool:
    return body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")


def _readings(body: bytes, *, is_json: bool) -> Iterator[bytes]:
    """Yield the body with its JSON escapes decoded, then with its percent escapes decoded once and twice."""
    text = _ASCII_ESCAPE.sub(_character, body) if b"\\u00" in body else body
    yield text
    for _ in range(2):
        once = _PERCENT.sub(_character if is_json else _any_character, text) if b"%" in text else text
        if once == text:
            return
        yield once
        text = once


def _character(escape: re.Match[bytes]) -> bytes:
    """Return the character of an escape. An escaped quote or backslash stays escaped: it does not end a string."""
    code = int(escape[1], 16)
    return escape[0] if code in _QUOTES else bytes((code,))


def _any_character(escape: re.Match[bytes]) -> bytes:
    return bytes((int(escape[1], 16),))


def _found(text: bytes, *, is_json: bool) -> bool:
    if b"@" in text and _any(_BEFORE_HOST, text.replace(rb"\/", b"/"), _is_before_host):  # PHP escapes slashes
        return True
    lowered = text.lower()
    if _OBJECT.search(lowered) or _any(_MEMBER, lowered, _is_member) or _any(_HEADERS, lowered, _hold_a_secret):
        return True
    if lowered.startswith(b"--") and _any(_PART, lowered, _is_part):
        return True
    return b"=" in lowered and _any(_PARAMETER, lowered, _is_parameter if is_json else _is_field)


def _any(pattern: re.Pattern[bytes], text: bytes, decide: Callable[[re.Match[bytes]], bool]) -> bool:
    return any(number > MOST_CANDIDATES or decide(one) for number, one in enumerate(pattern.finditer(text)))


def _is_member(found: re.Match[bytes]) -> bool:
    text, end = found.string, found.start()
    start = max(text.rfind(b'"', max(0, end - LONGEST_NAME), end) + 1, end - LONGEST_NAME)
    name = text[start:end].decode("latin-1")
    if name == "token" and _OF_A_MODELS_TOKEN.search(text, max(0, end - _NEAR), found.end() + _NEAR):
        return False
    return is_credential(name, found[1].decode("latin-1"))


def _hold_a_secret(headers: re.Match[bytes]) -> bool:
    named = (one.groups() for one in _HEADER.finditer(headers[1]))
    return any(name not in _NO_SECRET and looks_random(value.decode("latin-1")) for name, value in named)


def _is_part(found: re.Match[bytes]) -> bool:
    named = _NAME_OF_A_PART.search(found[1])
    return named is not None and is_credential(named[1].decode("latin-1"), found[2].decode("latin-1"))


def _is_field(found: re.Match[bytes]) -> bool:
    """Return whether ``name=value`` in a body that is not JSON is a credential: as a field of a form or in a URL."""
    name, _ = _named(found)
    return is_credential(name, found[1].decode("latin-1")) or _is_parameter(found)


def _is_parameter(found: re.Match[bytes]) -> bool:
    """Return whether ``name=value`` in a text is a credential in a URL. A separator must precede the name."""
    name, before = _named(found)
    return before in (b"?", b"&", b";", b"#") and is_credential_of_url(name, found[1].decode("latin-1"))


def _is_before_host(found: re.Match[bytes]) -> bool:
    user, password = (found[1], found[2]) if found[1] is not None else (found[3], found[4])
    return is_credential_before_host(user.decode(errors="replace"), (password or b"").decode(errors="replace"))


def _named(found: re.Match[bytes]) -> tuple[str, bytes]:
    """Return the name that ends where the match begins, and the byte before the name."""
    end = found.start()
    name = _NAME_BEFORE.search(found.string, max(0, end - LONGEST_NAME), end)
    return (name[1].decode("latin-1"), found.string[max(0, name.start() - 1) : name.start()]) if name else ("", b"")
