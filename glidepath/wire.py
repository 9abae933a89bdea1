"""Between the domain records and what lies in Redis (proto/glidepath.proto).

``encode_*`` give bytes, ``decode_*`` raise InputError for bytes that are not such a record. Pairs are zstd-compressed:
two answers to one prompt share much of their text.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar, cast

from google.protobuf.message import DecodeError, Message

from glidepath import zstd
from glidepath.domain import (
    Answer,
    AnswerFacts,
    Ending,
    Origin,
    Outcomes,
    Pair,
    PairKind,
    ScoredPair,
    Side,
    SideOutcomes,
)
from glidepath.errors import InputError
from glidepath.histogram import SCALE, Histogram, StoredCounts
from glidepath.pb import glidepath_pb2 as pb

M = TypeVar("M", bound=Message)
E = TypeVar("E", bound=StrEnum)

_ZSTD_LEVEL = 3
MAX_PAIR_BYTES = 256 * 1024 * 1024  # a bound on what a decompressed pair may claim to be


def encode_pair(pair: Pair) -> bytes:
    message = pb.Pair(
        id=pair.id,
        workload=pair.workload,
        kind=_number(pair.kind),
        captured_at_ms=pair.captured_at_ms,
        method=pair.method,
        path=pair.path,
        request_body=pair.request_body,
        request_cut=pair.request_cut,
        request_content_type=pair.request_content_type,
        first=_answer_out(pair.first),
        second=_answer_out(pair.second),
        sticky=pair.sticky,
        config_digest=pair.config_digest,
    )
    return zstd.compress(message.SerializeToString(), _ZSTD_LEVEL)


def decode_pair(data: bytes) -> Pair:
    try:
        size = zstd.get_frame_info(data).decompressed_size
        if size is None or size > MAX_PAIR_BYTES:
            raise InputError(f"a stored pair claims to be {size} bytes, more than {MAX_PAIR_BYTES}")
        frame = zstd.ZstdDecompressor()
        raw = frame.decompress(data, MAX_PAIR_BYTES)
    except zstd.ZstdError as error:
        raise InputError(f"a stored pair is not zstd: {error}") from error
    if not frame.eof:
        raise InputError("a stored pair is not zstd: it ends too early")
    message = _parse(pb.Pair(), raw)
    return Pair(
        id=message.id,
        workload=message.workload,
        kind=_named(PairKind, message.kind),
        captured_at_ms=message.captured_at_ms,
        method=message.method,
        path=message.path,
        request_body=message.request_body,
        request_cut=message.request_cut,
        request_content_type=message.request_content_type,
        first=_answer_in(message.first),
        second=_answer_in(message.second),
        sticky=message.sticky,
        config_digest=message.config_digest,
    )


def encode_outcomes(outcomes: Outcomes) -> bytes:
    return pb.Outcomes(
        workload=outcomes.workload,
        source=outcomes.source,
        seq=outcomes.seq,
        from_ms=outcomes.from_ms,
        to_ms=outcomes.to_ms,
        sides=[_side_out(side) for side in outcomes.sides],
        coverage=dict(outcomes.coverage),
    ).SerializeToString()


def decode_outcomes(data: bytes, arrived_ms: int = 0) -> Outcomes:
    message = _parse(pb.Outcomes(), data)
    return Outcomes(
        workload=message.workload,
        source=message.source,
        seq=message.seq,
        from_ms=message.from_ms,
        to_ms=message.to_ms,
        sides=tuple(_side_in(side) for side in message.sides),
        coverage=dict(message.coverage),
        arrived_ms=arrived_ms,
    )


def encode_scored(scored: ScoredPair) -> bytes:
    return pb.ScoredPair(
        pair_id=scored.pair_id,
        workload=scored.workload,
        kind=_number(scored.kind),
        captured_at_ms=scored.captured_at_ms,
        scored_at_ms=scored.scored_at_ms,
        scored=scored.scored,
        unscored_reason=scored.unscored_reason,
        agreement=scored.agreement,
        flags=list(scored.flags),
        signals=dict(scored.signals),
        baseline=_facts_out(scored.baseline),
        candidate=_facts_out(scored.candidate),
        sticky=scored.sticky,
        scorer=scored.scorer,
        labels=dict(scored.labels),
    ).SerializeToString()


def decode_scored(data: bytes) -> ScoredPair:
    message = _parse(pb.ScoredPair(), data)
    return ScoredPair(
        pair_id=message.pair_id,
        workload=message.workload,
        kind=_named(PairKind, message.kind),
        captured_at_ms=message.captured_at_ms,
        scored_at_ms=message.scored_at_ms,
        scored=message.scored,
        unscored_reason=message.unscored_reason,
        agreement=message.agreement,
        flags=tuple(message.flags),
        signals=dict(message.signals),
        baseline=_facts_in(message.baseline),
        candidate=_facts_in(message.candidate),
        sticky=message.sticky,
        scorer=message.scorer,
        labels=dict(message.labels),
    )


def _answer_out(answer: Answer) -> pb.Answer:
    return pb.Answer(
        side=_number(answer.side),
        origin=_number(answer.origin),
        backend=answer.backend,
        status=answer.status,
        content_type=answer.content_type,
        body=answer.body,
        body_cut=answer.body_cut,
        ending=_number(answer.ending),
        first_byte_ms=answer.first_byte_ms,
        total_ms=answer.total_ms,
        error=answer.error,
        failed_over=answer.failed_over,
    )


def _answer_in(message: pb.Answer) -> Answer:
    return Answer(
        side=_named(Side, message.side),
        origin=_named(Origin, message.origin),
        backend=message.backend,
        status=message.status,
        content_type=message.content_type,
        body=message.body,
        body_cut=message.body_cut,
        ending=_named(Ending, message.ending),
        first_byte_ms=message.first_byte_ms,
        total_ms=message.total_ms,
        error=message.error,
        failed_over=message.failed_over,
    )


def _side_out(side: SideOutcomes) -> pb.SideOutcomes:
    return pb.SideOutcomes(
        side=_number(side.side),
        origin=_number(side.origin),
        requests=side.requests,
        errors=side.errors,
        error_kinds=dict(side.error_kinds),
        client_aborts=side.client_aborts,
        failovers=side.failovers,
        latency_ms=_histogram_out(side.latency_ms),
        ttft_ms=_histogram_out(side.ttft_ms),
        first_error_ms=side.first_error_ms,
        rescued=side.rescued,
        rescues_failed=side.rescues_failed,
    )


def _side_in(message: pb.SideOutcomes) -> SideOutcomes:
    return SideOutcomes(
        side=_named(Side, message.side),
        origin=_named(Origin, message.origin),
        requests=message.requests,
        errors=message.errors,
        error_kinds=dict(message.error_kinds),
        client_aborts=message.client_aborts,
        failovers=message.failovers,
        latency_ms=_histogram_in(message.latency_ms),
        ttft_ms=_histogram_in(message.ttft_ms),
        first_error_ms=message.first_error_ms,
        rescued=message.rescued,
        rescues_failed=message.rescues_failed,
    )


def _facts_out(facts: AnswerFacts) -> pb.AnswerFacts:
    return pb.AnswerFacts(
        origin=_number(facts.origin),
        backend=facts.backend,
        status=facts.status,
        first_byte_ms=facts.first_byte_ms,
        total_ms=facts.total_ms,
        input_tokens=facts.input_tokens,
        output_tokens=facts.output_tokens,
        text_chars=facts.text_chars,
        finish_reason=facts.finish_reason,
        failed_over=facts.failed_over,
        excerpt=facts.excerpt,
    )


def _facts_in(message: pb.AnswerFacts) -> AnswerFacts:
    return AnswerFacts(
        origin=_named(Origin, message.origin),
        backend=message.backend,
        status=message.status,
        first_byte_ms=message.first_byte_ms,
        total_ms=message.total_ms,
        input_tokens=message.input_tokens,
        output_tokens=message.output_tokens,
        text_chars=message.text_chars,
        finish_reason=message.finish_reason,
        failed_over=message.failed_over,
        excerpt=message.excerpt,
    )


def _histogram_out(histogram: Histogram) -> pb.Histogram:
    indices = sorted(histogram.counts)
    return pb.Histogram(scale=SCALE, index=indices, count=[histogram.counts[i] for i in indices], zeros=histogram.zeros)


def _histogram_in(message: pb.Histogram) -> Histogram:
    index, count = message.index, message.count
    if len(index) != len(count):
        raise InputError("a stored histogram has more indices than counts, or fewer")
    if not index:
        return Histogram(zeros=message.zeros)
    if message.scale != SCALE:
        raise InputError(f"a stored histogram has scale {message.scale}, this version knows {SCALE}")
    return Histogram(StoredCounts(index, count), message.zeros)


def _parse(message: M, data: bytes) -> M:
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise InputError(f"stored bytes are not a {type(message).__name__}: {error}") from error
    return message


# Both ways between an enum of the domain and its numbers on the wire.
_PREFIXES: Mapping[type[StrEnum], str] = {PairKind: "PAIR_KIND", Side: "SIDE", Origin: "ORIGIN", Ending: "ENDING"}
_NUMBERS = {k: {member: pb.__dict__[f"{p}_{member.name}"] for member in k} for k, p in _PREFIXES.items()}
_MEMBERS = {k: {number: member for member, number in numbers.items()} for k, numbers in _NUMBERS.items()}


def _number(value: StrEnum) -> Any:
    return _NUMBERS[type(value)][value]


def _named(kind: type[E], number: int) -> E:
    member = _MEMBERS[kind].get(number)
    if member is None:
        raise InputError(f"a stored record has an unknown {kind.__name__}: {number}")
    return cast(E, member)
