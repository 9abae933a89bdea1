"""Makes text from clients and backends safe for a terminal, a log or a chat message, by removing control characters."""

from __future__ import annotations

import re
import unicodedata

# The control sequences of ECMA-48 that set colours or move the cursor, in their 7-bit and 8-bit forms.
_CONTROL_SEQUENCE = re.compile(r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]")
_JOINERS = frozenset("\u200c\u200d\u200e\u200f")  # Persian, Hindi and emoji need them; they shape adjacent characters
_REPLACEMENT = "\ufffd"
_MOST_ID = 100
# DEL, the control characters C1, line separators, and all characters that change the direction of text
_HIDDEN_IN_JSON = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """Return the text without characters that control a terminal. Line breaks stay, and a tab becomes spaces.

    Sequences that set colours or move the cursor are removed. Any other control character becomes its symbol, such as
    "␛", so that nothing is hidden. Invisible characters, characters that change the direction of text, and lone
    surrogates become "�".
    """
    plain = _CONTROL_SEQUENCE.sub("", text.replace("\r\n", "\n")).expandtabs(4)
    return "".join(char if char == "\n" or char.isprintable() else _shown(char) for char in plain)


def _shown(char: str) -> str:
    if char in _JOINERS:
        return char
    if char < " ":
        return chr(0x2400 + ord(char))  # Unicode has a symbol for each of the first 32 characters
    return " " if char.isspace() and char not in "\x85\u2028\u2029" else _REPLACEMENT


def printable_json(line: str) -> str:
    r"""Return the JSON text in a form that is safe on a terminal: control characters become ``\uXXXX``.

    The JSON encoder escapes only the characters below U+0020, as RFC 8259 requires.
    """
    return _HIDDEN_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", line)


def one_line(text: str) -> str:
    """Return the text as one line without characters that could move the cursor."""
    return " ".join(printable(text).split())


def shown_id(text: str) -> str:
    """Return an id as one word of ASCII with at most 100 characters. (Clients may choose the ids of their requests.)"""
    return re.sub(r"[^A-Za-z0-9_.:~@/+=-]", "?", text)[:_MOST_ID]


def shown_name(text: str) -> str:
    """Return a name as one word with the letters and digits of any script, and at most 100 characters."""
    kept = (one if unicodedata.category(one)[0] in "LMN" or one in "_.:~@/+=-" else "?" for one in text[:_MOST_ID])
    return "".join(kept)
