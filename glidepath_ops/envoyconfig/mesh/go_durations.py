"""Reads durations in Go's notation, which Kubernetes resources use."""

from __future__ import annotations

import re

from glidepath.errors import InputError

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)(ms|h|m|s))")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def duration(text: str, place: str) -> float:
    """Return the seconds of a duration such as 1m30s. Raises InputError, which shows ``place``."""
    if not re.fullmatch(rf"(?:{_DURATION.pattern})+", text):
        raise InputError(f"{place} has the timeout {text!r}, which is not a duration such as 30s or 1m30s")
    return sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(text))
