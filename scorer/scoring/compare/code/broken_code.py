"""Find code blocks that do not parse. Cost: 10 µs for a text without code, at least 100 µs for each code block."""

from __future__ import annotations

import ast
import json
import re
import warnings
from textwrap import dedent

from scorer.scoring.compare.code.python_ast import PYTHON
from scorer.scoring.compare.defects.defect import NO_DEFECT, Defect
from scorer.scoring.compare.text.canonical_text import QUOTES
from scorer.scoring.compare.text.parsed_document import Document
from scorer.scoring.compare.vocabulary.lexicon import words

_MAX_CODE = 20_000
_BRACKETS = {")": "(", "]": "[", "}": "{"}
_BRACED = words(
    """
    c cpp c++ java javascript js typescript ts go rust csharp c# kotlin swift php css scss json jsx tsx dart scala
    """
)
# Unterminated literals and comments also match, so that the cost is linear. In such a match, the group is unset.
_LITERALS = re.compile(
    r"'(?:\\.|[^'\\\n])*+(?P<a>')?|\"(?:\\.|[^\"\\\n])*+(?P<b>\")?|`[^`]*+(?P<c>`)?|(?P<d>//)[^\n]*+"
    r"|/\*(?:[^*]|\*(?!/))*+(?P<e>\*/)?|(?m:^)[ \t]*+(?P<f>#)[^\n]*+",
    re.DOTALL,
)


def broken_code(document: Document) -> Defect:
    """Return a defect if the text has code blocks that do not parse. Curly quotes count as straight quotes.

    The severity is the share of code blocks that do not parse. The defect quotes the first error.
    """
    problems = [_problem(block.language, block.code.translate(QUOTES)) for block in document.code_blocks]
    broken = [p for p in problems if p]
    return Defect(len(broken) / len(problems), broken[0]) if broken else NO_DEFECT


def _problem(language: str, code: str) -> str:
    if len(code) > _MAX_CODE or not code.strip():
        return ""
    if language in PYTHON:
        return _python_problem(code)
    if language == "json":
        return _json_problem(code)
    return _bracket_problem(code) if language in _BRACED else ""


def _python_problem(code: str) -> str:
    if ">>> " in code or "\n..." in code:
        return ""  # an interactive session or an excerpt may be unparsable
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(dedent(code))  # an answer may show indented lines of a function
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
    unclosed: list[str] = []
    for char in _LITERALS.sub(lambda m: "" if m.lastgroup else m[0], code):
        if char in "([{":
            unclosed.append(char)
        elif char in _BRACKETS and (not unclosed or unclosed.pop() != _BRACKETS[char]):
            return f"unmatched {char}"
    return f"{unclosed[-1]} is never closed" if unclosed else ""
