"""Parse durations, shares, sizes and addresses."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
MAX_DURATION, MAX_SIZE = 3650 * 86400.0, 2**53
MAX_SOCKET_PATH = 107  # unix(7): 108 bytes including the terminating zero byte
_NUMBER = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z%]*)\s*")


def parse_duration(value: Any) -> float:
    """Return a duration in seconds. ``value`` is a text such as ``48h``, ``1.5s`` or ``250ms``, or a number of seconds.

    Raises ValueError if ``value`` is not a duration or is longer than ten years.
    """
    expected = "a duration such as 250ms, 30s, 5m, 48h or 30d"
    seconds = _parse(value, _SECONDS, expected)
    if seconds > MAX_DURATION:
        raise ValueError(f"must be {expected}, at most {format_duration(MAX_DURATION)}")
    return seconds


def parse_size(value: Any) -> int:
    """Return a size in bytes. ``value`` is a text such as ``4MiB``, or a number of bytes.

    Raises ValueError if ``value`` is not a size or is above 2^53 bytes, because not every JSON reader keeps larger
    numbers exact.
    """
    expected = "a size such as 64KiB, 4MiB or 1GB"
    size = _parse(value, _BYTES, expected)
    if size > MAX_SIZE:
        raise ValueError(f"must be {expected}, at most {MAX_SIZE} bytes")
    return int(size)


def parse_share(value: Any) -> float:
    """Return a share as a number from 0 to 1: 0.005 for both ``0.5%`` and ``0.005``.

    Raises ValueError if ``value`` is not a share. A number above 1 without a percent sign is an error, because the
    sign was probably forgotten.
    """
    expected = "a share such as 0.5% or 0.005"
    share = _parse(value, {"%": 0.01}, expected)
    if not 0 <= share <= 1:
        raise ValueError(f"must be {expected}, between 0% and 100%")
    return share


def _parse(value: Any, units: dict[str, Any], expected: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"must be {expected}")  # noqa: TRY004 - pydantic reports ValueError with the key's path
    match = _NUMBER.fullmatch(str(value))
    if match is None or (match[2] and match[2] not in units):
        raise ValueError(f"must be {expected}")
    return float(match[1]) * float(units.get(match[2], 1))


def format_duration(seconds: float) -> str:
    """Return a number of seconds as the text of a duration with the largest unit that fits: ``48h`` for 172800."""
    for unit in ("d", "h", "m", "s", "ms"):
        count = seconds / _SECONDS[unit]
        if count >= 1 and abs(count - round(count)) < 1e-9 and not (unit == "d" and count < 3):
            return f"{round(count)}{unit}"
    return f"{seconds:g}s"


Duration = Annotated[float, BeforeValidator(parse_duration), PlainSerializer(format_duration, when_used="json")]
Size = Annotated[int, BeforeValidator(parse_size)]
Share = Annotated[float, BeforeValidator(parse_share)]


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
