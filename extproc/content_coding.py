"""Decoding of bodies by their Content-Encoding (RFC 9110, 8.4), with a limit on the decoded bytes."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import brotli

from extproc.extproc_errors import DecodeError
from glidepath import zstd

MAX_CODINGS = 4  # nested codings; more than any real server applies
# Gzip members or zstd frames of one body. A server may start one at every flush of a stream, and an empty zstd frame
# takes only 9 bytes.
MAX_MEMBERS = 10_000
_PIECE = 64 * 1024
_FIRST_PIECE = 256  # bytes; small, because zlib copies all input that follows the end of a member
_ZSTD_PIECE = 256
_ZSTD_WINDOW: dict[int, int] = {zstd.DecompressionParameter.window_log_max: 23}  # 8 MiB


@dataclass(frozen=True, slots=True)
class Decoded:
    """The decoded bytes of a body.

    ``cut`` is True if bytes are missing, because of the limit or because the encoded body was incomplete.
    """

    data: bytes
    cut: bool = False


def decode(body: bytes, content_encoding: str, limit: int) -> Decoded:
    """Return at most ``limit`` decoded bytes of ``body``.

    ``content_encoding`` is the value of the Content-Encoding header. Raises DecodeError if the header names an unknown
    coding, or a coding that ``body`` does not have.
    """
    codings = [name.strip().lower() for name in content_encoding.split(",") if name.strip()]
    codings = [name for name in codings if name != "identity"]
    if len(codings) > MAX_CODINGS:
        raise DecodeError(f"{len(codings)} nested content codings, more than {MAX_CODINGS}")
    result = Decoded(body)
    for name in reversed(codings):  # the header lists codings in the order in which they were applied
        decoder = DECODERS.get(name)
        if decoder is None:
            raise DecodeError(f"unknown content coding {name[:20]!r} (known: {', '.join(DECODERS)})")
        # If the decoded bytes of the outer coding were cut, the input of the inner coding is incomplete, too.
        inner = decoder(result.data, limit) if result.data else result
        result = Decoded(inner.data, inner.cut or result.cut)
    if len(result.data) > limit:
        return Decoded(result.data[:limit], True)
    return result


def _gzip(body: bytes, limit: int) -> Decoded:
    """Decode a gzip body, which consists of one or more consecutive members (RFC 1952, 2.2)."""
    out, at = bytearray(), 0
    try:
        for _ in range(MAX_MEMBERS):
            at, whole = _gzip_member(body, at, out, limit)
            if not whole or len(out) > limit:
                return Decoded(bytes(out[:limit]), True)
            while at < len(body) and body[at] == 0:  # gzip(1) allows zero bytes after the last member
                at += 1
            if at == len(body):
                return Decoded(bytes(out))
    except zlib.error as error:
        raise DecodeError(f"body does not have the coding that its header names: {error}") from error
    raise DecodeError(f"more than {MAX_MEMBERS} gzip members")


def _gzip_member(body: bytes, at: int, out: bytearray, limit: int) -> tuple[int, bool]:
    """Decode the gzip member that begins at position ``at`` of ``body``, and append its decoded bytes to ``out``.

    Return a tuple: the position in ``body`` where the member ends, and whether the member is complete.
    """
    decoder, piece = zlib.decompressobj(16 + zlib.MAX_WBITS), _FIRST_PIECE
    while at < len(body) and not decoder.eof and len(out) <= limit:
        data = body[at : at + piece]
        at += len(data)
        piece = min(4 * piece, _PIECE)
        while data and not decoder.eof and len(out) <= limit:
            out += decoder.decompress(data, limit - len(out) + 1)
            data = decoder.unconsumed_tail
    return at - len(decoder.unused_data), decoder.eof


def _deflate(body: bytes, limit: int) -> Decoded:
    """Decode a ``deflate`` body.

    RFC 9110 requires the zlib format, but many servers send raw deflate. If ``body`` is not in the zlib format, it is
    decoded as raw deflate.
    """
    try:
        member = _zlib_with(body, limit + 1, zlib.MAX_WBITS)
    except DecodeError:
        member = _zlib_with(body, limit + 1, -zlib.MAX_WBITS)
    return Decoded(member.data[:limit], member.cut or len(member.data) > limit)


def _zlib_with(body: bytes, limit: int, window: int) -> Decoded:
    decoder = zlib.decompressobj(window)
    try:
        data = decoder.decompress(body, limit)
    except zlib.error as error:
        raise DecodeError(f"body does not have the coding that its header names: {error}") from error
    return Decoded(data, not decoder.eof)


def _brotli(body: bytes, limit: int) -> Decoded:
    decoder = brotli.Decompressor()
    out = bytearray()
    try:
        out += decoder.process(body, output_buffer_limit=_PIECE)
        while not decoder.can_accept_more_data() and not decoder.is_finished() and len(out) <= limit:
            out += decoder.process(b"", output_buffer_limit=_PIECE)
    except brotli.error as error:
        raise DecodeError(f"not brotli: {error}") from error
    return Decoded(bytes(out[:limit]), len(out) > limit or not decoder.is_finished())


def _zstd(body: bytes, limit: int) -> Decoded:
    """Decode consecutive zstd frames with a window of at most 8 MiB (RFC 9659).

    The decoder has no limit on its output, and four bytes of input can decode to 128 KiB. It therefore gets its input
    in small pieces.
    """
    out = bytearray()
    whole, at, frames = False, 0, 0
    try:
        while at < len(body) and len(out) <= limit and frames < MAX_MEMBERS:
            frame = zstd.ZstdDecompressor(options=_ZSTD_WINDOW)
            frames += 1
            while at < len(body) and not frame.eof and len(out) <= limit:
                out += frame.decompress(body[at : at + _ZSTD_PIECE])
                at += min(_ZSTD_PIECE, len(body) - at)
            whole = frame.eof
            at -= len(frame.unused_data)
    except (zstd.ZstdError, MemoryError) as error:
        raise DecodeError(f"not zstd: {error}") from error
    if frames == MAX_MEMBERS and at < len(body):
        raise DecodeError(f"more than {MAX_MEMBERS} zstd frames")
    return Decoded(bytes(out[:limit]), len(out) > limit or not whole)


DECODERS: dict[str, Callable[[bytes, int], Decoded]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
