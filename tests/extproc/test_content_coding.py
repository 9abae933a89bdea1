"""Content codings: each one, nested ones, cut bodies, decompression bombs and invalid bodies."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.content_coding import DECODERS, Decoded, decode
from extproc.extproc_errors import DecodeError
from glidepath import zstd
from glidepath.zstd import ZstdCompressor

TEXT = b'{"choices": [{"message": {"content": "Paris"}}]}' * 50


def raw_deflate(data: bytes) -> bytes:
    encoder = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return encoder.compress(data) + encoder.flush()


def streamed_zstd(data: bytes) -> bytes:
    """Return zstd data without the content's size, as servers send it."""
    encoder = ZstdCompressor()
    return encoder.compress(data) + encoder.flush()


CODERS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
    ("br", brotli.compress),
    ("zstd", zstd.compress),
    ("zstd", streamed_zstd),
]
each_coding = pytest.mark.parametrize(("name", "encode"), CODERS, ids=[f"{n}-{f.__name__}" for n, f in CODERS])


@each_coding
def test_a_coding_is_decoded(name: str, encode: Callable[[bytes], bytes]) -> None:
    decoded = decode(encode(TEXT), name, 10**6)
    assert (decoded.data, decoded.cut) == (TEXT, False)


@each_coding
def test_exactly_the_limit_is_whole_and_one_more_is_cut(name: str, encode: Callable[[bytes], bytes]) -> None:
    assert decode(encode(TEXT), name, len(TEXT)) == decode(TEXT, "", len(TEXT))
    shorter = decode(encode(TEXT), name, len(TEXT) - 1)
    assert (shorter.data, shorter.cut) == (TEXT[:-1], True)


@pytest.mark.slow
@each_coding
def test_a_decompression_bomb_yields_no_more_than_the_limit(name: str, encode: Callable[[bytes], bytes]) -> None:
    bomb = encode(bytes(50 * 2**20))
    decoded = decode(bomb, name, 100_000)
    assert (len(decoded.data), decoded.cut) == (100_000, True)


@each_coding
def test_an_input_that_ends_early_is_cut(name: str, encode: Callable[[bytes], bytes]) -> None:
    data = encode(TEXT)
    decoded = decode(data[: len(data) - 6], name, 10**6)
    assert decoded.cut
    assert TEXT.startswith(decoded.data)


@each_coding
def test_an_empty_body_stays_empty(name: str, encode: Callable[[bytes], bytes]) -> None:
    assert decode(b"", name, 10).data == b""
    assert decode(encode(b""), name, 10) == decode(b"", "", 10)


def test_codings_are_decoded_in_reverse_order() -> None:
    assert decode(brotli.compress(gzip.compress(TEXT)), "gzip, br", 10**6).data == TEXT


def test_several_gzip_members_and_zstd_frames_are_one_body() -> None:
    assert decode(gzip.compress(b"ab") + gzip.compress(b"cd"), "GZIP", 10).data == b"abcd"
    assert decode(streamed_zstd(b"ab") + streamed_zstd(b"cd"), "zstd", 10).data == b"abcd"


@pytest.mark.parametrize(("name", "empty"), [("gzip", gzip.compress(b"", mtime=0)), ("zstd", streamed_zstd(b""))])
def test_a_body_of_very_many_empty_members_is_refused(name: str, empty: bytes) -> None:
    assert decode(empty * 1000, name, 10).data == b""
    with pytest.raises(DecodeError, match="more than 10000"):
        decode(empty * 10_001, name, 10)


def test_members_of_every_size_are_joined() -> None:
    parts = [bytes([i % 251]) * (3**i) for i in range(12)]
    whole = b"".join(parts)
    assert decode(b"".join(map(gzip.compress, parts)) + bytes(9), "gzip", 10**6).data == whole
    assert decode(b"".join(map(streamed_zstd, parts)), "zstd", 10**6).data == whole
    assert decode(b"".join(map(gzip.compress, parts)), "gzip", 100_000) == Decoded(whole[:100_000], cut=True)


def test_nested_decompression_bombs_are_limited_at_each_layer() -> None:
    nested = gzip.compress(gzip.compress(gzip.compress(bytes(20 * 2**20))))
    assert len(decode(nested, "gzip, gzip, gzip", 1000).data) <= 1000


def test_identity_and_no_coding_leave_the_body_unchanged() -> None:
    assert decode(TEXT, "identity", 10**6).data == TEXT
    assert decode(TEXT, " , ", 10).data == TEXT[:10]


def test_unknown_and_too_many_codings_are_errors() -> None:
    with pytest.raises(DecodeError, match="unknown content coding 'compress'"):
        decode(b"x", "compress", 10)
    with pytest.raises(DecodeError, match="5 nested"):
        decode(b"x", "gzip,gzip,gzip,gzip,gzip", 10)


@each_coding
def test_a_body_without_the_named_coding_is_an_error(name: str, encode: Callable[[bytes], bytes]) -> None:
    with pytest.raises(DecodeError):
        decode(b"\xff\xfeplain text, certainly not compressed", name, 1000)


@given(st.binary(max_size=400), st.sampled_from(sorted(DECODERS)), st.integers(0, 500))
def test_random_bytes_are_an_error_or_stay_within_the_limit(garbage: bytes, name: str, limit: int) -> None:
    try:
        decoded = decode(garbage, name, limit)
    except DecodeError:
        return
    assert len(decoded.data) <= limit


@given(st.sampled_from(CODERS), st.binary(max_size=300), st.data())
def test_a_damaged_body_is_an_error_or_stays_within_the_limit(
    coder: tuple[str, Callable[[bytes], bytes]], body: bytes, data: st.DataObject
) -> None:
    name, encode = coder
    encoded = bytearray(encode(body))
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] ^= data.draw(st.integers(1, 255))
    try:
        assert len(decode(bytes(encoded), name, 1000).data) <= 1000
    except DecodeError:
        return
