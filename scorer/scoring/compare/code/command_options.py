"""Compare shell commands, for example ``git push --force`` with ``git push --force-with-lease``.

A lost option or one changed word is a small difference in words, but the command then does something else.
"""

from __future__ import annotations

import re

from scorer.scoring.compare.vocabulary.lexicon import words
from scorer.scoring.compare.vocabulary.word_relations import same_word

SHELL = words("bash sh shell zsh console terminal powershell cmd")
_OPTION = re.compile(r"(?<!\S)--?[A-Za-z][\w-]{0,60}|(?<!\S)sudo(?=\s)")
_OPTION_IN_PROSE = re.compile(r"(?<!\S)(?:--[A-Za-z][\w-]{1,60}|-[A-Za-z](?=\s|$)|sudo(?=\s))")
_PLAIN = re.compile(r"[a-z]{2,30}(?:-[a-z]{1,30}){0,3}")
_PLACEHOLDER = re.compile(r"(?:my|your|some|example|foo|bar)(?:-|$)")
_STATEMENTS = words("if else for while return import from def class let const var not with try print export echo")
_COMMENT = re.compile(r"(?m)(?<!\S)#.*$")


def changed_options(left: str, right: str) -> str:
    """Return the options that only one of two commands has, or "" if there are none or if all other words differ too.

    ``sudo`` counts as an option. A short option (-r) and a long one with the same first letter (--recursive) are equal.
    """
    a, b = (_COMMENT.sub("", side) for side in (left, right))
    ours, theirs = set(_OPTION.findall(a)), set(_OPTION.findall(b))
    if ours == theirs or not _same_command(a, b):
        return ""
    return _changed(ours, theirs)


def _changed(ours: set[str], theirs: set[str]) -> str:
    removed, added = ours - theirs, theirs - ours
    for one in sorted(removed):
        if twin := next((other for other in sorted(added) if _same_option(one, other)), ""):
            removed.discard(one)
            added.discard(twin)
    shown = [" ".join(sorted(side)) or "(nothing)" for side in (removed, added)]
    return " → ".join(shown) if removed or added else ""


def changed_options_in_prose(left: str, right: str) -> str:
    """Return the options in which two lines of prose differ if all their other words are equal, else "".

    It is unknown which words of prose belong to a command, so ``-x`` counts only if it is a separate word.
    """
    ours, theirs = (
        {tuple(_OPTION_IN_PROSE.sub("", line).split()): line for line in side.splitlines()} for side in (left, right)
    )
    options = (
        [set(_OPTION_IN_PROSE.findall(side[words])) for side in (ours, theirs)] for words in ours if words in theirs
    )
    for one, other in options:
        if changed := _changed(one, other):
            return changed
    return ""


def _same_command(left: str, right: str) -> bool:
    """Return whether two commands have the same words apart from their options."""
    a, b = (_OPTION.sub("", side).split() for side in (left, right))
    return bool(a) and a == b


def _same_option(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return len(short) == 2 and long.startswith("--") and short[1].lower() == long[2].lower()


def changed_argument(left: str, right: str) -> str:
    """Return the one word in which two commands differ, in both forms; "" if they differ in none or in several.

    Commands of fewer than three words are not compared. Paths, variables and names that the reader must fill in, such
    as ``my-app``, may differ.
    """
    a, b = left.split(), right.split()
    if len(a) != len(b) or len(a) < 3 or a[0] != b[0] or a[0] in _STATEMENTS or not _PLAIN.fullmatch(a[0]):
        return ""
    changed = [pair for pair in zip(a, b, strict=True) if pair[0] != pair[1]]
    if len(changed) != 1 or same_word(*changed[0]):
        return ""
    known = all(_PLAIN.fullmatch(word) and not _PLACEHOLDER.match(word) for word in changed[0])
    return " → ".join(changed[0]) if known else ""
