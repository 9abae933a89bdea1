"""Compare the load of a workload's backends with their quotas: at present, and after the next step.

Clients' requests come first. No step is taken if the clients' requests at the candidate would exceed its quota, or if
the baseline's quota would not allow all clients' requests after a rollback. Copies get the rest of a quota. See ADR
0426.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from glidepath.config import Workload
from glidepath.config.backends import Quota
from scorer.steering.workload.recent_load import LoadPerMinute


@dataclass(frozen=True, slots=True)
class QuotaOutlook:
    """The limits that the quotas set for a workload: on the next step, and on copies.

    - ``obstacle``: why a quota forbids the next step; "" if none does
    - ``known``: whether the load, and so the obstacle, is known
    - ``most_copies``: the percentage of the requests that may be copied now
    - ``copies_note``: why no more requests may be copied; "" if all wanted copies are allowed
    """

    obstacle: str = ""
    known: bool = True
    most_copies: float = 100.0
    copies_note: str = ""


NO_QUOTA = QuotaOutlook()


@dataclass(frozen=True, slots=True)
class Load:
    """Requests and tokens in a minute. ``tokens`` includes only the workloads whose tokens are known."""

    requests: float = 0.0
    tokens: float = 0.0

    def __add__(self, other: Load) -> Load:
        return Load(self.requests + other.requests, self.tokens + other.tokens)

    def __sub__(self, other: Load) -> Load:
        return Load(self.requests - other.requests, self.tokens - other.tokens)


@dataclass(frozen=True, slots=True)
class BackendLoad:
    """The load of a backend from one workload, or from several.

    - ``served``: clients' requests, at the present shares
    - ``copies``: copies, if all wanted copies are sent
    - ``back``: clients' requests after a rollback to 0 % of all workloads of which the backend is the baseline
    """

    served: Load = Load()
    copies: Load = Load()
    back: Load = Load()

    def __add__(self, other: BackendLoad) -> BackendLoad:
        return BackendLoad(self.served + other.served, self.copies + other.copies, self.back + other.back)


@dataclass(frozen=True, slots=True)
class LimitedBackend:
    """A backend with a quota, and its load from all workloads."""

    name: str
    quota: Quota
    load: BackendLoad


def load_of(number: float, per_minute: LoadPerMinute) -> Load:
    """Return the load of ``number`` requests of a workload in a minute."""
    return Load(number, number * (per_minute.tokens or 0.0))


def loads_of(
    workload: Workload, per_minute: LoadPerMinute, percent: float, wanted: float
) -> tuple[BackendLoad, BackendLoad]:
    """Return the load of a workload at its candidate, and at its baseline.

    ``percent``: the candidate's share. ``wanted``: the percentage of the requests to copy.
    """
    shadow, share = workload.shadow, percent / 100
    candidates, baselines, copied = per_minute.split * share, per_minute.split * (1 - share), wanted / 100
    to_baseline = copied * (candidates * shadow.reverse / 100 + baselines * shadow.same_side / 100)
    kept = load_of(candidates, per_minute)
    everything = load_of(per_minute.split + per_minute.pinned, per_minute)
    served = load_of(baselines + per_minute.pinned, per_minute)
    return (
        BackendLoad(kept, load_of(baselines * copied, per_minute), kept),
        BackendLoad(served, load_of(to_baseline, per_minute), everything),
    )


def outlook(
    per_minute: LoadPerMinute | None,
    percent: float,
    target: float | None,
    wanted: float,
    candidate: LimitedBackend | None,
    baseline: LimitedBackend | None,
    before: QuotaOutlook = NO_QUOTA,
) -> QuotaOutlook:
    """Return what the quotas of a workload's backends allow. A backend without a quota is None.

    ``per_minute``: the workload's load; None if it is not known. ``target``: the next step; None if there is none.
    ``wanted``: the percentage of the requests to copy. ``before``: the former outlook, whose limit of copies applies
    while the load is unknown.
    """
    if per_minute is None:
        return QuotaOutlook(known=False, most_copies=before.most_copies, copies_note=before.copies_note)
    obstacles = _obstacles(per_minute, percent, target, candidate, baseline) if target is not None else iter(())
    limits = (limit for one in (candidate, baseline) if one is not None for limit in _room_for_copies(one))
    room, why = min(limits, default=(1.0, ""))
    if room >= 1:
        return QuotaOutlook(next(obstacles, ""))
    most = _rounded_down(wanted * room)
    note = f"copies {most:g} % of the requests instead of {wanted:g} %: more would exceed {why}"
    return QuotaOutlook(next(obstacles, ""), most_copies=most, copies_note=note)


def _rounded_down(percent: float) -> float:
    """Return the percentage rounded down to a whole number, so that it seldom changes.

    Below 1, it is rounded down to whole hundredths, so that some copies are left.
    """
    return math.floor(percent) if percent >= 1 else math.floor(percent * 100) / 100


def _obstacles(
    per_minute: LoadPerMinute,
    percent: float,
    target: float,
    candidate: LimitedBackend | None,
    baseline: LimitedBackend | None,
) -> Iterator[str]:
    if candidate is not None:
        more = load_of(per_minute.split * (target - percent) / 100, per_minute)
        for expected, allowed in _exceeded(candidate.load.served + more, candidate.quota):
            yield f"quota of {candidate.name}: {expected} a minute expected at {target:g} %, {allowed} allowed"
    if baseline is not None:
        for expected, allowed in _exceeded(baseline.load.back, baseline.quota):
            yield f"quota of {baseline.name}: a rollback to 0 % would send {expected} a minute, {allowed} allowed"


def _limits(quota: Quota) -> tuple[tuple[str, int | None], ...]:
    return (("requests", quota.requests), ("tokens", quota.tokens))


def _exceeded(load: Load, quota: Quota) -> Iterator[tuple[str, str]]:
    for what, allowed in _limits(quota):
        expected: float = getattr(load, what)
        if allowed is not None and expected > allowed:
            yield f"{expected:,.0f} {what}", f"{allowed:,}"


def _room_for_copies(backend: LimitedBackend) -> Iterator[tuple[float, str]]:
    """For each limit, yield the fraction of the wanted copies that fits beside clients' requests, and a text."""
    for what, allowed in _limits(backend.quota):
        served, copies = getattr(backend.load.served, what), getattr(backend.load.copies, what)
        if allowed is not None and copies > 0:
            room = max(0.0, (allowed - served) / copies)
            yield room, f"the quota of {backend.name} ({allowed:,} {what} a minute)"
