"""Names the caller of a request: by a header that the configuration selects, or by a fingerprint of the credential.

A fingerprint is a keyed BLAKE2 digest of 48 bits. The credential itself is not stored. Only the constant part of a
credential counts: the key id of a signed request (AWS), and the issuer and subject of a token (JWT).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from glidepath.envoy_names import CREDENTIAL_HEADERS
from glidepath.printable_text import shown_name

# The headers that are fingerprinted; the first one in a request counts. Cookies are excluded: they identify users, not
# callers.
CREDENTIALS = ("authorization", "x-api-key", "api-key", "x-goog-api-key")
NOBODY = "none"  # a request without any of the headers and without a credential
UNKNOWN = "?"  # Envoy did not report the caller, or the key for fingerprints is not known yet
FINGERPRINT = "key:"  # the prefix of a fingerprint
_PARAMETERS = ("key", "api_key", "api-key", "subscription-key")
MOST_VALUE = 64
_SIGNED = re.compile(r"AWS4-HMAC-SHA256\s.*?Credential=([^/,\s]{1,128})")
_WHO = ("iss", "sub", "azp", "client_id", "appid")
# Beginnings of values that are credentials in any header: HTTP authentication schemes, keys of known providers, JWT.
_CREDENTIAL = re.compile(
    r"(?i:bearer|basic|aws4-hmac-sha256)\s"
    r"|(?:sk|pk|rk|gsk|xai|hf|pplx|r8|fw|nvapi|ghp|glpat)[-_][A-Za-z0-9_-]{16}|AIza[\w-]{20}|AKIA[A-Z0-9]{12}"
    r"|ey[\w-]{8,}\.ey[\w-]{8,}\."
)
_MOST_TOKEN = 8192


@dataclass(frozen=True, slots=True)
class CallerNames:
    """The rules by which callers are named.

    ``headers``: names in lower case. ``key``: the key for fingerprints; None if it is unknown.
    """

    headers: tuple[str, ...]
    fingerprint: bool
    key: bytes | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """The request headers that may name the caller.

        If a request has several of them, the first one names the caller.
        """
        return (*self.headers, *(CREDENTIALS if self.fingerprint else ()))

    def caller(self, values: Sequence[str], path: str = "") -> str:
        """Return the caller of a request.

        ``values``: the request's values of the headers ``sources``, in the same order; "" for a missing header.
        """
        for name, value in zip(self.headers, values, strict=False):
            if value and is_credential(name, value):
                return self._of_secret(value)
            if value:
                return f"{name}={shown_name(value[:MOST_VALUE])}"
        if not self.fingerprint:
            return NOBODY
        secret = next((value for value in values[len(self.headers) :] if value), "") or _in_query(path)
        return self._of_secret(secret) if secret else NOBODY

    def _of_secret(self, secret: str) -> str:
        return FINGERPRINT + fingerprint(secret, self.key) if self.fingerprint and self.key is not None else UNKNOWN


def is_credential(name: str, value: str) -> bool:
    """Return whether a header, or a field of a log, holds a credential. Its name or the form of its value decides."""
    return name.lower().replace("_", "-") in CREDENTIAL_HEADERS or _CREDENTIAL.match(value) is not None


def fingerprint(credential: str, key: bytes) -> str:
    """Return twelve hex digits that are the same for all calls of one caller. ``key``: at most 64 bytes."""
    stable = _stable_part(credential)
    return hashlib.blake2b(stable.encode(errors="replace"), key=key, digest_size=6, person=b"inventory").hexdigest()


def _stable_part(credential: str) -> str:
    signed = _SIGNED.match(credential)
    if signed is not None:
        return f"aws:{signed[1]}"
    token = credential.rpartition(" ")[2]
    return _of_token(token) or token


def _of_token(token: str) -> str:
    """Return the caller's claims in a JWT, such as issuer and subject, as JSON. Return "" for any other credential.

    The signature of the JWT is not checked.
    """
    parts = token.split(".")
    if len(parts) != 3 or not parts[0].startswith("ey") or len(token) > _MOST_TOKEN:
        return ""
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return ""
    if not isinstance(claims, dict):
        return ""
    who = {name: claims[name] for name in _WHO if isinstance(claims.get(name), str)}
    return json.dumps(who, sort_keys=True) if who.keys() - {"iss"} else ""


def _in_query(path: str) -> str:
    query = path.partition("?")[2]
    if "key" not in query:
        return ""
    given = dict(parse_qsl(query[:_MOST_TOKEN], max_num_fields=100) if query.count("&") < 100 else ())
    return next((given[name] for name in _PARAMETERS if given.get(name)), "")
