"""Finds requests whose body gives a backend a credential, or a remote tool to call.

A copy would hand the credential to the other side, store it, and run the tool a second time. Such requests are:
OpenAI's ``tools[].authorization`` and ``headers`` of type ``mcp``, Anthropic's ``mcp_servers[].authorization_token``,
Azure OpenAI's ``data_sources[].parameters.authentication``, and members with the name of a credential.

The check reads the names of members in the bytes of the body. So a name in a text that a user wrote, where its quotes
are escaped, is no finding, and a large body costs little.
"""

from __future__ import annotations

import re

from extproc.content_coding import decode
from extproc.extproc_errors import DecodeError

_NAMES = (
    b"authorization",
    b"proxy-authorization",
    b"authorization_token",
    b"auth_token",
    b"bearer_token",
    b"access_token",
    b"accesstoken",
    b"session_token",
    b"sessiontoken",
    b"refresh_token",
    b"id_token",
    b"api_key",
    b"api-key",
    b"apikey",
    b"x-api-key",
    b"x-goog-api-key",
    b"ocp-apim-subscription-key",
    b"subscription_key",
    b"client_secret",
    b"secret_key",
    b"secret_access_key",
    b"aws_secret_access_key",
    b"aws_session_token",
    b"private_key",
    b"azure_ad_token",
    b"vertex_credentials",
    b"secret",
    b"password",
    b"passwd",
    b"cookie",
)
# What a body must contain to be worth the search for a member; much faster than the search itself.
_HINTS = (b"auth", b"token", b"key", b"secret", b"passw", b"cookie", b"credentials", b"mcp")
_CREDENTIAL = re.compile(
    rb'"(?:(?:' + b"|".join(map(re.escape, _NAMES)) + rb')"\s*:\s*(?:\[\s*)?"[^"]'
    rb'|(?:authentication|vertex_credentials)"\s*:\s*\{|mcp_servers"\s*:\s*[\[{]|type"\s*:\s*"mcp")'
)
_ASCII_ESCAPE = re.compile(rb"\\u00([2-7][0-9a-fA-F])")
_QUOTES = (0x22, 0x5C)


def gives_a_credential(body: bytes, content_encoding: str, limit: int) -> bool:
    """Return whether a request's body gives a credential or a remote tool, or cannot be read.

    ``limit``: the most bytes to decode if the body has a content encoding.
    """
    if content_encoding:
        try:
            decoded = decode(body, content_encoding, limit)
        except DecodeError:
            return True
        if decoded.cut:
            return True
        body = decoded.data
    if b"\0" in body[:4] or body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return True  # UTF-16 or UTF-32, which this check does not read
    lowered = body.lower()
    if b"\\u00" in lowered:
        lowered = _ASCII_ESCAPE.sub(_character, lowered).lower()
    return any(hint in lowered for hint in _HINTS) and _CREDENTIAL.search(lowered) is not None


def _character(escape: re.Match[bytes]) -> bytes:
    """Return the character of an escape. An escaped quote or backslash stays escaped: it ends no string."""
    code = int(escape[1], 16)
    return escape[0] if code in _QUOTES else bytes((code,))
