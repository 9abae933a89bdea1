"""``application/vnd.amazon.eventstream``, Amazon's binary framing of streams, read from a whole body.

Source: docs.aws.amazon.com/lexv2/latest/dg/event-stream-encoding.html. A frame is its length and that of its headers
(big-endian, 4 bytes each), a CRC of these, the headers, the payload, and a CRC of everything before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import unpack_from
from zlib import crc32

from scorer.scoring.answers.strict_json import MAX_EVENTS, malformed, too_large

_PRELUDE = 12
_AROUND = 16  # prelude and last CRC
_STRING, _BYTES = 7, 6
_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}  # of header values whose type says their length


@dataclass(frozen=True, slots=True)
class EventStreamMessage:
    """``kind``: event, exception or error. ``whole`` is False for one that the body ends in."""

    kind: str
    name: str
    payload: bytes
    whole: bool = True


def looks_like_eventstream(body: bytes) -> bool:
    """Whether the first twelve bytes are a frame's beginning: their CRC says so."""
    return len(body) >= _PRELUDE and body[0] == 0 and crc32(body[:8]) == unpack_from(">I", body, 8)[0]


def parse_messages(body: bytes) -> Iterator[EventStreamMessage]:
    """Raises UnusableBodyError for what is no such stream."""
    at = number = 0
    while at < len(body):
        number += 1
        if number > MAX_EVENTS:
            raise too_large(f"more than {MAX_EVENTS} events")
        if len(body) - at < _PRELUDE:
            yield EventStreamMessage("", "", b"", whole=False)
            return
        total, headers, check = unpack_from(">III", body, at)
        if crc32(body[at : at + 8]) != check or not _AROUND + headers <= total:
            raise malformed(f"frame {number} has a broken beginning")
        if at + total > len(body):
            yield EventStreamMessage("", "", b"", whole=False)
            return
        if crc32(body[at : at + total - 4]) != unpack_from(">I", body, at + total - 4)[0]:
            raise malformed(f"frame {number} was changed on its way")
        start = at + _PRELUDE + headers
        told = dict(_headers(body[at + _PRELUDE : start]))
        kind = told.get(":message-type", "event")
        name = told.get(":event-type") or told.get(":exception-type") or told.get(":error-code", "")
        yield EventStreamMessage(kind, name, body[start : at + total - 4])
        at += total


def _headers(raw: bytes) -> Iterator[tuple[str, str]]:
    """The headers that are strings."""
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
            raise malformed("a frame's headers are broken")
        if kind == _STRING:
            yield name, raw[at : at + length].decode("utf-8", "replace")
        at += length
