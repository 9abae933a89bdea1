"""Code blocks that parse on one side and not on the other. Cost: 10 µs without code, 100 µs and more a block."""

from __future__ import annotations

import ast
import json
import re
import warnings

from scorer.compare.canonical import MAX_CHARS, QUOTES
from scorer.compare.faults import Fault
from scorer.compare.lexicon import words

_BLOCK = re.compile(r"^[ \t]*```+[ \t]*([\w+#.-]*)[^\n]*\n(.*?)(?:^[ \t]*```+[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_MAX_CODE = 20_000
_PYTHON = frozenset({"python", "py", "python3"})
_BRACKETS = {")": "(", "]": "[", "}": "{"}
_BRACED = words(
    """
    c cpp c++ java javascript js typescript ts go rust csharp c# kotlin swift php css scss json jsx tsx dart scala
    """
)
_LITERALS = re.compile(
    r"'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\"|`[^`]*`|//[^\n]*|/\*.*?\*/|(?m:^\s*#[^\n]*)", re.DOTALL
)


def broken_code(text: str) -> Fault:
    """The share of code blocks that do not parse, and the first one's error. Curly quotes are read as straight ones."""
    if "```" not in text:
        return Fault()
    problems = [_problem(match[1].lower(), match[2]) for match in _BLOCK.finditer(text[:MAX_CHARS].translate(QUOTES))]
    broken = [p for p in problems if p]
    return Fault(len(broken) / len(problems), broken[0]) if broken else Fault()


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
    for char in _LITERALS.sub("", code):
        if char in "([{":
            open_ones.append(char)
        elif char in _BRACKETS and (not open_ones or open_ones.pop() != _BRACKETS[char]):
            return f"an unmatched {char}"
    return f"{open_ones[-1]} is never closed" if open_ones else ""
