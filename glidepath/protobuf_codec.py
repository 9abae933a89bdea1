"""Encodes pairs, scores and outcome summaries as protobuf for Redis, and decodes them (proto/glidepath.proto).

The ``decode_*`` functions raise InputError for invalid bytes. Pairs are compressed with zstd, because two answers to
one prompt have much text in common.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from enum import StrEnum
from operator import attrgetter
from typing import Any, Generic, TypeVar

from google.protobuf.message import DecodeError, Message

from glidepath import zstd
from glidepath.errors import InputError
from glidepath.histogram import NO_VALUES, SCALE, Histogram, StoredCounts
from glidepath.outcome_summaries import AtFault, LocalReplies, Outcomes, SideOutcomes
from glidepath.pair_scores import AnswerFacts, Correctness, Preference, ScoredPair
from glidepath.pairs import Answer, Ending, Pair, PairKind
from glidepath.pb import glidepath_pb2 as pb
from glidepath.sides import Origin, Side
from glidepath.token_usage import ServiceTier, TokenSource, TokenUsage

R = TypeVar("R")
M = TypeVar("M", bound=Message)
Convert = Callable[[Any], Any]
Conversion = tuple[Convert, Convert]
"""Two functions: the first converts a record's value to the message's value, and the second converts it back."""

_ZSTD_LEVEL = 3
MAX_PAIR_BYTES = 256 * 1024 * 1024  # the maximum decompressed size that a stored pair may declare


def _reader(names: Sequence[str], conversions: Mapping[str, Convert]) -> Callable[[Any], list[Any]]:
    """Return a function that takes an object and returns the list of its attributes ``names``.

    ``conversions`` maps the name of an attribute to the function that converts its value. Because the returned
    function runs for every pair and every flush, it reads all attributes with one ``attrgetter``, in C.
    """
    read = attrgetter(*names)
    converted = tuple((names.index(name), convert) for name, convert in conversions.items())

    def values(source: Any) -> list[Any]:
        found = list(read(source))
        for index, convert in converted:
            found[index] = convert(found[index])
        return found

    return values


class _Codec(Generic[R, M]):
    """Converts a record to its protobuf message and back, field by field. A field has the same name in both.

    ``conversions`` has an entry for each field whose value differs between record and message. The values of all
    other fields are copied unchanged. ``not_stored`` is the name of the one field that the record has and the
    message lacks.
    """

    def __init__(
        self, record: type[R], message: type[M], conversions: Mapping[str, Conversion], not_stored: str = ""
    ) -> None:
        self._message = message
        names = tuple(field.name for field in fields(record) if field.name != not_stored)  # type: ignore[arg-type]
        unknown = {*names, *conversions} - set(message.DESCRIPTOR.fields_by_name)
        if unknown:
            raise TypeError(f"{message.__name__} has no field {', '.join(sorted(unknown))}")
        self._record, self._names = record, names
        self._to_wire = _reader(names, {name: both[0] for name, both in conversions.items()})
        self._from_wire = _reader(names, {name: both[1] for name, both in conversions.items()})

    def to_message(self, record: R) -> M:
        return self._message(**dict(zip(self._names, self._to_wire(record), strict=True)))

    def from_message(self, message: M, **not_stored: Any) -> R:
        """Return the record of a protobuf message.

        ``not_stored``: the value of the record's field that the message does not contain, by name.
        """
        return self._record(*self._from_wire(message), **not_stored)

    def decode(self, data: bytes, **not_stored: Any) -> R:
        """Return the record in ``data``. Raises InputError for invalid bytes."""
        message = self._message()
        try:
            message.ParseFromString(data)
        except DecodeError as error:
            raise InputError(f"stored bytes are not a {self._message.__name__}: {error}") from error
        return self.from_message(message, **not_stored)

    @property
    def nested(self) -> Conversion:
        """Return the conversion for a field that contains one record of this codec's type."""
        return self.to_message, self.from_message

    @property
    def repeated(self) -> Conversion:
        """Return the conversion for a field that contains several records of this codec's type."""
        return (
            lambda records: [self.to_message(record) for record in records],
            lambda messages: tuple(self.from_message(message) for message in messages),
        )


def _enum(kind: type[StrEnum], prefix: str) -> Conversion:
    """Return the two functions that convert a member of ``kind`` to its protobuf number and back.

    The number of a member is the protobuf constant ``PREFIX_MEMBER``.
    """
    numbers = {member: pb.__dict__[f"{prefix}_{member.name}"] for member in kind}
    members = {number: member for member, number in numbers.items()}

    def from_wire(number: int) -> StrEnum:
        member = members.get(number)
        if member is None:
            raise InputError(f"a stored record has an unknown {kind.__name__}: {number}")
        return member

    return numbers.__getitem__, from_wire


def _histogram_to_message(histogram: Histogram) -> pb.Histogram:
    indices = sorted(histogram.counts)
    return pb.Histogram(scale=SCALE, index=indices, count=[histogram.counts[i] for i in indices], zeros=histogram.zeros)


def _histogram_from_message(message: pb.Histogram) -> Histogram:
    index, count, zeros = message.index, message.count, message.zeros
    if len(index) != len(count):
        raise InputError(f"a stored histogram has {len(index)} indices but {len(count)} counts")
    if not index:
        return Histogram(zeros=zeros) if zeros else NO_VALUES
    if message.scale != SCALE:
        raise InputError(f"a stored histogram has scale {message.scale}, this version reads scale {SCALE}")
    return Histogram(StoredCounts(index, count), zeros)


_KIND, _SIDE = _enum(PairKind, "PAIR_KIND"), _enum(Side, "SIDE")
_ORIGIN, _ENDING = _enum(Origin, "ORIGIN"), _enum(Ending, "ENDING")
_ENDING_OR_COMPLETE: Conversion = (  # results of an earlier version do not have it
    _ENDING[0],
    lambda number: Ending.COMPLETE if number == pb.ENDING_UNSPECIFIED else _ENDING[1](number),
)
_SIDE_OR_NONE: Conversion = (
    lambda side: pb.SIDE_UNSPECIFIED if side is None else _SIDE[0](side),
    lambda number: None if number == pb.SIDE_UNSPECIFIED else _SIDE[1](number),
)
_PREFERENCE = _enum(Preference, "PREFERENCE")
_PREFERENCE_OR_NONE: Conversion = (
    lambda given: pb.PREFERENCE_UNSPECIFIED if given is None else _PREFERENCE[0](given),
    lambda number: None if number == pb.PREFERENCE_UNSPECIFIED else _PREFERENCE[1](number),
)
_CORRECTNESS = _Codec(Correctness, pb.Correctness, {})
_CORRECTNESS_OR_NONE: Conversion = (
    lambda given: None if given is None else _CORRECTNESS.to_message(given),
    lambda message: _CORRECTNESS.from_message(message) if message.HasField("baseline") else None,
)
_MAPPING: Conversion = (dict, dict)
_SOURCES = {source: pb.__dict__[f"TOKEN_SOURCE_{source.name}"] for source in TokenSource}
_TIERS = {tier: pb.__dict__[f"SERVICE_TIER_{tier.name}"] for tier in ServiceTier}
_SOURCE_OF, _TIER_OF = ({number: one for one, number in table.items()} for table in (_SOURCES, _TIERS))
# A source or tier of a newer version must not make a flush unreadable.
_TOKEN_SOURCE: Conversion = (_SOURCES.__getitem__, lambda number: _SOURCE_OF.get(number, TokenSource.ESTIMATED))
_SERVICE_TIER: Conversion = (_TIERS.__getitem__, lambda number: _TIER_OF.get(number, ServiceTier.STANDARD))
_TEXTS: Conversion = (list, tuple)
_HISTOGRAM: Conversion = (_histogram_to_message, _histogram_from_message)

_ANSWER = _Codec(Answer, pb.Answer, {"side": _SIDE, "origin": _ORIGIN, "ending": _ENDING})
_PAIR = _Codec(Pair, pb.Pair, {"kind": _KIND, "first": _ANSWER.nested, "second": _ANSWER.nested})
_TOKEN_USAGE = _Codec(TokenUsage, pb.TokenUsage, {"source": _TOKEN_SOURCE, "tier": _SERVICE_TIER})
_SIDE_OUTCOMES = _Codec(
    SideOutcomes,
    pb.SideOutcomes,
    {
        "side": _SIDE,
        "origin": _ORIGIN,
        "error_kinds": _MAPPING,
        "latency_ms": _HISTOGRAM,
        "ttft_ms": _HISTOGRAM,
        "headers_ms": _HISTOGRAM,
        "duration_ms": _HISTOGRAM,
        "aborted_ms": _HISTOGRAM,
        "usage": _TOKEN_USAGE.repeated,
    },
)
_LOCAL_REPLIES = _Codec(
    LocalReplies,
    pb.LocalReplies,
    {"side": _SIDE_OR_NONE, "origin": _ORIGIN, "at_fault": _enum(AtFault, "AT_FAULT"), "kinds": _MAPPING},
)
_OUTCOMES = _Codec(
    Outcomes,
    pb.Outcomes,
    {"sides": _SIDE_OUTCOMES.repeated, "coverage": _MAPPING, "local_replies": _LOCAL_REPLIES.repeated},
    not_stored="arrived_ms",
)
_ANSWER_FACTS = _Codec(
    AnswerFacts, pb.AnswerFacts, {"origin": _ORIGIN, "faults": _TEXTS, "ending": _ENDING_OR_COMPLETE}
)
_SCORED_PAIR = _Codec(
    ScoredPair,
    pb.ScoredPair,
    {
        "kind": _KIND,
        "flags": _TEXTS,
        "signals": _MAPPING,
        "labels": _MAPPING,
        "baseline": _ANSWER_FACTS.nested,
        "candidate": _ANSWER_FACTS.nested,
        "preference": _PREFERENCE_OR_NONE,
        "correctness": _CORRECTNESS_OR_NONE,
    },
    not_stored="entry",
)


def encode_pair(pair: Pair) -> bytes:
    return zstd.compress(_PAIR.to_message(pair).SerializeToString(), _ZSTD_LEVEL)


def decode_pair(data: bytes) -> Pair:
    try:
        size = zstd.get_frame_info(data).decompressed_size
        if size is None or size > MAX_PAIR_BYTES:
            raise InputError(f"a stored pair declares {size} decompressed bytes, more than {MAX_PAIR_BYTES}")
        frame = zstd.ZstdDecompressor()
        raw = frame.decompress(data, MAX_PAIR_BYTES)
    except zstd.ZstdError as error:
        raise InputError(f"a stored pair is not zstd: {error}") from error
    if not frame.eof:
        raise InputError("a stored pair is not zstd: it ends too early")
    return _PAIR.decode(raw)


def encode_outcomes(outcomes: Outcomes) -> bytes:
    return _OUTCOMES.to_message(outcomes).SerializeToString()


def decode_outcomes(data: bytes, arrived_ms: int = 0) -> Outcomes:
    """Return the outcome summary in ``data``.

    ``arrived_ms`` is the time in the id of the stream entry that contained ``data``.
    """
    return _OUTCOMES.decode(data, arrived_ms=arrived_ms)


def encode_scored(scored: ScoredPair) -> bytes:
    return _SCORED_PAIR.to_message(scored).SerializeToString()


def decode_scored(data: bytes, entry: str = "") -> ScoredPair:
    """Return the result in ``data``. ``entry``: the id of the pair's entry in the stream of pairs.

    A result whose agreement is not a number in [0, 1] counts as unscored, because one such number would make every mean
    undefined. Signals that are not finite are left out, for the same reason.
    """
    found = _SCORED_PAIR.decode(data, entry=entry)
    if not all(map(math.isfinite, found.signals.values())):
        signals = {name: value for name, value in found.signals.items() if math.isfinite(value)}
        found = replace(found, signals=signals)
    if found.scored and not 0 <= found.agreement <= 1:
        return replace(found, scored=False, unscored_reason="invalid_agreement", agreement=0.0)
    return found
