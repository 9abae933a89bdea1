"""Extract one side's answer: parse the body, detect its provider format, and build the answer."""

from __future__ import annotations

from scorer.scoring.answers.answer import (
    Choice,
    CustomSurface,
    Expectation,
    Extracted,
    Surface,
    Unusable,
    UnusableReason,
)
from scorer.scoring.answers.body_format import Body, JsonDocument, PlainText, Stream, StreamItem, read_body
from scorer.scoring.answers.custom_jsonpath import read_custom
from scorer.scoring.answers.provider_detection import detect_document, detect_stream
from scorer.scoring.answers.provider_errors import error_message, failure_message
from scorer.scoring.answers.request_expectation import expectation
from scorer.scoring.answers.strict_json import UnusableBodyError, clean, truncated


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
    """Return the answer in a response body, or the reason why the body has no answer. Never raises an error.

    ``path``: the path of the client's request. The response may have the format of a different API.
    ``body_cut``: True if the capture kept only the beginning of the body.
    ``custom``: a custom format, which is tried before the providers' formats.
    """
    if not 200 <= status < 300:
        message = _failure(content_type, response_body)
        return Unusable(UnusableReason.ERROR_BODY, f"status {status}: {message}".rstrip(": "))
    if not response_body.strip():
        return Unusable(UnusableReason.EMPTY_BODY)
    if body_cut:
        return Unusable(UnusableReason.TOO_LARGE, f"only the first {len(response_body)} bytes were kept")
    expected = expectation(path, request_body)
    try:
        return _extract(read_body(content_type, response_body), expected, custom)
    except UnusableBodyError as error:
        return error.outcome


def _extract(body: Body, expected: Expectation, custom: CustomSurface | None) -> Extracted | Unusable:
    if (message := error_message(body)) is not None:
        return Unusable(UnusableReason.ERROR_BODY, message[:300])
    if custom is not None and (answer := read_custom(body, custom, expected)) is not None:
        return answer
    match body:
        case PlainText(text):
            return Extracted(Surface.PLAIN_TEXT, (Choice(text),))
        case JsonDocument(value):
            one_event = Stream((StreamItem("", value),))
            return _read_document(value, expected) or _read_stream(one_event, expected) or _unknown_format(value)
        case Stream(items) as stream:
            if (answer := _read_stream(stream, expected)) is not None:
                return answer
            if stream.cut or not items:
                raise truncated("the stream ends before its first event")
            only = _read_document(items[0].value, expected) if len(items) == 1 else None
            return only or _unknown_format(items[0].value)


def _read_document(value: object, expected: Expectation) -> Extracted | None:
    provider = detect_document(value, expected.surface)
    return provider.document(value, expected) if provider is not None else None


def _read_stream(stream: Stream, expected: Expectation) -> Extracted | None:
    provider = detect_stream(stream)
    return provider.stream(stream, expected) if provider is not None and provider.stream is not None else None


def _unknown_format(value: object) -> Unusable:
    keys = ", ".join(sorted(map(str, value))[:8]) if isinstance(value, dict) else type(value).__name__
    detail = f"no known format ({clean(keys[:200])}); set scoring.answer.jsonpath to the path of the answer"
    return Unusable(UnusableReason.UNSUPPORTED, detail, unknown_format=True)


def _failure(content_type: str, body: bytes) -> str:
    try:
        return failure_message(read_body(content_type, body[:65_536]))[:200]
    except UnusableBodyError:
        return ""
