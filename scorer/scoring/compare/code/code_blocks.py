"""Code blocks that parse on one side and not on the other. Cost: 10 µs without code, 100 µs and more a block."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator

from scorer.scoring.compare.text.canonical_text import MAX_CHARS, QUOTES
from scorer.scoring.compare.text.defects import Fault
from scorer.scoring.compare.text.lexicon import words

_NAME = re.compile(r"[\w+#.-]{0,40}")
_MAX_CODE = 20_000
_PYTHON = frozenset({"python", "py", "python3"})
_BRACKETS = {")": "(", "]": "[", "}": "{"}
_BRACED = words(
    """
    c cpp c++ java javascript js typescript ts go rust csharp c# kotlin swift php css scss json jsx tsx dart scala
    """
)
# A literal or comment that does not end is matched, too, so that nothing is read twice; the group is then missing.
_LITERALS = re.compile(
    r"'(?:\\.|[^'\\\n])*+(?P<a>')?|\"(?:\\.|[^\"\\\n])*+(?P<b>\")?|`[^`]*+(?P<c>`)?|(?P<d>//)[^\n]*+"
    r"|/\*(?:[^*]|\*(?!/))*+(?P<e>\*/)?|(?m:^)[ \t]*+(?P<f>#)[^\n]*+",
    re.DOTALL,
)


def broken_code(text: str) -> Fault:
    """The share of code blocks that do not parse, and the first one's error. Curly quotes are read as straight ones."""
    if "```" not in text:
        return Fault()
    problems = [_problem(language, code) for language, code in _blocks(text[:MAX_CHARS].translate(QUOTES))]
    broken = [p for p in problems if p]
    return Fault(len(broken) / len(problems), broken[0]) if broken else Fault()


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """(language, code) of each fenced block; the last one may be open. By lines, so the cost is linear."""
    language: str | None = None
    lines: list[str] = []
    for line in text.split("\n"):
        bare = line.strip(" \t")
        if bare.startswith("```") and language is None:
            found = _NAME.match(bare.lstrip("`").lstrip(" \t"))
            language, lines = (found[0].lower() if found else ""), []
        elif bare.startswith("```") and not bare.strip("`"):
            yield language or "", "\n".join(lines)
            language = None
        else:
            lines.append(line)
    if language is not None and lines:
        yield language, "\n".join(lines)


def _problem(language: str, code: str) -> str:
    if len(code) > _MAX_CODE or not code.strip():
        return ""
    if language in _PYTHON:
        return _python_problem(code)
    if language == "json":
        return _json_problem(code)
    return _bracket_problem(code) if language in _BRACED else ""


def _python_problem(code: str) -> str:
    if ">>> " in code or "\n..." in code:
        return ""  # a session or an excerpt, not a program
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(code)
    except SyntaxError as error:
        return f"python, line {error.lineno}: {error.msg}"
    except (ValueError, RecursionError, MemoryError):
        return "python: cannot be parsed"
    return ""


def _json_problem(code: str) -> str:
    if "..." in code or "//" in code:
        return ""
    try:
        json.loads(code)
    except (ValueError, RecursionError) as error:
        return f"json: {error}"
    return ""


def _bracket_problem(code: str) -> str:
    open_ones: list[str] = []
    for char in _LITERALS.sub(lambda m: "" if m.lastgroup else m[0], code):
        if char in "([{":
            open_ones.append(char)
        elif char in _BRACKETS and (not open_ones or open_ones.pop() != _BRACKETS[char]):
            return f"an unmatched {char}"
    return f"{open_ones[-1]} is never closed" if open_ones else ""
