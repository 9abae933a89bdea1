"""Make text encodable as UTF-8, because JSON may contain lone surrogates, which tokenizers and servers reject."""

from __future__ import annotations


def well_formed(text: str) -> str:
    """Replace lone surrogates by U+FFFD. All characters keep their positions."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
    return text
