"""Writes a count with its noun, for people."""

from __future__ import annotations


def number_of(count: int, noun: str) -> str:
    """Return the count and the noun, in the plural unless the count is 1: ``1 Envoy``, ``2 Envoys``."""
    return f"{count} {plural_unless_one(count, noun)}"


def plural_unless_one(count: int, noun: str) -> str:
    """Return the noun, with an s unless ``count`` is 1."""
    return noun if count == 1 else f"{noun}s"
