"""Decides whether a member or parameter is a credential, by its name and in some cases also by its value.

These are not credentials: a text about credentials, a number of tokens, the cursor of a page, a token of a language
model.
"""

from __future__ import annotations

import re

# Only names with these endings can be credentials. ``is_credential`` then checks the whole name.
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
# The names below contain only lower-case letters and digits: ``X-Api-Key`` is compared as ``xapikey``.
_WHOLE = frozenset({"bearer", "cookie", "jwt", "pwd", "sessioncookie", "setcookie"})
_BY_VALUE = frozenset({"auth", "token"})  # their value decides: other meanings are possible
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
# Words before "token" in names that are not credentials: tokens of a language model, cursors of lists, and counts.
_ORDINARY_TOKENS = frozenset(
    {"assistant", "audio", "begin", "blank", "bos", "boundary", "class", "cls", "continuation", "cursor"}
    | {"decoderstart", "delimiter", "document", "end", "eos", "eot", "fim", "first", "forcedbos", "forcedeos", "image"}
    | {"last", "mask", "max", "middle", "min", "newline", "next", "nextpage", "pad", "page", "prefix", "previous"}
    | {"previouspage", "prevpage", "sep", "separator", "special", "start", "stop", "suffix", "sync", "think", "unk"}
    | {"video"}
)
# Parameters of signed URLs: AWS (Signature Version 2 and 4), Google Cloud Storage, Azure SAS, CloudFront, and those of
# other clouds, whose names end with "signature" too (x-oss-signature, q-signature).
_OF_SIGNED_URLS = re.compile(r"sig|[a-z]*signature|x(?:amz|goog|oss)credential")
# Placeholders for values in descriptions of types, such as ``{"password": "string"}``.
_TYPES = frozenset({"string", "str", "text", "bytes", "none", "null", "password"})
# Placeholders for passwords in URLs. They must match the whole password, because real passwords have these characters,
# too.
# The words are placeholders in documentation. As a real password, such a word is no secret.
_WORD = re.compile(
    r"(?:your[_-]?|my[_-]|the[_-])?(?:pass(?:word|wd|phrase)?|pwd?|secret|token|(?:api[_-]?)?key)(?:[_-]here)?"
    r"|change[_-]?me|example|redacted"
)
_MARK = re.compile(
    r"<[^<>]*>|\[[^\[\]]*\]|\{[^{}]*\}|\{\{[^{}]*\}\}"
    r"|\$\{[^{}:]+\}"  # after a colon, a shell's variable has a default value, which may be real
    r"|\$\([^()]*\)|\$[A-Z][A-Z0-9_]*|%[A-Z][A-Z0-9_]*%|%s|%\(\w+\)s"
    r"|\*+|[xX]+|\.+|•+|…+"
)
# What follows a host and a colon in a URL is a port, and no password: a number, or a placeholder for one.
PORT = r"(?:\d{1,5}|\$\w+|\$?\{[^{}\s]{0,64}\}+|%\w|<[^<>\s]{0,64}>)(?:[/?#'\s]|$)"
_NO_NAME = re.compile(r"[^a-z0-9]")
_LONG, _LONG_WITHOUT_DIGITS = 8, 20
_LONG_IN_A_URL = 16


def is_credential(name: str, value: str) -> bool:
    """Return whether a member of a JSON object, or a field of a form, is a credential. The name's case is ignored."""
    if not value or value.lower() in _TYPES:
        return False
    plain = _NO_NAME.sub("", name.lower())
    if plain in _BY_VALUE:
        return looks_random(value)
    return names_a_credential(plain)


def is_credential_of_url(name: str, value: str) -> bool:
    """Return whether a parameter of a URL in a text is a credential, or a signature that grants access.

    A value that is short or has no digit counts as a placeholder.
    """
    if len(value) < _LONG_IN_A_URL or not any(map(str.isdigit, value)):
        return False
    plain = _NO_NAME.sub("", name.lower())
    return plain == "token" or names_a_credential(plain) or _OF_SIGNED_URLS.fullmatch(plain) is not None


def is_credential_before_host(user: str, password: str) -> bool:
    """Return whether the text before the host of a URL (``user:password@host``) is a credential.

    A long user with a digit may be a token, whatever the password is.
    """
    return not _is_placeholder(password) or (len(user) >= _LONG_IN_A_URL and any(map(str.isdigit, user)))


def _is_placeholder(password: str) -> bool:
    """Return whether a password in a URL is a placeholder: a word such as ``pass``, or a mark such as ``$NAME``."""
    return len(password) < 2 or bool(_WORD.fullmatch(password.lower()) or _MARK.fullmatch(password))


def names_a_credential(plain: str) -> bool:
    """Return whether a name means a credential, whatever its value is.

    ``plain``: the lower-case letters and digits of the name.
    """
    if plain.endswith("token"):
        before = plain.removesuffix("token")
        return before != "" and before not in _ORDINARY_TOKENS and not before.endswith("per")
    return plain in _WHOLE or plain.endswith(_LAST)


def looks_random(value: str) -> bool:
    """Return whether a value may be a generated secret.

    Such a value has no white space and at least 8 characters. It also has a digit, or at least 20 characters.
    """
    if len(value) < _LONG or any(map(str.isspace, value)):
        return False
    return len(value) >= _LONG_WITHOUT_DIGITS or any(map(str.isdigit, value))
