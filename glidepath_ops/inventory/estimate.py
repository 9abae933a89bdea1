"""Estimates the groups of calls by path, class, model and caller, from counts of all requests and of a sample.

The access log has every request, but not its model. The sample, with bodies, has the model. So the requests of each
period, path and caller are divided among the models in the proportions of the sample, and the sums of the sample are
scaled by the same factor. If every body was read, the factor is 1 and all sums are exact. Histograms are not scaled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from glidepath.call_classes import CallClass
from glidepath.histogram import Histogram
from glidepath.inventory.callers import UNKNOWN
from glidepath.inventory.tally import GroupKey, Shape, Source, Tally
from glidepath.token_usage import COUNTS

SUMS = ("errors", "refused", "streamed", "bytes_in", "bytes_out")


class CallKey(NamedTuple):
    """Identifies a group of calls. ``model``: "" if it is unknown."""

    path: str
    call: CallClass
    model: str
    caller: str


@dataclass(slots=True)
class CallGroup:
    """The counts of a group of calls.

    - ``requests``: all requests
    - ``sampled``: requests whose bodies extproc received
    - ``sums``: errors, refused, streamed, bytes_in, bytes_out, scaled to all requests
    - ``usage``: tokens by SOURCE/TIER, scaled to all requests
    - ``sample``: the counts of the sample, or of the access log if no request of the group was sampled
    """

    key: CallKey
    requests: int = 0
    sampled: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    usage: dict[str, list[float]] = field(default_factory=dict)
    sample: Tally = field(default_factory=Tally)

    def latency(self, quantile: float) -> float | None:
        return Histogram(self.sample.latency).quantile(quantile)

    def ttft(self, quantile: float) -> float | None:
        return Histogram(self.sample.ttft).quantile(quantile)

    def context(self, quantile: float) -> float | None:
        """Return a quantile of a request's tokens: the prompt plus the longest answer that the request allows.

        Return None if no body was read.
        """
        return Histogram(_all_shapes(self.sample.shapes.values()).tokens).quantile(quantile)

    @property
    def read(self) -> int:
        """The number of requests whose body was read."""
        return sum(shape.requests for shape in self.sample.shapes.values())

    def tokens(self, name: str) -> float:
        """Return the sum of one kind of tokens. ``name``: one of ``glidepath.token_usage.COUNTS``."""
        at = COUNTS.index(name)
        return sum(counts[at] for counts in self.usage.values())

    def measured_share(self) -> float | None:
        """Return the share of the answers whose tokens the backend stated, or None without answers."""
        answers = {key: counts[-1] for key, counts in self.usage.items()}
        total = sum(answers.values())
        return sum(n for key, n in answers.items() if key.startswith("measured/")) / total if total else None


def _all_shapes(shapes: Iterable[Shape]) -> Shape:
    total = Shape()
    for shape in shapes:
        total.add(shape)
    return total


class Traffic:
    """The groups of calls in all periods that were added."""

    def __init__(self) -> None:
        self.groups: dict[CallKey, CallGroup] = {}

    @property
    def requests(self) -> int:
        return sum(group.requests for group in self.groups.values())

    def add_period(self, tallies: Mapping[GroupKey, Tally]) -> None:
        """Add the counts of one period, which are the sums of all processes."""
        by_call: dict[tuple[str, CallClass], _CallsOfAPath] = {}
        for key, tally in tallies.items():
            calls = by_call.setdefault((key.path, key.call), _CallsOfAPath())
            if key.source is Source.LOG:
                calls.logged[key.caller] = tally
            else:
                calls.sampled.setdefault(key.caller, {})[key.model] = tally
        for (path, call), calls in by_call.items():
            for caller, models, total in calls.divided():
                self._add(CallKey(path, call, "", caller), models, total)
            for caller in calls.unsampled():
                self._add_unsampled(CallKey(path, call, "", caller), calls.logged[caller])

    def _add(self, of: CallKey, models: Mapping[str, Tally], total: int) -> None:
        """Add ``total`` requests of one caller, divided among models in the proportions of the sample ``models``."""
        numbers = _shares(total, {model: tally.requests for model, tally in models.items()})
        for model, tally in models.items():
            key = of._replace(model=model)
            group = self.groups.setdefault(key, CallGroup(key))
            group.requests += numbers[model]
            group.sampled += tally.requests
            _grow(group, tally, numbers[model] / tally.requests if tally.requests else 0.0)
            group.sample.add(tally)

    def _add_unsampled(self, key: CallKey, tally: Tally) -> None:
        """Add requests that only the access log counted."""
        group = self.groups.setdefault(key, CallGroup(key))
        group.requests += tally.requests
        _grow(group, tally, 1.0)
        group.sample.add(tally)


@dataclass(slots=True)
class _CallsOfAPath:
    logged: dict[str, Tally] = field(default_factory=dict)  # by caller
    sampled: dict[str, dict[str, Tally]] = field(default_factory=dict)  # by caller and model

    @property
    def _known_to_the_sample_only(self) -> list[str]:
        """The callers that only the sample names: the access log counts their requests under UNKNOWN."""
        if UNKNOWN not in self.logged or UNKNOWN in self.sampled:
            return []
        return [caller for caller in self.sampled if caller not in self.logged]

    def divided(self) -> Iterator[tuple[str, Mapping[str, Tally], int]]:
        """Yield each sampled caller, its sample by model, and the number of all its requests."""
        unknown = {caller: _size(self.sampled[caller]) for caller in self._known_to_the_sample_only}
        logged = self.logged[UNKNOWN].requests if unknown else 0
        numbers = _shares(max(logged, sum(unknown.values())), unknown)
        for caller, models in self.sampled.items():
            tally = self.logged.get(caller)
            yield caller, models, numbers.get(caller, max(tally.requests if tally else 0, _size(models)))

    def unsampled(self) -> list[str]:
        """Return the callers that only the access log counted."""
        divided = {UNKNOWN} if self._known_to_the_sample_only else set()
        return [caller for caller in self.logged if caller not in self.sampled and caller not in divided]


def _size(models: Mapping[str, Tally]) -> int:
    return sum(tally.requests for tally in models.values())


def _shares(total: int, sizes: Mapping[str, int]) -> dict[str, int]:
    """Divide ``total`` in the proportions of ``sizes`` into whole numbers whose sum is ``total``."""
    whole = sum(sizes.values())
    if not whole:
        return dict.fromkeys(sizes, 0)
    exact = {name: total * size / whole for name, size in sizes.items()}
    parts = {name: int(number) for name, number in exact.items()}
    missing = total - sum(parts.values())
    for name in sorted(sizes, key=lambda one: (parts[one] - exact[one], one))[:missing]:
        parts[name] += 1
    return parts


def _grow(group: CallGroup, tally: Tally, factor: float) -> None:
    for name in SUMS:
        group.sums[name] = group.sums.get(name, 0.0) + factor * getattr(tally, name)
    for key, counts in tally.usage.items():
        known = group.usage.setdefault(key, [0.0] * len(counts))
        group.usage[key] = [a + factor * b for a, b in zip(known, counts, strict=True)]
