"""Decides by the name of a member or parameter, and in some cases also by its value, whether it is a credential.

Not credentials: a text about credentials, a number of tokens, the cursor of a page and a language model's tokens.
"""

from __future__ import annotations

import re

# The ends of the names that are looked at. ``is_credential`` decides on the whole name.
ENDS = (
    "auth",
    "authorization",
    "bearer",
    "cookie",
    "credential",
    "jwt",
    "key",
    "passphrase",
    "passwd",
    "password",
    "pwd",
    "secret",
    "sig",
    "signature",
    "token",
)
# Below, names are compared in lower case and without anything but letters and digits: ``X-Api-Key`` is ``xapikey``.
_WHOLE = frozenset({"bearer", "cookie", "jwt", "pwd", "sessioncookie", "setcookie"})
_BY_VALUE = frozenset({"auth", "token"})  # also a kind of authentication, and a token of a language model
_LAST = (
    "accesskey",
    "accountkey",
    "apikey",
    "authkey",
    "authorization",
    "functionskey",
    "masterkey",
    "passphrase",
    "passwd",
    "password",
    "privatekey",
    "secret",
    "secretkey",
    "sharedkey",
    "signingkey",
    "subscriptionkey",
)
# What stands before "token" in the names of a language model's tokens, of a list's cursor and of a count.
_ORDINARY_TOKENS = frozenset(
    {"assistant", "audio", "begin", "blank", "bos", "boundary", "class", "cls", "continuation", "cursor"}
    | {"decoderstart", "delimiter", "document", "end", "eos", "eot", "fim", "first", "forcedbos", "forcedeos", "image"}
    | {"last", "mask", "max", "middle", "min", "newline", "next", "nextpage", "pad", "page", "prefix", "previous"}
    | {"previouspage", "prevpage", "sep", "separator", "special", "start", "stop", "suffix", "sync", "think", "unk"}
    | {"video"}
)
# Of a URL: AWS (Signature Version 2 and 4), Google Cloud Storage, Azure SAS, CloudFront.
_OF_SIGNED_URLS = re.compile(r"sig|signature|x(?:amz|goog)(?:signature|credential)")
# What stands for a value in a description of a type, such as ``{"password": "string"}``.
_TYPES = frozenset({"string", "str", "text", "bytes", "none", "null", "password"})
_NO_NAME = re.compile(r"[^a-z0-9]")
_LONG, _LONG_WITHOUT_DIGITS = 8, 20
_LONG_IN_A_URL = 16


def is_credential(name: str, value: str) -> bool:
    """Return whether a member of a JSON object, or a field of a form, is a credential. Case does not matter."""
    if not value or value.lower() in _TYPES:
        return False
    plain = _NO_NAME.sub("", name.lower())
    if plain in _BY_VALUE:
        return looks_random(value)
    return names_a_credential(plain)


def is_credential_of_url(name: str, value: str) -> bool:
    """Return whether a parameter of a URL in a text is a credential, or a signature that gives access like one.

    A short value, or one without a digit, is a placeholder.
    """
    if len(value) < _LONG_IN_A_URL or not any(map(str.isdigit, value)):
        return False
    plain = _NO_NAME.sub("", name.lower())
    return plain == "token" or names_a_credential(plain) or _OF_SIGNED_URLS.fullmatch(plain) is not None


def names_a_credential(plain: str) -> bool:
    """Return whether a name of lower-case letters and digits means a credential whatever its value is."""
    if plain.endswith("token"):
        before = plain.removesuffix("token")
        return before != "" and before not in _ORDINARY_TOKENS and not before.endswith("per")
    return plain in _WHOLE or plain.endswith(_LAST)


def looks_random(value: str) -> bool:
    """Return whether a value could have been generated: it has no white space, and is long or has a digit."""
    if len(value) < _LONG or any(map(str.isspace, value)):
        return False
    return len(value) >= _LONG_WITHOUT_DIGITS or any(map(str.isdigit, value))
