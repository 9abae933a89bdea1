"""Parse the event stream format of the WHATWG HTML standard (section "Server-sent events") from a whole body.

There are two differences from the standard. If the body ends inside an event, the event is kept and marked
``whole=False``, so that a truncated stream is recognised. The field ``error``, which llama.cpp writes, is parsed as an
event named "error".
"""

from __future__ import annotations

from dataclasses import dataclass

from scorer.scoring.answers.strict_json import MAX_EVENTS, too_large

FIELDS = ("data", "event", "id", "retry", "error")


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One server-sent event. ``whole`` is False for the last event if the body does not end with a blank line."""

    name: str
    data: str
    whole: bool = True


def looks_like_sse(text: str) -> bool:
    """Return whether a body looks like server-sent events: its first line is a comment or has a known field."""
    head = text.lstrip("\ufeff\r\n")[:16]
    return head.startswith((":", *(f"{name}:" for name in FIELDS)))


def parse_sse(body: bytes) -> list[ServerSentEvent]:
    """Return the server-sent events in a body. Lines end in CRLF, LF or CR; invalid UTF-8 becomes U+FFFD."""
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    events: list[ServerSentEvent] = []
    name, data = "", []  # type: str, list[str]
    for line in text.removesuffix("\n").split("\n") if text else ():
        if not line:
            if data:
                events.append(ServerSentEvent(name, "\n".join(data)))
                if len(events) > MAX_EVENTS:
                    raise too_large(f"more than {MAX_EVENTS} events")
            name, data = "", []
            continue
        key, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if key == "data":
            data.append(value)
        elif key == "event":
            name = value
        elif key == "error":
            name, data = "error", [*data, value]
    if data:
        events.append(ServerSentEvent(name, "\n".join(data), whole=False))
    return events
