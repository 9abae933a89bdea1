"""Compare the code in two texts literally (ADR 0122).

Operators, brackets and indentation matter. Spaces, comments and the kind of quotes do not matter. Fenced code blocks
are compared if both texts have the same number of blocks. Passages of inline code (`x += 1`) are compared if both texts
have the same number of such passages. The other signals treat code as words, so they do not detect that ``*`` became
``**`` or that a ``return`` moved. Cost: none without code, otherwise 50 to 100 µs for each block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein, Opcode

from scorer.scoring.compare.code.code_lexer import DEDENT, INDENT, lexemes
from scorer.scoring.compare.code.command_options import (
    SHELL,
    changed_argument,
    changed_options,
    changed_options_in_prose,
)
from scorer.scoring.compare.code.python_ast import PYTHON, same_program
from scorer.scoring.compare.result import excerpt, ramp
from scorer.scoring.compare.text.canonical_text import typeset
from scorer.scoring.compare.text.parsed_document import Document
from scorer.scoring.compare.vocabulary.lexicon import ENGLISH, lexicon_of, words
from scorer.scoring.compare.vocabulary.word_relations import excludes

_SPAN = re.compile(r"(?<!`)(`{1,2})(?!`)([^`\n]{1,300})\1(?!`)")
_LONGEST = 20_000  # maximum number of characters of a block that is compared
_MOST = 40  # maximum number of blocks that are compared, and of passages of inline code
# If two programs differ only in these characters, code was commented out or in, or was quoted differently.
_COMMENT_MARKS = re.compile(r"[#\s;'\"`]|//|--")
_CASELESS = words(
    "select from where join left right inner outer on and or not in as insert into values update set delete group "
    "order by limit create table drop alter having distinct count sum null true false none asc desc"
)
_ENTRY = re.compile(r"[\"']?[\w.-]+[\"']?\s*:\s.*,?")  # an entry of a mapping, in which the order does not matter
_UNORDERED = words("json toml ini yaml yml html css scss xml diff text plaintext markdown md latex")
_KEYWORDS = words(
    "if else elif for while return not and or in is def class function const let var import from try except true false "
    "none null break continue yield await async with lambda print len range new this self"
)


@dataclass(frozen=True, slots=True)
class CodeDifference:
    """The difference between the code in two texts.

    ``divergence``, ``relevance`` and ``reason`` have the same meaning as in the class Signal. ``cosmetic`` is True if
    the code differs only in comments, in formatting, or in names that were changed consistently.
    """

    divergence: float = 0.0
    relevance: float = 0.0
    reason: str = ""
    cosmetic: bool = False


NO_DIFFERENCE = CodeDifference()


def compare_code(left: Document, right: Document) -> CodeDifference:
    """Return the greatest difference between the code blocks, or between the inline code, of two texts.

    If at least one text has no code, only the options of commands in the prose are compared. The result is symmetric.
    """
    if left.text == right.text:
        return NO_DIFFERENCE
    if not (_has_code(left) and _has_code(right)):
        options = changed_options_in_prose(left.text, right.text) if _may_have_options(left, right) else ""
        return CodeDifference(1.0, 1.0, f"options: {options}") if options else NO_DIFFERENCE
    found = [*_blocks(_programs(left), _programs(right)), *_spans(typeset(left.prose), typeset(right.prose))]
    if not found:
        return NO_DIFFERENCE
    worst = max(found, key=lambda d: d.divergence * d.relevance)
    return worst if worst.divergence else CodeDifference(cosmetic=any(d.cosmetic for d in found))


def _has_code(document: Document) -> bool:
    return "`" in document.text or "~~~" in document.text


def _may_have_options(left: Document, right: Document) -> bool:
    return any(" -" in side.text or "sudo " in side.text for side in (left, right))


def _programs(document: Document) -> list[tuple[str, str]]:
    """Return the code blocks of a text as (language, code) pairs."""
    return [(block.language, typeset(block.code)) for block in document.code_blocks]


def _blocks(left: list[tuple[str, str]], right: list[tuple[str, str]]) -> Iterator[CodeDifference]:
    if len(left) == len(right):
        for (label, code), (other_label, other) in list(zip(left, right, strict=True))[:_MOST]:
            if code != other:
                yield _difference(code, other, label or other_label)


def _spans(left: str, right: str) -> Iterator[CodeDifference]:
    ours, theirs = ([m[2] for m in _SPAN.finditer(text)] for text in (left, right))
    if len(ours) != len(theirs):
        return
    for span, other in list(zip(ours, theirs, strict=True))[:_MOST]:
        if span == other:
            continue
        if options := changed_options(span, other):
            yield CodeDifference(1.0, 1.0, f"options: {options}")
            continue
        if argument := changed_argument(span, other):
            yield CodeDifference(1.0, 1.0, f"command: {argument}")
            continue
        a, b = lexemes(span, ""), lexemes(other, "")
        folded_words = [[t.casefold() for t in side if t[0].isalnum() or t[0] == "_"] for side in (a, b)]
        signs = [[t.lower() if t.lower() in _CASELESS else t for t in side] for side in (a, b)]
        # Different words are left to the other signals. Those ignore case and signs, which are compared here.
        if folded_words[0] == folded_words[1] and signs[0] != signs[1]:
            yield CodeDifference(1.0, 1.0, f"`{excerpt(span)}` → `{excerpt(other)}`")


def _difference(left: str, right: str, language: str) -> CodeDifference:
    if len(left) > _LONGEST or len(right) > _LONGEST:
        return NO_DIFFERENCE
    if language in SHELL and (options := changed_options(left, right)):
        return CodeDifference(1.0, 1.0, f"options: {options}")
    a, b = lexemes(left, language), lexemes(right, language)
    if a == b or (language in PYTHON and same_program(left, right)):
        return CodeDifference(cosmetic=True)
    changes = [op for op in Levenshtein.opcodes(a, b) if op.tag != "equal"]
    exchanged = [(a[op.src_start : op.src_end], b[op.dest_start : op.dest_end]) for op in changes]
    if _names_changed_throughout(exchanged, a, b):
        return CodeDifference(0.1, 1.0, "names were changed throughout", cosmetic=True)
    unmatched = sum(max(len(x), len(y)) for x, y in exchanged)
    overlap = 1 - unmatched / max(len(a), len(b))
    commented = _COMMENT_MARKS.sub("", left) == _COMMENT_MARKS.sub("", right)
    certain = unmatched <= 2 or commented or _lines_moved(left, right, language)
    relevance = 1.0 if certain else ramp(overlap, 0.6, 0.85)
    x, y = exchanged[0]
    return CodeDifference(1.0, relevance, f"code: {_quoted(x)} → {_quoted(y)}")


def _lines_moved(left: str, right: str, language: str) -> bool:
    """Return whether two programs have the same lines in different orders, and the order matters.

    The order does not matter in some languages (such as JSON), or if all moved lines are entries of a mapping or items
    of a list.
    """
    if language in _UNORDERED:
        return False
    ours, theirs = ([line.strip().rstrip(";") for line in code.split("\n") if line.strip()] for code in (left, right))
    if ours == theirs or sorted(ours) != sorted(theirs):
        return False
    moved = (line for op in Levenshtein.opcodes(ours, theirs) for line in _changed_lines(op, ours))
    return not all(_ENTRY.fullmatch(line) or line.startswith(("- ", "* ")) for line in moved)


def _changed_lines(op: Opcode, lines: list[str]) -> list[str]:
    return [] if op.tag == "equal" else lines[op.src_start : op.src_end]


def _quoted(lexed: list[str]) -> str:
    words = " ".join(_NAMES.get(t, t) for t in lexed[:8])
    return f"“{excerpt(words)}”" if words else "(nothing)"


_NAMES = {INDENT: "(indented)", DEDENT: "(unindented)"}


def _names_changed_throughout(exchanged: list[tuple[list[str], list[str]]], left: list[str], right: list[str]) -> bool:
    """Return whether two programs differ only in names that were changed consistently. A keyword is not a name."""
    names: dict[str, str] = {}
    for x, y in exchanged:
        if len(x) != len(y):
            return False
        for old, new in zip(x, y, strict=True):
            if not (old.isidentifier() and new.isidentifier()) or names.setdefault(old, new) != new:
                return False
    olds, news = set(names), set(names.values())
    if len(olds) != len(news) or olds & set(right) or news & set(left) or (olds | news) & _KEYWORDS:
        return False
    return all(left.count(old) > 1 and not _opposed(old.lower(), new.lower()) for old, new in names.items())


def _opposed(old: str, new: str) -> bool:
    """Return whether two names exclude each other (first, last).

    One-letter names never exclude each other, because they are variables.
    """
    return len(old) > 1 < len(new) and excludes(old, new, lexicon_of(ENGLISH))
