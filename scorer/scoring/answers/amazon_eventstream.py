"""Parse ``application/vnd.amazon.eventstream``, Amazon's binary encoding of streams, from a whole body.

Source: docs.aws.amazon.com/lexv2/latest/dg/event-stream-encoding.html. A message consists of a prelude (the length of
the message and the length of its headers, big-endian, 4 bytes each), a CRC of the prelude, the headers, the payload,
and a CRC of all preceding bytes of the message.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import unpack_from
from zlib import crc32

from scorer.scoring.answers.strict_json import MAX_EVENTS, malformed, too_large

_PRELUDE = 12  # bytes of the prelude and its CRC
_OVERHEAD = 16  # bytes of the prelude and both CRCs
_STRING, _BYTES = 7, 6
_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}  # bytes of each header type with a fixed size


@dataclass(frozen=True, slots=True)
class EventStreamMessage:
    """One message of an event stream. ``kind`` is "event", "exception" or "error".

    ``whole`` is False if the body ends inside the message.
    """

    kind: str
    name: str
    payload: bytes
    whole: bool = True


def looks_like_eventstream(body: bytes) -> bool:
    """Return whether a body begins with the prelude of an event stream's message and the valid CRC of this prelude."""
    return len(body) >= _PRELUDE and body[0] == 0 and crc32(body[:8]) == unpack_from(">I", body, 8)[0]


def parse_messages(body: bytes) -> Iterator[EventStreamMessage]:
    """Yield the messages of an event stream. Raises UnusableBodyError if the body does not follow the format."""
    at = number = 0
    while at < len(body):
        number += 1
        if number > MAX_EVENTS:
            raise too_large(f"more than {MAX_EVENTS} events")
        if len(body) - at < _PRELUDE:
            yield EventStreamMessage("", "", b"", whole=False)
            return
        total, headers_size, check = unpack_from(">III", body, at)
        if crc32(body[at : at + 8]) != check or not _OVERHEAD + headers_size <= total:
            raise malformed(f"the prelude of message {number} is invalid")
        if at + total > len(body):
            yield EventStreamMessage("", "", b"", whole=False)
            return
        if crc32(body[at : at + total - 4]) != unpack_from(">I", body, at + total - 4)[0]:
            raise malformed(f"the checksum of message {number} is wrong")
        start = at + _PRELUDE + headers_size
        headers = dict(_string_headers(body[at + _PRELUDE : start]))
        kind = headers.get(":message-type", "event")
        name = headers.get(":event-type") or headers.get(":exception-type") or headers.get(":error-code", "")
        yield EventStreamMessage(kind, name, body[start : at + total - 4])
        at += total


def _string_headers(raw: bytes) -> Iterator[tuple[str, str]]:
    """Yield (name, value) for each header of a message that has a string as its value. Skip the other headers.

    Raises UnusableBodyError if ``raw``, the headers of the message, is invalid.
    """
    at = 0
    while at < len(raw):
        size = raw[at]
        name = raw[at + 1 : at + 1 + size].decode("utf-8", "replace")
        at += 1 + size
        kind = raw[at] if at < len(raw) else -1
        at += 1
        length = _SIZES.get(kind, -1)
        if kind in (_STRING, _BYTES) and at + 2 <= len(raw):
            length = unpack_from(">H", raw, at)[0]
            at += 2
        if length < 0 or at + length > len(raw):
            raise malformed("the headers of a message are invalid")
        if kind == _STRING:
            yield name, raw[at : at + length].decode("utf-8", "replace")
        at += length
