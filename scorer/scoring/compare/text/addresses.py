"""Find web and e-mail addresses in a text, including the targets of Markdown links."""

from __future__ import annotations

import re

from scorer.scoring.compare.text.typography import MAX_CHARS

_ADDRESS = re.compile(r"(?:https?://|www\.)[^\s<>()\"'`\]]{1,2000}|(?<=\]\()[^()\s]{1,1000}(?=[)\s])")
_MAILBOX = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")


def addresses(text: str) -> frozenset[str]:
    """Return the web and e-mail addresses in a text, without scheme, ``www.`` and final slash.

    Host names are in lower case.
    """
    text = text[:MAX_CHARS]
    found: set[str] = set()
    if "://" in text or "www." in text or "](" in text:
        found |= {_normalised(a) for a in _ADDRESS.findall(text)}
    if "@" in text:
        found |= {a.rstrip(".-").lower() for a in _MAILBOX.findall(text)}
    return frozenset(found - {""})


def _normalised(address: str) -> str:
    address = address.removeprefix("https://").removeprefix("http://").removeprefix("www.")
    host, slash, path = address.rstrip(".,;:!?*_/").partition("/")
    return host.lower() + slash + path
