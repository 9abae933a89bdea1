"""Encodes pairs for Redis: decodes their bodies, redacts the bodies, and serialises the pairs.

This work is slow, so it runs in a thread.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from extproc.content_coding import decode
from extproc.extproc_errors import DecodeError, NotRedactedError
from extproc.redaction import Redactor
from extproc.unexpected_errors import UnexpectedErrors
from glidepath.pairs import Answer, Pair, PairKind
from glidepath.protobuf_codec import encode_pair

TURN_S = 0.1
_OVERHEAD = 1024  # estimated bytes of a pair without its bodies


@dataclass(frozen=True, slots=True)
class RawPair:
    """A pair whose bodies are not yet decoded.

    ``request_encoding``, ``first_encoding``, ``second_encoding``: the content encodings of the request's body and of
    the bodies of the two answers.
    ``counted``: whether the result of this pair counts in the coverage. False if the exchange already counts there as
    not comparable.
    """

    pair: Pair
    request_encoding: str = ""
    first_encoding: str = ""
    second_encoding: str = ""
    counted: bool = True

    @property
    def size(self) -> int:
        """The estimated bytes of memory that the pair uses."""
        pair = self.pair
        return len(pair.request_body) + len(pair.first.body) + len(pair.second.body) + _OVERHEAD


@dataclass(frozen=True, slots=True)
class EncodedPair:
    """A serialised pair, ready to be written to Redis. ``seq`` numbers the pairs of this process from 1.

    ``counted``: see ``RawPair``.
    """

    workload: str
    kind: PairKind
    data: bytes
    seq: int = 0
    counted: bool = True

    @property
    def size(self) -> int:
        return len(self.data) + _OVERHEAD


class PairEncoder:
    """Encodes batches of pairs. A decoded body that is longer than ``limit`` bytes is cut and marked as cut."""

    def __init__(self, redactor: Redactor, limit: int) -> None:
        self._redactor, self._limit, self._errors = redactor, limit, UnexpectedErrors()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="prepare")

    async def encode(self, batch: Sequence[RawPair]) -> Sequence[EncodedPair | None]:
        """Encode pairs from the start of the batch for TURN_S seconds, but at least one pair.

        The returned list has one item for each encoded pair. The item is None if an unexpected error occurred. The time
        is limited because the write buffer cannot write outcomes to Redis before this call returns.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._encode_batch, batch)

    def _encode_batch(self, batch: Sequence[RawPair]) -> list[EncodedPair | None]:
        encoded: list[EncodedPair | None] = []
        deadline = time.monotonic() + TURN_S
        for raw in batch:
            encoded.append(self._or_none(raw))
            if time.monotonic() > deadline:
                break
        return encoded

    def _or_none(self, raw: RawPair) -> EncodedPair | None:
        try:
            return self.encode_one(raw)
        except Exception as error:  # an error in one pair must not stop the encoding of the others
            self._errors.log(error, raw.pair.workload, raw.pair.id)
            return None

    def encode_one(self, raw: RawPair) -> EncodedPair:
        pair = raw.pair
        request, request_cut, _ = self._body(pair.request_body, raw.request_encoding, pair.request_content_type)
        decoded = replace(
            pair,
            path=self._redactor.redact_path(pair.path),
            request_body=request,
            request_cut=pair.request_cut or request_cut,
            first=self._answer(pair.first, raw.first_encoding),
            second=self._answer(pair.second, raw.second_encoding),
        )
        return EncodedPair(pair.workload, pair.kind, encode_pair(decoded), counted=raw.counted)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _answer(self, answer: Answer, encoding: str) -> Answer:
        body, cut, error = self._body(answer.body, encoding, answer.content_type)
        # A rewritten body is UTF-8, whatever charset the content type names.
        kind = answer.content_type if body == answer.body else answer.content_type.partition(";")[0]
        return replace(
            answer, body=body, content_type=kind, body_cut=answer.body_cut or cut, error=answer.error or error
        )

    def _body(self, body: bytes, encoding: str, content_type: str) -> tuple[bytes, bool, str]:
        """Decode and redact a body.

        Return a tuple: the bytes to store, whether a part of the body is missing, and the reason why nothing may be
        stored ("" if the bytes may be stored).
        """
        cut = False
        if encoding and body:
            try:
                decoded = decode(body, encoding, self._limit)
            except DecodeError as problem:
                return b"", True, str(problem)
            body, cut = decoded.data, decoded.cut
        try:
            return self._redactor.redact(body, content_type), cut, ""
        except NotRedactedError as problem:
            return b"", True, str(problem)
