"""Ping an HTTP/2 server as Envoy's keep-alive does, but without waiting between the pings."""

from __future__ import annotations

import asyncio
from enum import IntEnum

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
ACK = 1
TIMEOUT_S = 10


class Frame(IntEnum):
    """The types of HTTP/2 frames that matter here (RFC 9113, section 6)."""

    SETTINGS = 4
    PING = 6
    GOAWAY = 7


async def answered_pings(address: str, pings: int) -> int:
    """Return how many of ``pings`` pings the server answers on one connection before it closes the connection.

    Each ping follows the answer to the ping before it. ``address``: HOST:PORT or unix:/path. A server that treats
    frequent pings as abuse closes the connection with GOAWAY.
    """
    if address.startswith("unix:"):
        reader, writer = await asyncio.open_unix_connection(address.removeprefix("unix:"))
    else:
        reader, writer = await asyncio.open_connection(*address.rsplit(":", 1))
    writer.write(PREFACE + _frame(Frame.SETTINGS))
    answered = 0
    try:
        async with asyncio.timeout(TIMEOUT_S):
            while answered < pings and await _answers(reader, writer):
                answered += 1
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # the server has closed the connection
    finally:
        writer.close()
    return answered


async def _answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Send one ping. Return whether the server answers it; otherwise the server has sent GOAWAY."""
    writer.write(_frame(Frame.PING, bytes(8)))
    while True:
        header = await reader.readexactly(9)
        await reader.readexactly(int.from_bytes(header[:3], "big"))
        if header[3] == Frame.GOAWAY:
            return False
        if header[3] == Frame.PING and header[4] & ACK:
            return True


def _frame(kind: Frame, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, 0]) + bytes(4) + payload
