"""Detect an Envoy that serves requests whose outcomes do not arrive: the steering is blind there. Pure.

An Envoy without requests is idle, not blind. So an Envoy is blind only if two of its counters grow: its access log
entries, and the workloads' answered requests. Entries alone are not enough, because the user's other access logs use
the same counter. See ADR 0280.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scorer.steering.envoy.envoy_counters import Answered

# The steering is blind to an Envoy when the entries that the Envoy logged this many seconds ago, and all later ones,
# have not arrived. With a long ``extproc.flush``, the time is longer (``blind_after_s``).
BLIND_S = 3.0
NOT_ANSWERED = Answered()
# After this many seconds without outcomes, the counter guard may fail the candidate. The first time is for all Envoys
# together, whose flushes come several times a second. The second is for a single Envoy, because extproc reports only
# once a second whether its entries arrive.
MISSING_S, MISSING_ENVOY_S = 0.4, 2.5


@dataclass(frozen=True, slots=True)
class LogArrivals:
    """The arrivals of one Envoy's access log entries. Times are monotonic seconds.

    - ``logged``: the number of its entries at the last reading; None before the first reading
    - ``answered``: the requests of workloads that it had answered when outcomes last arrived, or at the first reading
    - ``missing_since_s``: the time since which entries are missing; None if no entries are missing
    """

    logged: int | None = None
    answered: Answered = NOT_ANSWERED
    missing_since_s: float | None = None

    def after(self, logged: int | None, answered: Answered, now_s: float, *, arrived: bool) -> LogArrivals:
        """Return the arrivals after a reading.

        ``arrived``: whether outcomes of this Envoy arrived since the last reading.
        """
        if logged is None:
            logged = self.logged
        if arrived or self.logged is None:
            return LogArrivals(logged, answered, None if arrived else self.missing_since_s)
        missing = self.would_miss(logged, answered)
        since = now_s if missing and self.missing_since_s is None else self.missing_since_s
        same = answered.counters == self.answered.counters
        return LogArrivals(logged, self.answered if same else answered, since)

    def would_miss(self, logged: int | None, answered: Answered) -> bool:
        """Return whether a reading shows that the Envoy has logged new entries of workloads, which should arrive."""
        if self.logged is None or logged in (None, self.logged):
            return False
        return answered.counters == self.answered.counters and answered.requests != self.answered.requests

    def of_several(self, now_s: float, *, arrived: bool, missing: bool) -> LogArrivals:
        """Return the arrivals of several Envoys as a whole. ``missing``: whether ``would_miss`` is true for any
        Envoy."""
        since = None if arrived else self.missing_since_s
        return LogArrivals(None, NOT_ANSWERED, now_s if missing and since is None and not arrived else since)

    def missing_s(self, now_s: float) -> float:
        """Return for how many seconds entries have been missing; 0 if none are missing."""
        return 0.0 if self.missing_since_s is None else now_s - self.missing_since_s


@dataclass(frozen=True, slots=True)
class Blindness:
    """The Envoys where the steering is blind, and texts about this for people.

    - ``envoys``: the Envoys whose outcomes do not arrive
    - ``reason``: why the steering is blind there; "" if it is not blind
    - ``counters_show``: a text about Envoy's own counters; "" if the steering is not blind or they cannot be read
    - ``no_counters``: why Envoy's own counters cannot be read; "" if they can
    """

    envoys: tuple[str, ...] = ()
    reason: str = ""
    counters_show: str = ""
    no_counters: str = ""

    def __bool__(self) -> bool:
        return bool(self.reason)

    def describe(self) -> str:
        detail = self.counters_show or self.no_counters
        return f"blind: {self.reason}{f'; {detail}' if detail else ''}" if self.reason else ""


SEEING = Blindness()


def blind_after_s(flush_s: float) -> float:
    """Return the seconds of missing entries after which an Envoy is blind. ``flush_s``: seconds between two flushes."""
    return max(BLIND_S, 2 * flush_s + 1)


def blind_envoys(log_arrivals: Mapping[str, LogArrivals], now_s: float, after_s: float = BLIND_S) -> tuple[str, ...]:
    return tuple(sorted(name for name, one in log_arrivals.items() if one.missing_s(now_s) >= after_s))


@dataclass(frozen=True, slots=True)
class CounterReport:
    """The leader's report to a workload's tick about arriving outcomes and about Envoy's own counters.

    - ``failure``: why the candidate must go back to 0 %; "" if there is no reason
    - ``requests``, ``failures``: the candidate's counts by Envoy's own counters since outcomes stopped arriving; zeros
      without a ``failure``
    """

    blindness: Blindness = SEEING
    failure: str = ""
    requests: int = 0
    failures: int = 0


NO_REPORT = CounterReport()
