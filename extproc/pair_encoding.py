"""From what came off the wire to what is stored: decode, redact, encode. Costly, so it runs in a thread of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from extproc.content_coding import decode
from extproc.error_log import Faults
from extproc.exceptions import DecodeError
from extproc.redaction import Redactor
from glidepath.domain import Answer, Pair, PairKind
from glidepath.wire import encode_pair

TURN_S = 0.1
_OVERHEAD = 1024  # of the objects around the bodies, roughly


@dataclass(frozen=True, slots=True)
class RawPair:
    """Bodies still in their content codings, which are named beside them."""

    pair: Pair
    request_encoding: str = ""
    first_encoding: str = ""
    second_encoding: str = ""

    @property
    def size(self) -> int:
        """Bytes held, about."""
        pair = self.pair
        return len(pair.request_body) + len(pair.first.body) + len(pair.second.body) + _OVERHEAD


@dataclass(frozen=True, slots=True)
class Prepared:
    """An encoded pair, ready to be written."""

    workload: str
    kind: PairKind
    data: bytes

    @property
    def size(self) -> int:
        return len(self.data) + _OVERHEAD


class PairPreparer:
    """``limit``: bytes of a decoded body; longer ones are cut and marked."""

    def __init__(self, redactor: Redactor, limit: int) -> None:
        self._redactor, self._limit, self._faults = redactor, limit, Faults()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="prepare")

    async def prepare(self, batch: Sequence[RawPair]) -> Sequence[Prepared | None]:
        """The first of the batch, as many as there is time for and at least one: outcomes wait meanwhile.

        None for a pair that had to be set aside.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._prepare, batch)

    def _prepare(self, batch: Sequence[RawPair]) -> list[Prepared | None]:
        prepared: list[Prepared | None] = []
        deadline = time.monotonic() + TURN_S
        for raw in batch:
            prepared.append(self._or_none(raw))
            if time.monotonic() > deadline:
                break
        return prepared

    def _or_none(self, raw: RawPair) -> Prepared | None:
        try:
            return self.prepare_one(raw)
        except Exception as error:  # the boundary of one pair: whatever is in it, the others go on
            self._faults.note(error, raw.pair.workload, raw.pair.id)
            return None

    def prepare_one(self, raw: RawPair) -> Prepared:
        pair = raw.pair
        request, request_cut, _ = self._body(pair.request_body, raw.request_encoding, pair.request_content_type)
        decoded = replace(
            pair,
            request_body=request,
            request_cut=pair.request_cut or request_cut,
            first=self._answer(pair.first, raw.first_encoding),
            second=self._answer(pair.second, raw.second_encoding),
        )
        return Prepared(pair.workload, pair.kind, encode_pair(decoded))

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _answer(self, answer: Answer, encoding: str) -> Answer:
        body, cut, error = self._body(answer.body, encoding, answer.content_type)
        return replace(answer, body=body, body_cut=answer.body_cut or cut, error=answer.error or error)

    def _body(self, body: bytes, encoding: str, content_type: str) -> tuple[bytes, bool, str]:
        """(what may be kept, whether it is less than the whole, why)."""
        error = ""
        cut = False
        if encoding and body:
            try:
                decoded = decode(body, encoding, self._limit)
            except DecodeError as problem:
                return b"", True, str(problem)
            body, cut = decoded.data, decoded.cut
        redacted = self._redactor.redact(body, content_type)
        if redacted is None:
            return b"", True, "left out: redaction took too long"
        return redacted, cut, error
