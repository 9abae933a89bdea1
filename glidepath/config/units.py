"""Parses and formats quantities (durations, sizes, shares, percents) and addresses.

A number without a unit is an error if it could be meant in several units: see ADR 0160.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
MAX_DURATION, MAX_SIZE = 3650 * 86400.0, 2**53
MAX_SOCKET_PATH = 107  # unix(7): 108 bytes including the terminating zero byte
_LONGEST_HINT = 12  # characters; a longer number is not repeated in a hint
_NUMBER = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z%]*)\s*")


def parse_duration(value: Any) -> float:
    """Return a duration in seconds. ``value`` is a text such as ``48h``, ``1.5s`` or ``250ms``, or 0.

    Raises ValueError if ``value`` is not a duration, has no unit, or is longer than ten years.
    """
    expected = "a duration such as 250ms, 30s, 5m, 48h or 30d"
    number, unit = _split(value, _SECONDS, expected)
    if not unit and number:
        raise ValueError(f"must be {expected}{_in_units(number, 's', 'm', 'h')}")
    seconds = float(number) * _SECONDS.get(unit, 1.0)
    if seconds > MAX_DURATION:
        raise ValueError(f"must be {expected}, at most {format_duration(MAX_DURATION)}")
    return seconds


def parse_size(value: Any) -> int:
    """Return a size in bytes. ``value`` is a text such as ``4MiB`` or ``512B``, or 0.

    Raises ValueError if ``value`` is not a size, has no unit, or is above 2^53 bytes, because not every JSON reader
    keeps larger numbers exact.
    """
    expected = "a size such as 64KiB, 4MiB or 1GB"
    number, unit = _split(value, _BYTES, expected)
    if not unit and number:
        raise ValueError(f"must be {expected}{_in_units(number, 'B', 'KiB', 'MiB')}")
    size = number * _BYTES.get(unit, 1)
    if size > MAX_SIZE:
        raise ValueError(f"must be {expected}, at most {MAX_SIZE} bytes")
    return int(size)


def parse_share(value: Any) -> float:
    """Return a share as a number from 0 to 1: 0.005 for ``0.5%``. ``value`` is a text with a percent sign, or 0.

    Raises ValueError if ``value`` is not a share or has no percent sign.
    """
    expected = "a share such as 0.5% or 20%"
    number, unit = _split(value, {"%": 1}, expected)
    if not unit and 0 < number <= 100:
        raise ValueError(f"must be {expected}: a number needs a percent sign, such as {_percents(number)}")
    if number > 100:
        raise ValueError(f"must be {expected}, between 0% and 100%")
    return float(number / 100)


def parse_percent(value: Any) -> float:
    """Return a percent as a number from 0 to 100. ``value`` is a number, or a text with or without a percent sign.

    Raises ValueError if ``value`` is not a percent, or is a number between 0 and 1 without a percent sign. Such a
    number may be meant as a share (0.5 for one half).
    """
    expected = "a percent from 0 to 100, such as 5 or 0.5%"
    number, unit = _split(value, {"%": 1}, expected)
    if not unit and 0 < number < 1:
        raise ValueError(f"must be {expected}: a number below 1 needs a percent sign, such as {_percents(number)}")
    if number > 100:
        raise ValueError(f"must be {expected}")
    return float(number)


def parse_fraction(value: Any) -> float:
    """Return a number from 0 to 1, such as an agreement score. ``value`` is such a number, or a text such as ``75%``.

    Raises ValueError for anything else.
    """
    expected = "a number from 0 to 1 or a percent, such as 0.75 or 75%"
    number, unit = _split(value, {"%": 1}, expected)
    fraction = number / 100 if unit else number
    if fraction > 1:
        raise ValueError(f"must be {expected}")
    return float(fraction)


def _split(value: Any, units: dict[str, Any], expected: str) -> tuple[Decimal, str]:
    """Return the number and the unit of a quantity; "" for no unit. Raises ValueError if ``value`` is not a number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"must be {expected}")  # noqa: TRY004 - pydantic reports ValueError with the key's path
    match = _NUMBER.fullmatch(value if isinstance(value, str) else _exact(value))
    if match is None or (match[2] and match[2] not in units):
        raise ValueError(f"must be {expected}")
    return Decimal(match[1]), match[2]


def _plain(number: Decimal) -> str:
    """Return a number without an exponent and without trailing zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _in_units(number: Decimal, *units: str) -> str:
    """Return a hint about a number without a unit, such as ``: a number needs its unit, such as 48s, 48m or 48h``."""
    text = _plain(number)
    if len(text) > _LONGEST_HINT:
        return ""
    *first, last = (f"{text}{unit}" for unit in units)
    return f": a number needs its unit, such as {', '.join(first)} or {last}"


def _percents(number: Decimal) -> str:
    """Return the percents that a number without a percent sign may mean: ``0.5% or 50%`` for 0.5, ``5%`` for 5."""
    return f"{_plain(number)}% or {_plain(number * 100)}%" if number < 1 else f"{_plain(number)}%"


def format_duration(seconds: float) -> str:
    """Return a number of seconds as the text of a duration, in the largest unit that divides it evenly.

    Days are used from three days on: ``48h`` for 172800, ``3d`` for 259200.
    """
    for unit in ("d", "h", "m", "s", "ms"):
        count = seconds / _SECONDS[unit]
        if count >= 1 and abs(count - round(count)) < 1e-9 and not (unit == "d" and count < 3):
            return f"{round(count)}{unit}"
    return f"{_exact(seconds)}s"


def format_size(size: int) -> str:
    """Return a number of bytes as the text of a size, in the largest unit that divides it evenly: ``4MiB``."""
    unit = next((unit for unit in ("GiB", "MiB", "KiB") if size and size % _BYTES[unit] == 0), "B")
    return f"{size // _BYTES[unit]}{unit}"


def format_share(share: float) -> str:
    """Return a share from 0 to 1 as a percent that ``parse_share`` reads back exactly: ``0.5%`` for 0.005."""
    return f"{_plain(Decimal(repr(share)) * 100)}%"


def format_percent(percent: float) -> float | str:
    """Return a percent as ``parse_percent`` reads it: the number, or a text with a percent sign if it is below 1."""
    return f"{_exact(percent)}%" if 0 < percent < 1 else float(percent)


def _exact(number: float) -> str:
    """Return a number as text without an exponent, with all its digits. (Infinity and NaN: a text without digits.)"""
    return _plain(Decimal(repr(number)))


Duration = Annotated[float, BeforeValidator(parse_duration), PlainSerializer(format_duration, when_used="json")]
Size = Annotated[int, BeforeValidator(parse_size), PlainSerializer(format_size, when_used="json")]
Share = Annotated[float, BeforeValidator(parse_share), PlainSerializer(format_share, when_used="json")]
Percent = Annotated[float, BeforeValidator(parse_percent), PlainSerializer(format_percent, when_used="json")]
Fraction = Annotated[float, BeforeValidator(parse_fraction)]


def parse_address(value: Any) -> str:
    """Return the address ``HOST:PORT`` or ``unix:/path`` unchanged. Raises ValueError for an invalid address."""
    text = str(value)
    if text.startswith("unix:/"):
        if len(text.removeprefix("unix:").encode()) > MAX_SOCKET_PATH:
            raise ValueError(f"must be HOST:PORT or unix:/path with a path of at most {MAX_SOCKET_PATH} bytes")
        return text
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError("must be HOST:PORT (port 1 to 65535) or unix:/path")
    return text


Address = Annotated[str, BeforeValidator(parse_address)]
