"""Parse a body as a JSON document, a stream of JSON documents, or plain text.

The content type is only a hint. Some servers answer a request for a stream with an error in JSON, or send a stream with
the content type of JSON. The bodies in files of pairs often have no content type.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from scorer.scoring.answers.amazon_eventstream import looks_like_eventstream, parse_messages
from scorer.scoring.answers.answer import UnusableReason
from scorer.scoring.answers.server_sent_events import ServerSentEvent, looks_like_sse, parse_sse
from scorer.scoring.answers.strict_json import (
    MAX_BYTES,
    MAX_EVENTS,
    UnusableBodyError,
    clean,
    malformed,
    read_json,
    too_large,
    truncated,
    unsupported,
)

_BLANK = " \t\r\n"  # JSON's white space; some servers send it as a keep-alive before a body
_OTHER_TYPES = frozenset({"text/html", "text/css", "text/xml", "application/xml", "application/xhtml+xml"})
_OTHER_TYPES |= {"application/pdf", "application/zip"}
_OTHER_KINDS = ("audio/", "font/", "image/", "multipart/", "video/")
_KEEP_ALIVE = frozenset({"ping", "pong", "heartbeat", "keepalive", "keep-alive", "keep_alive"})  # names of events
DONE = "[DONE]"


@dataclass(frozen=True, slots=True)
class JsonDocument:
    """A body that is one JSON value."""

    value: object


@dataclass(frozen=True, slots=True)
class StreamItem:
    """One JSON document of a stream, and the name of its event ("" if the event has no name)."""

    name: str
    value: object


@dataclass(frozen=True, slots=True)
class Stream:
    """A body that is a stream of JSON documents.

    ``done``: True if the stream contains OpenAI's ``[DONE]``.
    ``cut``: True if the stream ends inside a document.
    """

    items: tuple[StreamItem, ...]
    done: bool = False
    cut: bool = False

    def objects(self) -> Iterator[tuple[str, dict[str, object]]]:
        """Yield (event name, document) for each document that is a JSON object."""
        for item in self.items:
            if isinstance(item.value, dict):
                yield item.name, item.value


@dataclass(frozen=True, slots=True)
class PlainText:
    """A body that is plain text."""

    text: str


Body = JsonDocument | Stream | PlainText


def read_body(content_type: str, body: bytes) -> Body:
    """Parse a body as a JSON document, a stream or plain text. Raises :class:`UnusableBodyError` for any other body."""
    if len(body) > MAX_BYTES:
        raise too_large(f"{len(body)} bytes, more than {MAX_BYTES}")
    kind = content_type.partition(";")[0].strip().lower()
    head = _head(body)
    if kind == "application/vnd.amazon.eventstream" or looks_like_eventstream(body):
        return _read_eventstream(body)
    if kind == "text/event-stream":
        return _read_json_body(body, kind) if head.startswith(("{", "[")) else _read_sse(body)
    if kind in ("text/plain", "text/markdown") and not head.startswith(("{", "[")):
        return _read_text_or_sse(body) if looks_like_sse(head) else PlainText(_text(body))
    if kind in _OTHER_TYPES or kind.startswith(_OTHER_KINDS):
        raise unsupported(f"content type {kind}", unknown_format=True)
    if head.startswith(("{", "[")):
        return _read_text_or_json(body, kind)
    if looks_like_sse(head):
        return _read_sse(body)
    if not kind and head.lower().startswith(("<!doctype html", "<html")):  # probably a proxy's error page
        raise unsupported("an HTML page")
    return _read_json_body(body, kind) if kind else PlainText(_text(body))


def _head(body: bytes) -> str:
    """Return the first characters of a body, without the white space and the byte order mark before them."""
    start = body.removeprefix(b"\xef\xbb\xbf").lstrip(_BLANK.encode())[:64]
    return start.decode("utf-8", "replace").lstrip("\ufeff" + _BLANK)


def _read_text_or_json(body: bytes, kind: str) -> Body:
    """Parse a body whose first character can begin JSON.

    A body of the content type plain text or Markdown may begin like JSON without being JSON, for example with the link
    ``[text](address)``. Such a body is plain text.
    """
    if kind not in ("text/plain", "text/markdown", ""):
        return _read_json_body(body, kind)
    try:
        return _read_json_body(body, kind)
    except UnusableBodyError as error:
        if error.outcome.reason is UnusableReason.MALFORMED and kind:
            return PlainText(_text(body))
        raise


def _read_text_or_sse(body: bytes) -> Body:
    """Parse a body of the content type plain text or Markdown that begins like server-sent events.

    The body is a stream if every event contains JSON, and the first event contains a JSON object, as in every
    provider's format. Any other body is plain text, such as prose that happens to begin with ``data:``.
    """
    try:
        stream = _read_sse(body)
    except UnusableBodyError:
        return PlainText(_text(body))
    is_stream = bool(stream.items) and isinstance(stream.items[0].value, dict)
    return stream if is_stream else PlainText(_text(body))


def _text(body: bytes) -> str:
    return clean(body.decode("utf-8", "replace").removeprefix("\ufeff"))


def _strict_text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and error.end >= len(body):
            raise truncated("body ends in the middle of a character") from None
        raise malformed(f"body is not UTF-8 at byte {error.start}") from None


def _read_json_body(body: bytes, kind: str) -> Body:
    text = _strict_text(body).lstrip(_BLANK)
    lines = text.split("\n", 2)
    has_many = len(lines) > 1 and lines[0].rstrip().endswith(("}", "]")) and lines[1].lstrip().startswith(("{", "["))
    if "ndjson" in kind or "jsonl" in kind or "json-seq" in kind or has_many:
        return _read_ndjson(text)
    return JsonDocument(read_json(text))


def _read_ndjson(text: str) -> Stream:
    items: list[StreamItem] = []
    lines = [line for line in text.replace("\x1e", "").split("\n") if line.strip()]
    if len(lines) > MAX_EVENTS:
        raise too_large(f"more than {MAX_EVENTS} lines")
    for i, line in enumerate(lines):
        try:
            items.append(StreamItem("", read_json(line, f"line {i + 1}")))
        except UnusableBodyError as error:
            if i + 1 == len(lines) and error.outcome.reason is UnusableReason.TRUNCATED:
                return Stream(tuple(items), cut=True)
            raise malformed(error.outcome.detail) from None
    return Stream(tuple(items))


def _read_eventstream(body: bytes) -> Stream:
    items: list[StreamItem] = []
    for message in parse_messages(body):
        if not message.whole:
            return Stream(tuple(items), cut=True)
        text = message.payload.decode("utf-8", "replace")
        if message.kind != "event":
            raise UnusableBodyError(UnusableReason.ERROR_BODY, clean(f"{message.name}: {text}"))
        items.append(StreamItem(clean(message.name), read_json(text or "{}", f"the payload of {message.name}")))
    return Stream(tuple(items))


def _read_sse(body: bytes) -> Stream:
    items: list[StreamItem] = []
    for i, event in enumerate(parse_sse(body)):
        if _is_keep_alive(event):
            continue
        if event.data.strip() == DONE:
            return Stream(tuple(items), done=True)
        try:
            items.append(StreamItem(event.name, read_json(event.data, f"event {i + 1}")))
        except UnusableBodyError as error:
            if not event.whole:
                return Stream(tuple(items), cut=True)
            if event.name == "error":
                raise UnusableBodyError(UnusableReason.ERROR_BODY, clean(event.data)) from None
            raise malformed(error.outcome.detail) from None
    return Stream(tuple(items))


def _is_keep_alive(event: ServerSentEvent) -> bool:
    """Return whether a server sent the event only so that the connection stays open."""
    return event.name != "error" and (event.name.lower() in _KEEP_ALIVE or not event.data.strip())
