"""No email address survives redaction, for any form of a body and any content type."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from html import unescape
from typing import Any
from urllib.parse import quote, unquote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.amazon_event_frames import TYPE, divide, frame, is_frames
from extproc.extproc_errors import NotRedactedError
from extproc.redaction import MARK, Redactor
from glidepath.config.redaction import RedactionSection

SECRET = "ann.lee@example.com"
REDACTOR = Redactor(RedactionSection(builtin=("email",)), time_limit=60, body_limit=60)  # also on a busy machine
TYPES = ("application/json", "text/event-stream", "application/x-ndjson", "text/plain", "", TYPE, "a/b; charset=utf-16")
READABLE = TYPES[:5]
MESSAGE = f"Write to {SECRET}, please."


def pieces_of(cuts: Sequence[int]) -> list[str]:
    at = sorted({cut % len(MESSAGE) for cut in cuts})
    return [MESSAGE[a:b] for a, b in zip([0, *at], [*at, len(MESSAGE)], strict=True)]


def event(piece: str, number: int) -> str:
    return json.dumps({"index": number, "choices": [{"delta": {"content": piece}}]})


def escaped(text: str) -> str:
    """Return JSON in which every character of its strings is escaped."""
    return "".join(f"\\u{ord(c):04x}" if c.isalnum() or c in "@." else c for c in text)


def sse(pieces: Sequence[str], end: str) -> bytes:
    return (
        "".join(f"data: {event(p, n)}{end}{end}" for n, p in enumerate(pieces)).encode() + f"data: [DONE]{end}".encode()
    )


def sse_of_many_lines(pieces: Sequence[str]) -> bytes:
    lines = (json.dumps(json.loads(event(p, n)), indent=1).split("\n") for n, p in enumerate(pieces))
    return "\n".join("".join(f"data: {line}\nid: 7\n" for line in one) for one in lines).encode()


def bedrock(pieces: Sequence[str]) -> bytes:
    envelopes = ({"bytes": base64.b64encode(event(p, n).encode()).decode(), "p": "abc"} for n, p in enumerate(pieces))
    return b"".join(frame(b"\x01x\x07\x00\x01y", json.dumps(one).encode()) for one in envelopes)


FORMS: dict[str, Callable[[Sequence[str]], bytes]] = {
    "document": lambda _: json.dumps({"text": MESSAGE}).encode(),
    "escaped": lambda _: f'{{"text": "{escaped(MESSAGE)}"}}'.encode(),
    "name": lambda _: json.dumps({MESSAGE: {"x": [1]}}).encode(),
    "doubled name": lambda _: f'{{"text": "{MESSAGE}", "a": 1, "text": "harmless"}}'.encode(),
    "JSON in JSON": lambda _: json.dumps({"arguments": f'{{"to": "{escaped(MESSAGE)}"}}'}).encode(),
    "URL in JSON": lambda _: json.dumps({"text": f"https://x.example/?q={quote(SECRET, safe='')}&b=c"}).encode(),
    "HTML in JSON": lambda _: json.dumps({"text": MESSAGE.replace("@", "&#64;").replace(".", "&period;")}).encode(),
    "cut document": lambda _: f'{{"text": "{escaped(MESSAGE)}", "more": "x'.encode(),
    "form": lambda _: f"a=b&text={quote(MESSAGE, safe='').replace('%20', '+')}".encode(),
    "UTF-8 with a mark": lambda _: json.dumps({"text": MESSAGE}).encode("utf-8-sig"),
    "UTF-16": lambda _: json.dumps({"text": MESSAGE}).encode("utf-16"),
    "UTF-16 without a mark": lambda _: json.dumps({"text": MESSAGE}).encode("utf-16-be"),
    "UTF-32": lambda _: json.dumps({"text": MESSAGE}).encode("utf-32"),
    "UTF-32 without a mark": lambda _: json.dumps({"text": MESSAGE}).encode("utf-32-le"),
    "SSE": lambda pieces: sse(pieces, "\n"),
    "SSE with carriage returns": lambda pieces: sse(pieces, "\r"),
    "SSE with both": lambda pieces: sse(pieces, "\r\n"),
    "SSE, JSON on many lines": sse_of_many_lines,
    "SSE without JSON": lambda pieces: "".join(f"data: {p}\n\n" for p in pieces).encode(),
    "NDJSON": lambda pieces: "\n".join(event(p, n) for n, p in enumerate(pieces)).encode(),
    "JSON text sequence": lambda pieces: "".join(f"\x1e{event(p, n)}\n" for n, p in enumerate(pieces)).encode(),
    "values without separators": lambda pieces: "".join(event(p, n) for n, p in enumerate(pieces)).encode(),
    "array of events": lambda pieces: f"[{','.join(event(p, n) for n, p in enumerate(pieces))}]".encode(),
    "NDJSON after a line of text": lambda pieces: b"start\n" + "\n".join(event(p, 0) for p in pieces).encode(),
    "Bedrock": bedrock,
    "Bedrock Converse": lambda pieces: b"".join(frame(b"", event(p, 0).encode()) for p in pieces),
}


def strings(value: Any, names: bool) -> str:
    """Return the strings of a JSON value in their order: the names of members, or all other strings."""
    if isinstance(value, str):
        return "" if names else value
    if isinstance(value, tuple):
        return (value[0] if names else "") + strings(value[1], names)
    if isinstance(value, list):
        return "".join(strings(one, names) for one in value)
    return ""


def visible(body: bytes) -> str:
    """Return everything that a reader of a stored body could see: the body's text, and the strings in it, joined."""
    texts = [body.decode(coding, "replace") for coding in ("utf-8", "utf-16", "utf-16-be")]
    if is_frames(body, ""):
        payloads = [payload for _, payload in divide(body)[0]]
        inner = [json.loads(one).get("bytes", "") for one in payloads]
        texts = ["".join(payloads), "".join(base64.b64decode(one).decode() for one in inner)]
    seen = ""
    for text in texts:
        lines = [line.removeprefix("data:").strip() for line in text.replace("\r", "\n").split("\n") if line]
        values = json_values("".join(line for line in lines if not line.startswith("id:")))
        seen += "\n".join([text, "".join(lines), strings(values, names=False), strings(values, names=True)])
    return seen + unescape(unquote_plus(seen)) + seen.encode().decode("unicode_escape", "replace")


def json_values(text: str) -> list[Any]:
    """Return the JSON values in a text, with each member of an object as a tuple."""
    found: list[Any] = []
    decoder, at = json.JSONDecoder(object_pairs_hook=list), 0
    while at < len(text):
        try:
            value, at = decoder.raw_decode(text, at)
            found.append(value)
        except ValueError:
            at += 1
    return found


@pytest.mark.parametrize("form", FORMS)
def test_the_check_sees_the_address_before_redaction(form: str) -> None:
    body = FORMS[form]([MESSAGE[:12], MESSAGE[12:20], MESSAGE[20:]])
    assert SECRET in visible(body if "UTF-32" not in form else body.decode("utf-32").encode())


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 200), max_size=6), st.sampled_from(TYPES))
def test_no_address_remains(form: str, cuts: list[int], content_type: str) -> None:
    body = FORMS[form](pieces_of(cuts))
    try:
        redacted = REDACTOR.redact(body, content_type)
    except NotRedactedError:
        assert content_type not in READABLE
        return
    if content_type in READABLE:
        assert MARK in visible(redacted)
    assert "@example.com" not in visible(redacted)


@pytest.mark.parametrize("form", FORMS)
def test_a_second_redaction_changes_nothing(form: str) -> None:
    once = REDACTOR.redact(FORMS[form](pieces_of([12, 20])), "")
    assert REDACTOR.redact(once, "") == once


@pytest.mark.parametrize("form", FORMS)
def test_a_body_without_a_match_is_kept_byte_for_byte(form: str) -> None:
    other = Redactor(RedactionSection(patterns=("never there",)))
    body = FORMS[form](pieces_of([12, 20]))
    assert other.redact(body, "") == body or form.startswith("UTF")
