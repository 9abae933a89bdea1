"""Compare the options of shell commands: ``git push --force`` is not ``git push --force-with-lease``.

The words of a command differ little when an option is lost, but the command does something else.
"""

from __future__ import annotations

import re

from scorer.scoring.compare.vocabulary.lexicon import words

SHELL = words("bash sh shell zsh console terminal powershell cmd")
_OPTION = re.compile(r"(?<!\S)--?[A-Za-z][\w-]{0,60}|(?<!\S)sudo(?=\s)")
_COMMENT = re.compile(r"(?m)(?<!\S)#.*$")


def changed_options(left: str, right: str) -> str:
    """Return the options that only one of two commands has, or "" if there are none or all other words differ, too.

    ``sudo`` counts as an option. A short option (-r) and a long one with the same first letter (--recursive) are equal.
    """
    a, b = (_COMMENT.sub("", side) for side in (left, right))
    ours, theirs = set(_OPTION.findall(a)), set(_OPTION.findall(b))
    if ours == theirs or not _same_command(a, b):
        return ""
    removed, added = ours - theirs, theirs - ours
    for one in sorted(removed):
        if twin := next((other for other in sorted(added) if _same_option(one, other)), ""):
            removed.discard(one)
            added.discard(twin)
    shown = [" ".join(sorted(side)) or "(nothing)" for side in (removed, added)]
    return " → ".join(shown) if removed or added else ""


def _same_command(left: str, right: str) -> bool:
    """Return whether two commands have the same words apart from their options, so that only these can differ."""
    a, b = (_OPTION.sub("", side).split() for side in (left, right))
    return bool(a) and a == b


def _same_option(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return len(short) == 2 and long.startswith("--") and short[1].lower() == long[2].lower()
