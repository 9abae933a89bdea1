"""Reads the bytes of a body as text: UTF-8, UTF-16, UTF-32 or Latin-1.

The charset is recognised by a byte order mark, by the content type, or by the position of null bytes.
"""

from __future__ import annotations

import codecs
import json
from dataclasses import dataclass
from email.message import Message

# Longer marks come first, because the mark of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Python's name of a charset → the codec that decodes it. Other charsets are not supported.
_CHARSETS = {
    "utf-8": "utf-8",
    "ascii": "utf-8",
    "iso8859-1": "latin-1",
    "cp1252": "cp1252",
    "utf-16": "utf-16-le",
    "utf-16-le": "utf-16-le",
    "utf-16-be": "utf-16-be",
    "utf-32": "utf-32-le",
    "utf-32-le": "utf-32-le",
    "utf-32-be": "utf-32-be",
}


@dataclass(frozen=True, slots=True)
class BodyText:
    """The text of a body. ``exact`` is True if encoding the text as UTF-8 gives exactly the bytes of the body."""

    text: str
    exact: bool


def read_text(body: bytes, content_type: str) -> BodyText | None:
    """Return the text of a body, without a byte order mark, or None if the body cannot be read as text.

    Invalid bytes become U+FFFD. A body with a null character is not text.
    """
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            return _text(body[len(mark) :].decode(encoding, "replace"), exact=False)
    labelled = _charset(content_type)
    seen = json.detect_encoding(body[:4]).removesuffix("-sig")  # from the position of the null bytes
    encoding = _CHARSETS.get(labelled, "") if labelled else "utf-8"
    if not encoding or multipart(content_type):
        return None
    if encoding == "utf-8" and seen != "utf-8" and body.count(0) >= len(body) // 4:
        encoding = seen
    text = body.decode(encoding, "replace")
    return _text(text, exact=encoding == "utf-8" and text.encode("utf-8", "replace") == body)


def _text(text: str, *, exact: bool) -> BodyText | None:
    bare = text.lstrip("\ufeff")
    return None if "\0" in text else BodyText(bare, exact and bare == text)


def multipart(content_type: str) -> bool:
    return content_type.strip().lower().startswith("multipart/")


def _charset(content_type: str) -> str:
    """Return Python's name for the charset of a content type, "" if there is none, "?" if Python does not know it."""
    if "charset" not in content_type.lower():
        return ""
    message = Message()
    message["content-type"] = content_type
    named = str(message.get_param("charset", "")).strip(" '\"")
    try:
        return codecs.lookup(named).name if named else ""
    except (LookupError, ValueError):
        return "?"
