"""Text that can be UTF-8. JSON can carry half a surrogate pair; tokenizers and servers cannot take one."""

from __future__ import annotations


def well_formed(text: str) -> str:
    """Lone surrogates replaced by U+FFFD; all characters keep their places."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
    return text
