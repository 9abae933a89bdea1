"""Read untrusted JSON and its fields, with strict types and limits on sizes. Errors are :class:`UnusableBodyError`.

See ADR 0126.
"""

from __future__ import annotations

import json
import math
import re
from typing import NoReturn

from scorer.scoring.answers.answer import Unusable, UnusableReason

MAX_BYTES = 16 << 20  # a body
MAX_DEPTH = 96  # nested arrays and objects
MAX_EVENTS = 200_000  # events of a stream
MAX_TOOL_CALLS = 256  # of one choice
MAX_NAME = 1024  # characters of a tool's name
MAX_CHOICES = 128
MAX_ITEMS = 65_536  # vectors, ranked documents

_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_LITERALS = ("true", "false", "null")


class UnusableBodyError(Exception):
    """A body cannot be used. ``outcome`` is the :class:`Unusable` that ``extract`` returns."""

    def __init__(self, reason: UnusableReason, detail: str, *, unknown_format: bool = False) -> None:
        super().__init__(detail)
        self.outcome = Unusable(reason, clean(detail[:300]), unknown_format)


def malformed(detail: str) -> UnusableBodyError:
    return UnusableBodyError(UnusableReason.MALFORMED, detail)


def truncated(detail: str) -> UnusableBodyError:
    return UnusableBodyError(UnusableReason.TRUNCATED, detail)


def unsupported(detail: str, *, unknown_format: bool = False) -> UnusableBodyError:
    return UnusableBodyError(UnusableReason.UNSUPPORTED, detail, unknown_format=unknown_format)


def too_large(detail: str) -> UnusableBodyError:
    return UnusableBodyError(UnusableReason.TOO_LARGE, detail)


def clean(text: str) -> str:
    """Return ``text`` in a form that can be encoded as UTF-8.

    A stream may split a surrogate pair over two events. Its two halves are joined to one character. A surrogate that
    has no other half becomes U+FFFD.
    """
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def clean_value(value: object) -> object:
    """Return a parsed JSON value in which ``clean`` has been applied to every string."""
    match value:
        case str():
            return clean(value)
        case list():
            return [clean_value(item) for item in value]
        case dict():
            return {clean(str(key)): clean_value(item) for key, item in value.items()}
        case _:
            return value


def read_json(text: str, what: str = "body") -> object:
    """Parse one JSON value (RFC 8259: no NaN) that is nested at most MAX_DEPTH deep. ``what`` names it in errors.

    Raises UnusableBodyError for any other text, with the reason *truncated* if the text is the beginning of a JSON
    value, else *malformed*.
    """
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        if _cut_short(error, text):
            raise truncated(f"{what} ends in the middle of its JSON") from None
        raise malformed(f"{what} is not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise malformed(f"{what} is nested deeper than {MAX_DEPTH}") from None
    except ValueError as error:  # NaN
        raise malformed(f"{what} is not JSON: {error}") from None
    if text.count("[") + text.count("{") > MAX_DEPTH and _deeper_than(value, MAX_DEPTH):
        raise malformed(f"{what} is nested deeper than {MAX_DEPTH}")
    return value


def try_json(text: str, what: str) -> tuple[object, str]:
    """Parse JSON that a model wrote. Return (value, ""), or (None, reason) if the JSON is invalid.

    Invalid JSON raises no error, because it is still the model's answer. ``what`` names the JSON in the reason.

    See ADR 0032.
    """
    try:
        value = read_json(text, what)
    except UnusableBodyError as error:
        return None, error.outcome.detail
    return (clean_value(value) if _ESCAPED_SURROGATE.search(text) else value), ""


def json_at(text: str, start: int) -> tuple[object, int] | None:
    """Parse the JSON value that begins at ``text[start]``. Any text may follow it.

    Return the value and the position after it, or None if no valid JSON value begins there.
    """
    try:
        value, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    if text.count("[", start, end) + text.count("{", start, end) > MAX_DEPTH and _deeper_than(value, MAX_DEPTH):
        return None
    return (clean_value(value) if _ESCAPED_SURROGATE.search(text, start, end) else value), end


def dump(value: object) -> str:
    """Return the canonical JSON of a value: sorted keys and no spaces."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def mapping(value: object, where: str) -> dict[str, object]:
    """Return ``value`` if it is a JSON object, or an empty object for null and for a missing field.

    Raises UnusableBodyError for any other value. ``where`` names the field in the error.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise malformed(f"{where} is not an object")
    return value


def items(value: object, where: str, most: int = MAX_ITEMS) -> list[object]:
    """Return ``value`` if it is a JSON array of at most ``most`` items, or [] for null and for a missing field.

    Raises UnusableBodyError for any other value. ``where`` names the field in the error.
    """
    if value is None:
        return []
    if not isinstance(value, list):
        raise malformed(f"{where} is not an array")
    if len(value) > most:
        raise too_large(f"{where} has {len(value)} items, more than {most}")
    return value


def string(value: object, where: str) -> str:
    """Return ``value`` if it is a JSON string, or "" for null and for a missing field.

    Raises UnusableBodyError for any other value. ``where`` names the field in the error.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        raise malformed(f"{where} is not a string")
    return value


def count(value: object) -> int:
    """Return ``value`` as an int, or 0 if it is not a number from 0 to 2⁵³ - 1.

    Use this function only for token counts and indices. They are informative, so an invalid number must not make the
    body unusable.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**53:
        return 0
    return int(value)


def number(value: object, where: str) -> float:
    """Return a JSON number as a float.

    Raises UnusableBodyError if ``value`` is not a number or is not finite. ``where`` names the field in the error.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise malformed(f"{where} is not a number")
    try:
        result = float(value)
    except OverflowError:
        raise malformed(f"{where} is not finite") from None
    if not math.isfinite(result):
        raise malformed(f"{where} is not finite")
    return result


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def integer(digits: str) -> int | str:
    """Return the value of a JSON integer, or its text if it has too many digits for ``int()``."""
    try:
        return int(digits)
    except ValueError:  # Python's limit of 4,300 digits, which models that repeat themselves exceed
        return digits


def real(digits: str) -> float | str:
    """Return the value of a JSON number with a fraction or an exponent, or its text if the value is too large."""
    value = float(digits)
    return value if math.isfinite(value) else digits


# Numbers that are too large remain text, so that the rest of the answer can still be read and compared.
_DECODER = json.JSONDecoder(parse_constant=_no_constant, parse_int=integer, parse_float=real)


def _cut_short(error: json.JSONDecodeError, text: str) -> bool:
    end = len(text.rstrip())
    rest = text[error.pos : end]
    if error.msg.startswith("Unterminated string") or error.pos >= end:
        return True
    if error.msg.startswith("Invalid \\uXXXX escape"):
        return len(text) - error.pos < 6
    if error.msg == "Expecting value":
        return rest == "-" or any(word.startswith(rest) and word != rest for word in _LITERALS)
    return rest.lower() in (".", "e", "e+", "e-")  # the text ends inside a number


def _deeper_than(value: object, limit: int) -> bool:
    level: list[object] = [value]
    for _ in range(limit + 1):
        inner: list[object] = []
        for item in level:
            if isinstance(item, dict):
                inner.extend(v for v in item.values() if isinstance(v, dict | list))
            elif isinstance(item, list):
                inner.extend(v for v in item if isinstance(v, dict | list))
        if not inner:
            return False
        level = inner
    return True
