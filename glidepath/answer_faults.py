"""The faults that one answer can have by itself: their kinds, their grades, and the record of a fault that was found.

An answer that *failed* is useless to its client, whatever its HTTP status is. Like a 5xx, it counts as an error of its
side. A *defect* is weaker: the client got an answer, but something is wrong with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """The severity of a fault."""

    FAILED = "failed"
    DEFECT = "defect"


class AnswerFault(StrEnum):
    """A kind of fault of one answer. The values are labels of metrics, and are stored with results."""

    REDIRECT = "redirect"
    WEB_PAGE = "web_page"
    EMPTY_BODY = "empty_body"
    MALFORMED_BODY = "malformed_body"
    ERROR_BODY = "error_body"
    ERROR_EVENT = "error_event"
    UNFINISHED_STREAM = "unfinished_stream"
    NO_ANSWER = "no_answer"
    EMPTY_ANSWER = "empty_answer"
    UNUSABLE = "unusable"
    REFUSAL = "refusal"
    CUT = "cut"
    LOOP = "loop"
    LEAKED_TOKENS = "leaked_tokens"
    GARBLED = "garbled"
    WRONG_LANGUAGE = "wrong_language"
    INVALID_JSON = "invalid_json"
    SCHEMA_VIOLATION = "schema_violation"
    UNKNOWN_TOOL = "unknown_tool"
    INVALID_ARGUMENTS = "invalid_arguments"
    BROKEN_CODE = "broken_code"
    REPEATED_ANSWER = "repeated_answer"

    @property
    def grade(self) -> Grade:
        return FAULTS[self].grade


@dataclass(frozen=True, slots=True)
class FaultKind:
    """The meaning of a kind of fault, and how it is detected."""

    grade: Grade
    meaning: str
    seen_by: str


def _failed(meaning: str, seen_by: str) -> FaultKind:
    return FaultKind(Grade.FAILED, meaning, seen_by)


def _defect(meaning: str, seen_by: str) -> FaultKind:
    return FaultKind(Grade.DEFECT, meaning, seen_by)


FAULTS: Mapping[AnswerFault, FaultKind] = {
    AnswerFault.REDIRECT: _failed("a redirection instead of an answer", "status 3xx"),
    AnswerFault.WEB_PAGE: _failed("a web page instead of an answer", "its content type, or its beginning"),
    AnswerFault.EMPTY_BODY: _failed("no body", "a body without bytes, or with white space only"),
    AnswerFault.MALFORMED_BODY: _failed("a body that is not the JSON it claims to be", "the JSON parser"),
    AnswerFault.ERROR_BODY: _failed("an error message with a status of success", "a field error, type or status"),
    AnswerFault.ERROR_EVENT: _failed("a stream that contains an error", "an event, or a field of one, named error"),
    AnswerFault.UNFINISHED_STREAM: _failed(
        "a stream without its last event", "no [DONE] and no finish reason, in a known format"
    ),
    AnswerFault.NO_ANSWER: _failed("an envelope without an answer", "no choices, no candidates, or only [DONE]"),
    AnswerFault.EMPTY_ANSWER: _failed("no text, no call and no refusal", "no content, and the model stopped by itself"),
    AnswerFault.UNUSABLE: _defect("no answer that a client of this API can read", "the scorer only"),
    AnswerFault.REFUSAL: _defect("the model or a filter refuses", "the provider's field, or the first sentences"),
    AnswerFault.CUT: _defect("a limit on the length cut the answer", "finish reason length, or an open code block"),
    AnswerFault.LOOP: _defect("the model repeats itself", "most words are in repeated sentences or loops"),
    AnswerFault.LEAKED_TOKENS: _defect("special tokens, parts of a chat template", "their patterns"),
    AnswerFault.GARBLED: _defect("wrongly decoded characters", "mojibake, replacement and control characters"),
    AnswerFault.WRONG_LANGUAGE: _defect(
        "a language other than the request's", "both are known, and the request names none"
    ),
    AnswerFault.INVALID_JSON: _defect("not JSON, although the request asks for it", "the JSON parser"),
    AnswerFault.SCHEMA_VIOLATION: _defect("JSON that violates the request's schema", "the JSON schema of the request"),
    AnswerFault.UNKNOWN_TOOL: _defect("a call of a tool that the request does not offer", "the request's tools"),
    AnswerFault.INVALID_ARGUMENTS: _defect(
        "arguments that are not JSON, or violate a schema", "the JSON parser, the tool's schema"
    ),
    AnswerFault.BROKEN_CODE: _defect("code that does not parse", "Python, JSON and brackets in code blocks"),
    AnswerFault.REPEATED_ANSWER: _defect(
        "the same long text for prompts that differ", "at least five such prompts of recent pairs"
    ),
}


@dataclass(frozen=True, slots=True)
class FoundFault:
    """A fault found in an answer. ``where``: a short text for people: the place, or the message of the error."""

    kind: AnswerFault
    where: str = ""

    @property
    def grade(self) -> Grade:
        return self.kind.grade
