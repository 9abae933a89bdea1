"""The tally of a group of calls: what is counted about it in one period. Tallies of the same group can be added.

A tally is mutable, because extproc adds to it for every request. Its histograms map the index of a bucket of
``glidepath/histogram.py`` to a count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from glidepath.call_classes import CallClass
from glidepath.histogram import bucket_of

Buckets = dict[int, int]
MOST_SHAPES, MOST_BACKENDS = 16, 8  # of a group; further ones count under OTHER
OTHER = "other"


class Source(StrEnum):
    """The source of a group's counts: Envoy's access log (all requests), or a sample of requests with their bodies."""

    LOG = "log"
    BODY = "body"


class GroupKey(NamedTuple):
    """Identifies requests that are counted together. ``path``: a pattern. ``model``: "" if it is unknown."""

    source: Source
    path: str
    call: CallClass
    model: str
    caller: str


@dataclass(slots=True)
class Shape:
    """Requests with the same modalities and tools. These decide whether a backend can serve them.

    ``tokens``: an estimate of the tokens of the prompt and of the longest answer that the request allows.
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
    """The counts of one group of calls.

    - ``errors``: requests with a 5xx or without an answer
    - ``refused``: requests with a 4xx
    - ``latency``, ``ttft``: milliseconds to the last byte of an answer, and to the first byte of a streamed answer
    - ``shapes``: the requests whose body extproc read, by their shape (see ``shape_name``)
    - ``unread``: requests whose body extproc did not read: cut, compressed in an unknown way, or dropped under load
    - ``state``, ``acting``: requests that need state at the server, and requests on which the server itself acts
    - ``usage``: the counts of ``glidepath.token_usage.COUNTS``, and the number of answers, by SOURCE/TIER
    - ``repeats``, ``same``: requests that repeat an earlier request, and those of them with the same answer as before
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
    """Return the name of a shape, such as ``image+tools``, or ``text`` without other modalities and tools."""
    parts = [*sorted(modalities), *(["tools"] if tools else [])]
    return "+".join(parts) or "text"


def shape_parts(name: str) -> tuple[frozenset[str], bool]:
    """Return the modalities and whether there are tools, from a name that ``shape_name`` returned."""
    parts = frozenset(name.split("+")) - {"text"}
    return parts - {"tools"}, "tools" in parts


def add_buckets(mine: Buckets, theirs: Mapping[int, int]) -> None:
    for index, count in theirs.items():
        mine[index] = mine.get(index, 0) + count


def count_value(buckets: Buckets, value: float) -> None:
    """Add a value to the histogram. A value of 0 or less counts in the bucket of 0.01."""
    index = bucket_of(max(value, 0.01))
    buckets[index] = buckets.get(index, 0) + 1


def count_name(counts: dict[str, int], name: str, number: int = 1) -> None:
    if name not in counts and len(counts) >= MOST_BACKENDS:
        name = OTHER
    counts[name] = counts.get(name, 0) + number
