"""Hints in error messages: the allowed names, and the name that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_SHOWN_NAMES = 20


def allowed_names(names: Iterable[str], wrong: str = "") -> str:
    """Return a hint in parentheses, such as ``(did you mean 'hold'? allowed: at, hold)``.

    If no name is similar to ``wrong``, only the allowed names are given. If there are many, only the first are listed.
    """
    return f"({did_you_mean(wrong, names := list(names))}allowed: {first_of_many(names)})"


def did_you_mean(wrong: str, names: Iterable[str]) -> str:
    """Return ``did you mean 'NAME'? `` with the name that is most similar to ``wrong``, or "" if none is similar."""
    near = most_similar(wrong, names)
    return f"did you mean {near!r}? " if near else ""


def most_similar(wrong: str, names: Iterable[str]) -> str:
    """Return the name that is most similar to ``wrong``, or "" if none is similar."""
    near = difflib.get_close_matches(wrong, list(names), n=1) if wrong else []
    return near[0] if near else ""


def first_of_many(names: Iterable[str]) -> str:
    """Return the names, separated by commas.

    If there are more than 20, return the first 20 and the number of the others.
    """
    names = list(names)
    more = len(names) - _SHOWN_NAMES
    return ", ".join(names[:_SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")
