"""Notice that an Envoy serves requests whose outcomes do not arrive: the steering is blind there. Pure.

An Envoy without requests is idle, not blind: what counts is what it has handed to its access log, and that it has
answered requests of the workloads at all, because other access logs of the user's count the same entries. See ADR 0280.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scorer.steering.envoy.envoy_counters import Answered

# An Envoy is blind when entries that it logged so long ago, and later ones, have not arrived. With a long
# ``extproc.flush``, it takes longer (``blind_after_s``).
BLIND_S = 3.0
NOT_ANSWERED = Answered()
# After this silence, the counter guard may fail the candidate: of all Envoys together, whose flushes come several
# times a second, and of one Envoy, of which extproc reports only once a second that it heard something.
UNHEARD_S, UNHEARD_ENVOY_S = 0.4, 2.5


@dataclass(frozen=True, slots=True)
class LogArrivals:
    """What is known of one Envoy's access log.

    ``logged``: its entries at the last reading; None: not read yet. ``answered``: the requests of workloads that it had
    answered when outcomes last arrived, or at the first reading. ``unheard_since_s``: since when the Envoy has
    logged entries that did not arrive; None: none is missing. Times are monotonic seconds.
    """

    logged: int | None = None
    answered: Answered = NOT_ANSWERED
    unheard_since_s: float | None = None

    def after(self, logged: int | None, answered: Answered, now_s: float, *, heard: bool) -> LogArrivals:
        """Return what is known after a reading. ``heard``: outcomes of this Envoy have arrived since the last one."""
        if logged is None:
            logged = self.logged
        if heard or self.logged is None:
            return LogArrivals(logged, answered, None if heard else self.unheard_since_s)
        missing = self.would_miss(logged, answered)
        since = now_s if missing and self.unheard_since_s is None else self.unheard_since_s
        same = answered.counters == self.answered.counters
        return LogArrivals(logged, self.answered if same else answered, since)

    def would_miss(self, logged: int | None, answered: Answered) -> bool:
        """Return whether a reading shows entries that must arrive."""
        if self.logged is None or logged in (None, self.logged):
            return False
        return answered.counters == self.answered.counters and answered.requests != self.answered.requests

    def of_several(self, now_s: float, *, heard: bool, missing: bool) -> LogArrivals:
        """Return what is known of several Envoys together. ``missing``: one of them shows entries that must arrive."""
        since = None if heard else self.unheard_since_s
        return LogArrivals(None, NOT_ANSWERED, now_s if missing and since is None and not heard else since)

    def silent_s(self, now_s: float) -> float:
        """Return for how long entries have been missing; 0 if none are."""
        return 0.0 if self.unheard_since_s is None else now_s - self.unheard_since_s


@dataclass(frozen=True, slots=True)
class Blindness:
    """Where the steering is blind, in words and names.

    - ``envoys``: the Envoys whose outcomes do not arrive
    - ``reason``: why, for people; "" if nothing is blind
    - ``counters_show``: what Envoy's own counters show; "" if nothing is blind or they cannot be read
    - ``no_counters``: why Envoy's own counters cannot be read; "" if they can
    """

    envoys: tuple[str, ...] = ()
    reason: str = ""
    counters_show: str = ""
    no_counters: str = ""

    def __bool__(self) -> bool:
        return bool(self.reason)

    def describe(self) -> str:
        told = self.counters_show or self.no_counters
        return f"blind: {self.reason}{f'; {told}' if told else ''}" if self.reason else ""


SEEING = Blindness()


def blind_after_s(flush_s: float) -> float:
    """Return the silence after which an Envoy is blind. ``flush_s``: the time between two flushes of extproc."""
    return max(BLIND_S, 2 * flush_s + 1)


def blind_envoys(log_arrivals: Mapping[str, LogArrivals], now_s: float, after_s: float = BLIND_S) -> tuple[str, ...]:
    return tuple(sorted(name for name, one in log_arrivals.items() if one.silent_s(now_s) >= after_s))


@dataclass(frozen=True, slots=True)
class CounterReport:
    """What the leader tells a workload's tick about arriving outcomes, and about Envoy's own counters.

    ``failure``: why the candidate must go back to 0 %; "" if it need not.
    ``requests`` and ``failures``: of the candidate, by Envoy's own counters, since nothing was heard.
    """

    blindness: Blindness = SEEING
    failure: str = ""
    requests: int = 0
    failures: int = 0


NO_REPORT = CounterReport()
