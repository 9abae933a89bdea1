"""From a request and a response body, of any provider, to one typed answer. Pure; never raises on what came in."""

from __future__ import annotations

from scorer.scoring.answers.answer import (
    Choice,
    CustomSurface,
    Expectation,
    Extracted,
    FinishReason,
    Surface,
    ToolCall,
    Unusable,
    UnusableReason,
)
from scorer.scoring.answers.body_format import Body, Document, PlainText, Stream, StreamItem, read_body
from scorer.scoring.answers.custom_jsonpath import read_custom
from scorer.scoring.answers.provider_detection import detect_document, detect_stream
from scorer.scoring.answers.provider_errors import error_message, failure_message
from scorer.scoring.answers.request_expectation import expectation
from scorer.scoring.answers.strict_json import UnusableBodyError, clean, truncated

__all__ = [
    "Choice",
    "CustomSurface",
    "Expectation",
    "Extracted",
    "FinishReason",
    "Surface",
    "ToolCall",
    "Unusable",
    "UnusableReason",
    "expectation",
    "extract",
]


def extract(
    *,
    path: str,
    content_type: str,
    status: int,
    request_body: bytes,
    response_body: bytes,
    body_cut: bool = False,
    custom: CustomSurface | None = None,
) -> Extracted | Unusable:
    """One side's answer.

    ``path`` is the client's; the body may speak another form. ``body_cut``: the capture kept only the body's beginning.
    ``custom`` is tried first; where it matches nothing, the known forms are.
    """
    if not 200 <= status < 300:
        return Unusable(
            UnusableReason.ERROR_BODY, f"status {status}: {_failure(content_type, response_body)}".rstrip(": ")
        )
    if not response_body.strip():
        return Unusable(UnusableReason.EMPTY_BODY)
    if body_cut:
        return Unusable(UnusableReason.TOO_LARGE, f"only the first {len(response_body)} bytes were kept")
    expected = expectation(path, request_body)
    try:
        return _read(read_body(content_type, response_body), expected, custom)
    except UnusableBodyError as error:
        return error.outcome


def _read(body: Body, expected: Expectation, custom: CustomSurface | None) -> Extracted | Unusable:
    if (message := error_message(body)) is not None:
        return Unusable(UnusableReason.ERROR_BODY, message[:300])
    if custom is not None and (answer := read_custom(body, custom, expected)) is not None:
        return answer
    match body:
        case PlainText(text):
            return Extracted(Surface.PLAIN_TEXT, (Choice(text),))
        case Document(value):
            return _document(value, expected) or _stream(Stream((StreamItem("", value),)), expected) or _unknown(value)
        case Stream(items) as stream:
            if (answer := _stream(stream, expected)) is not None:
                return answer
            if stream.cut or not items:
                raise truncated("the stream ends before its first event")
            one = _document(items[0].value, expected) if len(items) == 1 else None
            return one or _unknown(items[0].value)


def _document(value: object, expected: Expectation) -> Extracted | None:
    form = detect_document(value, expected.surface)
    return form.document(value, expected) if form is not None else None


def _stream(stream: Stream, expected: Expectation) -> Extracted | None:
    form = detect_stream(stream)
    return form.stream(stream, expected) if form is not None and form.stream is not None else None


def _unknown(value: object) -> Unusable:
    keys = ", ".join(sorted(map(str, value))[:8]) if isinstance(value, dict) else type(value).__name__
    detail = f"no known form ({clean(keys[:200])}); scoring.answer.jsonpath can say where the answer is"
    return Unusable(UnusableReason.UNSUPPORTED, detail)


def _failure(content_type: str, body: bytes) -> str:
    try:
        return failure_message(read_body(content_type, body[:65_536]))[:200]
    except UnusableBodyError:
        return ""
