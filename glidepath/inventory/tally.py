"""What is counted of one group of calls in one period. Tallies of the same group can be added.

A tally is mutable, because extproc adds to it for every request. Its histograms have the buckets of
``glidepath/histogram.py``: the index of a bucket → a count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from glidepath.call_classes import CallClass
from glidepath.histogram import bucket_of

Buckets = dict[int, int]
MOST_SHAPES, MOST_BACKENDS = 16, 8  # of a group; what is above counts under OTHER
OTHER = "other"


class Source(StrEnum):
    """Where the requests of a group were seen: each in Envoy's access log, or a sample of them with their bodies."""

    LOG = "log"
    BODY = "body"


class GroupKey(NamedTuple):
    """Requests that are counted together. ``path``: a pattern. ``model``: "" if it is not known."""

    source: Source
    path: str
    call: CallClass
    model: str
    caller: str


@dataclass(slots=True)
class Shape:
    """Requests with the same modalities and tools: what decides whether a backend can serve them.

    ``tokens``: a rough number of tokens of the prompt and of the longest answer that the request asks for.
    """

    requests: int = 0
    tokens: Buckets = field(default_factory=dict)
    body: Buckets = field(default_factory=dict)  # bytes

    def add(self, other: Shape) -> None:
        self.requests += other.requests
        add_buckets(self.tokens, other.tokens)
        add_buckets(self.body, other.body)


@dataclass(slots=True)
class Tally:
    """The counts of one group.

    - ``errors``: answers of 5xx and requests without an answer; ``refused``: answers of 4xx
    - ``latency``, ``ttft``: of answered requests, milliseconds to the last byte; of streams, also to the first
    - ``shapes``: see ``shape_name``; their requests are those whose body was read
    - ``unread``: requests whose body was not read: cut, compressed in an unknown way, or dropped under load
    - ``state``, ``acting``: requests that need state at the server, and requests on which the server itself acts
    - ``usage``: SOURCE/TIER → the counts of ``glidepath.token_usage.COUNTS``, and the number of answers
    - ``repeats``, ``same``: requests like an earlier one, and those of them with an answer like the earlier one
    """

    requests: int = 0
    errors: int = 0
    refused: int = 0
    streamed: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    unread: int = 0
    state: int = 0
    acting: int = 0
    repeats: int = 0
    same: int = 0
    latency: Buckets = field(default_factory=dict)
    ttft: Buckets = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    usage: dict[str, list[int]] = field(default_factory=dict)
    backends: dict[str, int] = field(default_factory=dict)
    workloads: dict[str, int] = field(default_factory=dict)

    def shape(self, name: str) -> Shape:
        known = self.shapes
        if name not in known and len(known) >= MOST_SHAPES:
            name = OTHER
        return known.setdefault(name, Shape())

    def add_usage(self, key: str, counts: Iterable[int]) -> None:
        known = self.usage.get(key)
        self.usage[key] = list(counts) if known is None else [a + b for a, b in zip(known, counts, strict=True)]

    def add(self, other: Tally) -> None:
        for name in COUNTERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        add_buckets(self.latency, other.latency)
        add_buckets(self.ttft, other.ttft)
        for name, shape in other.shapes.items():
            self.shape(name).add(shape)
        for key, counts in other.usage.items():
            self.add_usage(key, counts)
        for mine, theirs in ((self.backends, other.backends), (self.workloads, other.workloads)):
            for name, number in theirs.items():
                count_name(mine, name, number)


COUNTERS = (
    "requests",
    "errors",
    "refused",
    "streamed",
    "bytes_in",
    "bytes_out",
    "unread",
    "state",
    "acting",
    "repeats",
    "same",
)


def shape_name(modalities: Iterable[str], *, tools: bool) -> str:
    """Return a name such as ``image+tools``, or ``text`` for neither."""
    parts = [*sorted(modalities), *(["tools"] if tools else [])]
    return "+".join(parts) or "text"


def shape_parts(name: str) -> tuple[frozenset[str], bool]:
    """Return the modalities other than text, and whether there are tools, of a name by ``shape_name``."""
    parts = frozenset(name.split("+")) - {"text"}
    return parts - {"tools"}, "tools" in parts


def add_buckets(mine: Buckets, theirs: Mapping[int, int]) -> None:
    for index, count in theirs.items():
        mine[index] = mine.get(index, 0) + count


def count_value(buckets: Buckets, value: float) -> None:
    """Count a value; one of 0 or less counts in the first bucket."""
    index = bucket_of(max(value, 0.01))
    buckets[index] = buckets.get(index, 0) + 1


def count_name(counts: dict[str, int], name: str, number: int = 1) -> None:
    if name not in counts and len(counts) >= MOST_BACKENDS:
        name = OTHER
    counts[name] = counts.get(name, 0) + number
