"""Find faults in the text of one answer: refusal, cut, loop, leaked tokens, garbling, wrong language, broken code.

Something that the request asks for is not a fault: a letter that declines, a repeated text, a translation. If it is
uncertain whether the request asks for it, there is no fault, because a false alarm costs more than a miss. Cost: 0.1 ms
for 330 words.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable

from glidepath.answer_faults import AnswerFault, FoundFault
from scorer.scoring.answers import Choice, Expectation, FinishReason
from scorer.scoring.compare.code.broken_code import broken_code
from scorer.scoring.compare.defects.implausible_words import implausible_share, words_of
from scorer.scoring.compare.defects.leaked_tokens import leaked_tokens
from scorer.scoring.compare.defects.mojibake import badness
from scorer.scoring.compare.defects.refusals import refusal
from scorer.scoring.compare.defects.repeated_passages import repeated_passages
from scorer.scoring.compare.defects.unfinished_text import unfinished_text
from scorer.scoring.compare.text.parsed_document import Document
from scorer.scoring.judge.requested_faults import Requested
from scorer.scoring.judge.wrong_language import other_language

READ = 16_000  # characters that are examined
TINY_LIMIT = 16  # tokens; an answer to a request with such a limit is a label, and ends at the limit
_REFUSED = 0.7  # a refusal of at least this severity is certain
_LOOP_WORDS, _LOOP_SHARE, _LOOP_RUN = 30, 0.5, 24
_NO_RUN = frozenset("-=_*#.~|+─━═… \t\n")  # characters of rulers and tables
_RUN, _WORD_RUN = 40, 200  # the least number of equal characters; a large number may have many zeros
_PACKED = 0.3  # the compressed share of a text above which it cannot be a loop
_BROKEN_MARKS, _BROKEN_SHARE = 3, 0.02
_NONSENSE_WORDS, _NONSENSE_SHARE = 20, 0.5
_SENTENCE_WORDS = 12  # in shorter texts, the last word does not show a cut
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f]")  # without white space and the escape character
_CLOSED = tuple(".!?…。！？)]}\"'`*_>|~%")
_SAMPLE = 1_000  # this many characters are searched for implausible words


def text_faults(choice: Choice, expected: Expectation) -> tuple[FoundFault, ...]:
    """Return the faults of a choice's text, at most one of each kind."""
    requested = Requested(expected.prompt[:READ], expected.instructions[:READ])
    document = Document(choice.text[:READ])
    checks: tuple[Callable[[Choice, Document, Expectation, Requested], FoundFault | None], ...] = (
        _refusal,
        _cut,
        _loop,
        _leak,
        _garbled,
        _wrong_language,
        _broken_code,
    )
    return tuple(fault for check in checks if (fault := check(choice, document, expected, requested)) is not None)


def _refusal(choice: Choice, document: Document, _: Expectation, requested: Requested) -> FoundFault | None:
    if choice.refusal:
        return FoundFault(AnswerFault.REFUSAL, choice.refusal[:100])
    if choice.finish_reason is FinishReason.CONTENT_FILTER:
        return FoundFault(AnswerFault.REFUSAL, "a filter ended the answer")
    if choice.tool_calls or not document.text or requested.refusal:
        return None
    found = refusal(document)
    return FoundFault(AnswerFault.REFUSAL, found.where) if found.severity >= _REFUSED else None


def _cut(choice: Choice, document: Document, expected: Expectation, _: Requested) -> FoundFault | None:
    if choice.finish_reason is FinishReason.LENGTH:
        label = 0 < expected.max_tokens <= TINY_LIMIT
        return None if label else FoundFault(AnswerFault.CUT, "finish reason length")
    if choice.finish_reason is not FinishReason.STOP or expected.json_mode or len(choice.text) > READ:
        return None
    text = document.text
    if not document.code_blocks and text.rstrip().endswith(_CLOSED):
        return None
    found = unfinished_text(document)
    open_word = text.rstrip()[-1:].isalpha() or text.rstrip()[-1:] in ",(["
    certain = found.where.startswith("a code block") or (open_word and len(text.split()) >= _SENTENCE_WORDS)
    return FoundFault(AnswerFault.CUT, found.where) if found.severity >= 1 and certain else None


def _loop(choice: Choice, document: Document, expected: Expectation, requested: Requested) -> FoundFault | None:
    prose = document.prose.strip()
    if expected.json_mode or requested.repetition:
        return None
    if run := _one_character(prose):
        return FoundFault(AnswerFault.LOOP, f"{len(run)} times {run[0]}")
    if len(prose) < 120 or prose.startswith(("{", "[", "<")):
        return None
    raw = prose.encode("utf-8", "replace")
    if len(zlib.compress(raw, 1)) > _PACKED * len(raw):
        return None
    found = repeated_passages(Document(prose))
    many = found.count >= _LOOP_WORDS and found.share >= _LOOP_SHARE
    if not (many or found.run >= _LOOP_RUN) or not any(c.isalpha() for c in found.where):
        return None
    return FoundFault(AnswerFault.LOOP, f"{found.count} repeated words: {found.where}")


def _one_character(prose: str) -> str:
    """Return a run of one character that makes up more than half of the text, or "" if there is none.

    A model whose computation overflows writes such a run, for example "!!!!". A run of this length always contains the
    character in the middle of the text.
    """
    middle = len(prose) // 2
    char = prose[middle : middle + 1]
    if not char or char in _NO_RUN:
        return ""
    run = prose[len(prose[:middle].rstrip(char)) : len(prose) - len(prose[middle:].lstrip(char))]
    enough = len(run) >= (_WORD_RUN if char.isalnum() else _RUN)
    return run if enough and len(run) > _LOOP_SHARE * len(prose) else ""


def _leak(_: Choice, document: Document, expected: Expectation, requested: Requested) -> FoundFault | None:
    found = leaked_tokens(document)
    if not found.severity or requested.special_tokens or leaked_tokens(Document(requested.prompt)).severity:
        return None
    return FoundFault(AnswerFault.LEAKED_TOKENS, found.where)


def _garbled(_: Choice, document: Document, expected: Expectation, requested: Requested) -> FoundFault | None:
    text = document.text
    if not text:
        return None
    words = max(len(text.split()), len(text) // 8)
    marks = _marks(text)
    if marks >= _BROKEN_MARKS and marks >= _BROKEN_SHARE * words and not _marks(requested.prompt):
        return FoundFault(AnswerFault.GARBLED, f"{marks} broken characters")
    prose = document.prose[:_SAMPLE]
    if expected.json_mode or len(prose.split()) < _NONSENSE_WORDS:
        return None
    share, example = implausible_share(prose, words_of(requested.prompt).__contains__, european=True)
    return FoundFault(AnswerFault.GARBLED, f"no words: {example}"[:100]) if share >= _NONSENSE_SHARE else None


def _marks(text: str) -> int:
    """Count wrongly decoded characters, replacement characters and control characters."""
    controls = len(_CONTROL.findall(text))
    return controls if text.isascii() else controls + text.count("\ufffd") + badness(text)


def _wrong_language(_: Choice, document: Document, expected: Expectation, requested: Requested) -> FoundFault | None:
    if requested.language or expected.json_mode or document.code_blocks:
        return None
    found = other_language(document.text, requested)
    return FoundFault(AnswerFault.WRONG_LANGUAGE, found) if found else None


def _broken_code(choice: Choice, document: Document, expected: Expectation, requested: Requested) -> FoundFault | None:
    cut = choice.finish_reason is FinishReason.LENGTH or len(choice.text) > READ
    if not document.code_blocks or cut or requested.broken:
        return None
    found = broken_code(document)
    if found.severity < 0.5 or broken_code(Document(requested.prompt)).severity:
        return None
    return FoundFault(AnswerFault.BROKEN_CODE, found.where)
