"""Make text encodable as UTF-8. JSON may contain lone surrogates, which tokenizers and servers reject."""

from __future__ import annotations


def well_formed(text: str) -> str:
    """Return ``text`` with U+FFFD in place of lone surrogates. All characters keep their positions."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
    return text
