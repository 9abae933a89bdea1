"""An HTTP/1.1 client on a raw connection that pauses in the middle of a request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

Pause = Callable[[], Awaitable[object]]


async def post_in_two_parts(url: str, body: bytes, pause: Pause) -> bytes:
    """Send the headers and the first half of the body, await ``pause``, and send the rest. Return the answer.

    Return b"" if the connection is reset because the answer came before the end of the request.
    """
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    half = len(body) // 2
    writer.write(_head(url, body) + body[:half])
    await writer.drain()
    await pause()
    try:
        writer.write(body[half:])
        await writer.drain()
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def _head(url: str, body: bytes) -> bytes:
    address = urlsplit(url)
    head = f"POST {address.path} HTTP/1.1\r\nhost: {address.netloc}\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode()
