"""Removes query parameters that may contain a secret from requests that are stored or sent to the other side.

A credential can have any name (``key``, ``code``, ``X-Amz-Signature``), so a list of harmless names decides, not a list
of credentials.
"""

from __future__ import annotations

import re
from collections.abc import Set

# Parameters of inference APIs that never hold a secret, in lower case: Azure OpenAI (api-version), Google (alt, $alt,
# prettyPrint), Anthropic (beta), and those of audio and text services.
HARMLESS_PARAMETERS = (
    "$alt",
    "alt",
    "api-version",
    "api_version",
    "beta",
    "encoding_format",
    "format",
    "lang",
    "language",
    "prettyprint",
    "stream",
    "timeout",
    "version",
)
MAX_VALUE = 40  # characters
_VALUE = re.compile(rf"[A-Za-z0-9._,:-]{{0,{MAX_VALUE}}}")


def with_harmless_parameters(path: str, further: Set[str] = frozenset()) -> str:
    """Return a request's path and query without the parameters that could hold a secret.

    The path itself, and the parameters that are kept, stay byte for byte. A parameter is kept if its name is in
    HARMLESS_PARAMETERS and its value is a short word, or if its name is in ``further`` (names in lower case). A name
    with percent escapes is never kept.
    """
    whole, _, _ = path.partition("#")
    bare, mark, query = whole.partition("?")
    if not mark:
        return bare
    kept = [parameter for parameter in query.split("&") if _is_harmless(parameter, further)]
    return f"{bare}?{'&'.join(kept)}" if kept else bare


def _is_harmless(parameter: str, further: Set[str]) -> bool:
    name, _, value = parameter.partition("=")
    name = name.lower()
    return name in further or (name in HARMLESS_PARAMETERS and _VALUE.fullmatch(value) is not None)
