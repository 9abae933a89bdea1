"""The messages between the scorer and its scoring process. A message is a JSON header with binary blobs."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

LENGTH = struct.Struct("!Q")


def pack(header: Mapping[str, Any], blobs: Sequence[bytes] = ()) -> bytes:
    """Encode a message that consists of a JSON header and binary blobs.

    The encoded message has four parts, in this order: the length of the three other parts, the length of the header,
    the header (which also has the sizes of the blobs), and the blobs.
    """
    head = json.dumps({**header, "sizes": [len(blob) for blob in blobs]}).encode()
    rest = LENGTH.pack(len(head)) + head + b"".join(blobs)
    return LENGTH.pack(len(rest)) + rest


def unpack(rest: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """Decode a message into (header, blobs). ``rest`` is the encoded message without its first part (see ``pack``)."""
    at = LENGTH.size + LENGTH.unpack_from(rest)[0]
    header: dict[str, Any] = json.loads(rest[LENGTH.size : at])
    blobs: list[bytes] = []
    for size in header.pop("sizes"):
        blobs.append(rest[at : at + size])
        at += size
    return header, blobs
