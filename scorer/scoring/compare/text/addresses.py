"""Find web and e-mail addresses in a text, including the targets of Markdown links."""

from __future__ import annotations

import re

from scorer.scoring.compare.text.canonical_text import MAX_CHARS

_ADDRESS = re.compile(
    r"(?:\b[A-Za-z][A-Za-z0-9+.-]{1,15}://|www\.)[^\s<>()\"'`\]]{1,2000}|(?<=\]\()[^()\s]{1,1000}(?=[)\s])"
)
_MAILBOX = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")


def addresses(text: str) -> frozenset[str]:
    """Return the web and e-mail addresses in a text, without ``www.`` and final slash.

    Schemes and host names are converted to lower case. No scheme is added to an address without one.
    """
    text = text[:MAX_CHARS]
    found: set[str] = set()
    if "://" in text or "www." in text or "](" in text:
        found |= {_normalised(a) for a in _ADDRESS.findall(text)}
    if "@" in text:
        found |= {a.rstrip(".-").lower() for a in _MAILBOX.findall(text)}
    return frozenset(found - {""})


def exchanged_addresses(left: frozenset[str], right: frozenset[str]) -> tuple[str, str] | None:
    """Return two addresses, one that only the left text has and one that only the right text has, or None.

    An address without a scheme is the same as that address with one.
    """
    removed, added = _only_in(left, right), _only_in(right, left)
    return (min(removed), min(added)) if removed and added else None


def _only_in(these: frozenset[str], others: frozenset[str]) -> set[str]:
    bare = {_without_scheme(one) for one in others if "://" in one}
    return {one for one in these - others if _without_scheme(one) not in others and ("://" in one or one not in bare)}


def _without_scheme(address: str) -> str:
    return address.partition("://")[2] or address


def _normalised(address: str) -> str:
    scheme, mark, rest = address.rpartition("://")
    host, slash, path = rest.removeprefix("www.").rstrip(".,;:!?*_/").partition("/")
    return scheme.lower() + mark + host.lower() + slash + path if host else ""
