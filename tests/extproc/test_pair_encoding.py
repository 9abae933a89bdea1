"""Decoding, redacting and serialising pairs."""

from __future__ import annotations

import gzip

import structlog

from extproc.pair_encoding import PairEncoder, RawPair
from extproc.redaction import Redactor
from glidepath.config.redaction import RedactionSection
from glidepath.pairs import Answer, Pair, PairKind
from glidepath.protobuf_codec import decode_pair
from glidepath.sides import Origin, Side


def pair(body: bytes) -> Pair:
    first = Answer(Side.BASELINE, Origin.LIVE, "cloud", 200, body=body, content_type="application/json")
    return Pair("id", "chat", PairKind.CROSS, 1, "POST", "/", b"ask ann@example.com", first, first)


def encode(raw: RawPair, limit: int = 10**6) -> Pair:
    encoder = PairEncoder(Redactor(RedactionSection(builtin=("email",))), limit)
    try:
        return decode_pair(encoder.encode_one(raw).data)
    finally:
        encoder.close()


def test_bodies_are_decoded_and_redacted_before_they_are_stored() -> None:
    stored = encode(RawPair(pair(gzip.compress(b"I am bob@example.com")), "", "gzip", "gzip"))
    assert stored.first.body == stored.second.body == b"I am [redacted]"
    assert stored.request_body == b"ask [redacted]"
    assert not stored.first.body_cut


def test_a_body_that_decodes_to_too_much_is_cut_and_an_undecodable_one_is_empty() -> None:
    stored = encode(RawPair(pair(gzip.compress(b"x" * 5000)), "", "gzip", "zstd"), limit=100)
    assert (len(stored.first.body), stored.first.body_cut) == (100, True)
    assert (stored.second.body, stored.second.body_cut) == (b"", True)
    assert "not zstd" in stored.second.error


async def test_an_unexpected_error_loses_only_its_pair_and_is_logged_once_without_the_body() -> None:
    class FailsOnPoison(Redactor):
        def redact(self, body: bytes, content_type: str = "") -> bytes | None:
            if b"poison" in body:
                raise ValueError(body)
            return super().redact(body, content_type)

    encoder = PairEncoder(FailsOnPoison(RedactionSection()), 10**6)
    batch = [RawPair(pair(body)) for body in (b"fine", b"poison one", b"poison two", b"fine")]
    try:
        with structlog.testing.capture_logs() as logs:
            encoded = await encoder.encode(batch)
    finally:
        encoder.close()
    assert [one is None for one in encoded] == [False, True, True, False]
    (line,) = logs
    assert (line["error"], line["workload"]) == ("ValueError", "chat")
    assert "poison" not in str(line)
