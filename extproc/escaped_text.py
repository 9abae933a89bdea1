r"""Applies patterns to a text and to the characters that escapes in it represent.

A text can contain JSON (the arguments of a tool call), parts of JSON, program code, an encoded form, a URL or HTML.
There the address ``ann@example.com`` can be ``ann\u0040example.com``, ``ann\x40example.com``, ``ann%40example.com`` or
``ann&#64;example.com``, and one form can be written in another (``ann%5Cu0040example.com``).
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from urllib.parse import quote_plus, unquote, unquote_plus

from extproc.json_tree import BodyTooComplexError, Number, dump, mapped, parse_structure

Apply = Callable[[str], str]
HIDDEN = "[redacted]"  # replaces a whole text if a match in it cannot be replaced alone
MAX_NESTED = 6  # JSON in a string of JSON, …
MAX_ROUNDS = 24  # of decoding one text: each round halves the number of backslashes
MAX_REWRITES = 4  # until a text no longer changes
MAX_ESCAPES = 50_000
# JSON's escapes, and those of strings in JavaScript, Python and C. A code point above U+10FFFF is not an escape.
_ESCAPE = re.compile(
    r"(\\(?:u[0-9a-fA-F]{4}|u\{0*(?:10|[0-9a-fA-F])?[0-9a-fA-F]{1,4}\}|U00(?:10|0[0-9a-fA-F])[0-9a-fA-F]{4}"
    r"|x[0-9a-fA-F]{2}|[0-3]?[0-7]{2}|.))",
    re.DOTALL,
)
_HEX = "uUx"
_SIMPLE = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_TOKEN = re.compile(r"(\S+)")
_FORM = re.compile(r"[^\s&=]+=[^\s&]*(?:&[^\s&=]+=[^\s&]*)*")
_MAY_BE_MORE = re.compile(r"[\\%&+]|\A\s*[\[{]")  # without a match, a text contains no escapes
_PERCENT = re.compile("%[0-9a-fA-F]{2}")
_WHOLE = re.compile(r"-?(\d{7,})(?:\.0*)?")


def rewrite_text(text: str, apply: Apply, nested: int = 0) -> str:
    """Return ``text`` after ``apply`` has rewritten both the text and the characters that its escapes represent.

    Applying ``apply`` to the result, or to the characters that its escapes represent, changes nothing. Raises
    BodyTooComplexError, and the errors of ``apply``.
    """
    for _ in range(MAX_REWRITES):
        rewritten = _rewrite_once(text, apply, nested)
        if rewritten == text:
            return text
        text = rewritten
    return HIDDEN if _rewrite_once(text, apply, nested) != text else text


def rewrite_number(number: Number, apply: Apply) -> Number:
    """Return 0 for a whole number of seven or more digits that ``apply`` changes, else return ``number``."""
    digits = number
    if "e" in number or "E" in number:
        value = Decimal(number)
        if not value.is_finite() or not 6 <= value.adjusted() < 40 or value != value.to_integral_value():
            return number
        digits = Number(f"{value:f}")
    found = _WHOLE.fullmatch(digits)
    return number if found is None or apply(found[1]) == found[1] else Number("0")


def _rewrite_once(text: str, apply: Apply, nested: int) -> str:
    if not _MAY_BE_MORE.search(text):
        return apply(text)
    if nested < MAX_NESTED:
        tree = parse_structure(text)
        if tree is not None:
            return rewrite_structure(text, tree, apply, nested + 1)
    if ("+" in text or "%" in text) and _FORM.fullmatch(text):
        text = _rewrite_form(text, apply, nested)
    if apply(text) == text and not any(_shows(text, steps, apply) for steps in _DECODERS):
        return text
    text = apply(_between_escapes(text, apply))
    for steps in _DECODERS:
        text = _rewrite_encoded(text, steps, apply)
    return text


def rewrite_structure(text: str, tree: object, apply: Apply, nested: int = 0) -> str:
    """Return the JSON ``text`` with every string and number in it rewritten. ``tree`` is its parsed value.

    If ``apply`` changes nothing, the text is returned unchanged, byte for byte.
    """
    rewritten = mapped(tree, lambda leaf: rewrite_text(leaf, apply, nested), lambda n: rewrite_number(n, apply))
    return text if rewritten == tree else dump(rewritten)


def _rewrite_form(text: str, apply: Apply, nested: int) -> str:
    """Rewrite the names and values of a form ``name=value&…``, in which ``+`` means a space."""
    if nested >= MAX_NESTED:
        raise BodyTooComplexError
    parts = re.split("([=&])", text)
    for at in range(0, len(parts), 2):
        decoded = unquote_plus(parts[at])
        rewritten = rewrite_text(decoded, apply, nested + 1)
        if rewritten != decoded:
            parts[at] = quote_plus(rewritten, safe="[]/?:")
    return "".join(parts)


def _between_escapes(text: str, apply: Apply) -> str:
    """Rewrite only the text between JSON escapes, so that no match includes a part of an escape."""
    if text.count("\\") > MAX_ESCAPES:
        raise BodyTooComplexError
    parts = _ESCAPE.split(text)
    parts[::2] = [apply(part) if part else "" for part in parts[::2]]
    return "".join(parts)


def _unescape(text: str) -> str:
    return _ESCAPE.sub(_character, text) if "\\" in text else text


def _character(escape: re.Match[str]) -> str:
    code = escape[0][1:]
    if len(code) == 1:
        return _SIMPLE.get(code, code)
    return chr(int(code[1:].strip("{}"), 16) if code[0] in _HEX else int(code, 8))


def _percent(text: str) -> str:
    return unquote(text) if "%" in text else text


def _query(text: str) -> str:
    """Decode percent escapes as in the query of a URL, where ``+`` means a space. Without escapes, change nothing."""
    return unquote_plus(text) if "+" in text and _PERCENT.search(text) else text


def _entities(text: str) -> str:
    return html.unescape(text) if "&" in text else text


# Each decoder is repeated until the text no longer changes. Decoders with several steps read one kind of escape inside
# another.
_DECODERS: tuple[tuple[Apply, ...], ...] = (
    (_unescape,),
    (_percent,),
    (_query,),
    (_entities,),
    (_unescape, _percent, _entities),
    (_unescape, _query, _entities),
)


def _readings(text: str, steps: tuple[Apply, ...]) -> Iterator[str | None]:
    """Yield the text after each decoding step that changes it.

    If MAX_ROUNDS rounds do not decode the text completely, yield None last.
    """
    for _ in range(MAX_ROUNDS):
        before = text
        for step in steps:
            decoded = step(text)
            if decoded != text:
                yield decoded
            text = decoded
        if text == before:
            return
    yield None


def _shows(text: str, steps: tuple[Apply, ...], apply: Apply) -> bool:
    """Return whether ``apply`` changes a decoded form of ``text``. Return True if there are too many nested escapes."""
    return any(reading is None or apply(reading) != reading for reading in _readings(text, steps))


def _rewrite_encoded(text: str, steps: tuple[Apply, ...], apply: Apply) -> str:
    """Decode and rewrite the words of ``text`` whose decoded form ``apply`` changes. Keep all other words."""
    if not _shows(text, steps, apply):
        return text
    words = _TOKEN.split(text)
    text = "".join(_decoded(word, steps, apply) for word in words)
    return HIDDEN if _shows(text, steps, apply) else text


def _decoded(word: str, steps: tuple[Apply, ...], apply: Apply) -> str:
    for reading in _readings(word, steps):
        rewritten = HIDDEN if reading is None else apply(reading)
        if rewritten != reading:
            return rewritten
    return word
