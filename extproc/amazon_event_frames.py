"""Reads and writes ``application/vnd.amazon.eventstream``, the format in which Bedrock streams its answers.

A frame consists of a prelude (the length of the frame and of its headers, big-endian, 4 bytes each), a CRC of the
prelude, the headers, the payload, and a CRC of everything before it. The payload of InvokeModelWithResponseStream is
JSON whose member ``bytes`` contains another JSON text in base64. Source:
docs.aws.amazon.com/lexv2/latest/dg/event-stream-encoding.html.
"""

from __future__ import annotations

import base64
import binascii
from struct import pack, unpack_from
from zlib import crc32

from extproc.body_parts import MAX_PARTS, Part
from extproc.json_tree import BodyTooComplexError, Members, Number, dump, parse_structure

TYPE = "application/vnd.amazon.eventstream"
_PRELUDE, _CHECKSUM = 12, 4
_PADDING = "p"  # letters and digits that hide the length of the answer


class DamagedFrameError(Exception):
    """A body is not a sequence of valid frames."""


def is_frames(body: bytes, content_type: str) -> bool:
    """Return whether a body consists of frames, judged by its content type or by a valid CRC of its first prelude."""
    labelled = content_type.partition(";")[0].strip().lower() == TYPE
    return labelled or (len(body) >= _PRELUDE and crc32(body[:8]) == unpack_from(">I", body, 8)[0])


def divide(body: bytes) -> tuple[list[tuple[bytes, str]], bytes]:
    """Return a tuple: the headers and the payload of each complete frame, and the prelude of an incomplete last frame.

    Raises DamagedFrameError if a frame is damaged, and BodyTooComplexError if there are too many frames.
    """
    frames: list[tuple[bytes, str]] = []
    at = 0
    while len(body) - at >= _PRELUDE:
        total, size, check = unpack_from(">III", body, at)
        end, payload_at = at + total, at + _PRELUDE + size
        if crc32(body[at : at + 8]) != check or end < payload_at + _CHECKSUM:
            raise DamagedFrameError
        if end > len(body):
            break
        if crc32(body[at : end - _CHECKSUM]) != unpack_from(">I", body, end - _CHECKSUM)[0]:
            raise DamagedFrameError
        if len(frames) == MAX_PARTS:
            raise BodyTooComplexError
        payload = body[payload_at : end - _CHECKSUM].decode("utf-8", "replace")
        frames.append((body[at + _PRELUDE : payload_at], payload))
        at = end
    return frames, body[at : at + _PRELUDE]


def frame(headers: bytes, payload: bytes) -> bytes:
    """Return one frame with the given headers and payload."""
    prelude = pack(">II", _PRELUDE + len(headers) + len(payload) + _CHECKSUM, len(headers))
    checked = prelude + pack(">I", crc32(prelude)) + headers + payload
    return checked + pack(">I", crc32(checked))


def part_of(payload: str) -> Part:
    """Return a frame's payload as a part of a body. If the payload is an envelope, its ``bytes`` are decoded.

    Raises DamagedFrameError if the envelope has members other than ``bytes`` and padding.
    """
    value = parse_structure(payload)
    members = {str(name): member for member in value for name in member[:1]} if isinstance(value, Members) else {}
    inner = _decoded(members["bytes"][1]) if "bytes" in members else None
    if inner is None:
        return Part(payload, value, data=payload, joins=True)
    padding = members.get(_PADDING, [_PADDING, "a"])[1]
    if len(members) != len(value) or not members.keys() <= {"bytes", _PADDING} or not str(padding).isalnum():
        raise DamagedFrameError

    def wrap(text: str) -> str:
        members["bytes"][1] = base64.b64encode(text.encode("utf-8", "replace")).decode()
        return dump(value)

    return Part(payload, parse_structure(inner), data=inner, wrap=wrap, joins=True)


def _decoded(value: object) -> str | None:
    if not isinstance(value, str) or isinstance(value, Number):
        return None
    try:
        return base64.b64decode(value, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return None
