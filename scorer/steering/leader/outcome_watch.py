"""Watch whether the outcomes of requests arrive, and judge the candidate by Envoy's own counters while they do not.

Every new reading of an Envoy's counters is compared with the last one. If outcomes arrived in between, the ordinary
guards judge; if not, the failures count as evidence of the counter guard. See ADR 0280 and ADR 0281.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from glidepath.config import Config
from glidepath.outcome_summaries import Outcomes
from glidepath.pluralization import number_of
from scorer.steering.envoy.actuator import CountersReading
from scorer.steering.envoy.envoy_counters import (
    NONE,
    CountedClusters,
    SideCounts,
    answered,
    increase,
    knows,
    log_entries,
    stats_path,
)
from scorer.steering.workload.counter_guard import CounterGuardState
from scorer.steering.workload.missing_outcomes import (
    MISSING_ENVOY_S,
    MISSING_S,
    NO_REPORT,
    Blindness,
    CounterReport,
    LogArrivals,
    blind_after_s,
    blind_envoys,
)

PAUSED_S = 2.0  # after a longer pause of this process, readings and evidence are discarded as out of date
NO_ADMIN = "envoy.admin names no Envoy whose own counters could be read"


def contains_outcomes(flush: Outcomes) -> bool:
    """Return whether a flush contains outcomes of requests, and not only counts of captured exchanges."""
    return bool(flush.local_replies) or any(side.requests for side in flush.sides)


@dataclass(slots=True)
class _Arrivals:
    """The arrivals since the last look: whether any outcome arrived, and the node ids of Envoys with new entries."""

    outcomes: bool = False
    nodes: set[str] = field(default_factory=set)

    @property
    def anything(self) -> bool:
        return self.outcomes or bool(self.nodes)


_FLEET = ""  # the key for all Envoys together
Key = tuple[CountedClusters, str]


class OutcomeWatch:
    """Watches the arrivals from each Envoy and from all together, and runs the counter guard for each pair of sides."""

    def __init__(self, config: Config) -> None:
        self._clusters = {name: CountedClusters.of(config, name) for name in config.workloads}
        self._has_admin = bool(config.envoy.admin)
        self._blind_after_s = blind_after_s(config.extproc.flush)
        self._serving: frozenset[CountedClusters] = frozenset()
        self._served: tuple[str, ...] = ()
        self._path = stats_path(())
        self._counted: frozenset[CountedClusters] = frozenset()  # the part of ``_serving`` that some Envoy counts
        self._store_problem = ""
        self._arrived: dict[str, int] = {}
        self._arrivals = _Arrivals()
        self._readings: dict[str, CountersReading] = {}
        self._log_arrivals: dict[str, LogArrivals] = {}
        self._guards: dict[Key, CounterGuardState] = {}
        self._now_s: float | None = None

    def forget(self) -> None:
        """Discard all readings and evidence, because another scorer leads or because the last look was too long ago."""
        self._arrivals, self._readings, self._log_arrivals, self._guards = _Arrivals(), {}, {}, {}
        self._arrived, self._now_s = {}, None

    def record_flushes(self, flushes: Iterable[Outcomes]) -> None:
        """Record the flushes that have arrived. They do not name the Envoy."""
        self._arrivals.outcomes = self._arrivals.outcomes or any(map(contains_outcomes, flushes))

    def record_entries(self, entries: Mapping[str, int]) -> None:
        """Record how many access log entries of each Envoy (by node id) have arrived at all extprocs."""
        if self._arrived:
            self._arrivals.nodes |= {node for node, count in entries.items() if count != self._arrived.get(node)}
        self._arrived = dict(entries)

    def redis_answers(self, problem: str = "") -> None:
        """Record that Redis answers, or why it does not (``problem``)."""
        self._store_problem = problem

    def serve(self, names: Iterable[str]) -> str:
        """Record the workloads whose candidates have a share. Return the admin path of the counters to read for them.

        The evidence against a candidate without a share is discarded, because it belongs to a step that is over.
        """
        served = tuple(names)
        if served != self._served:
            self._served = served
            self._serving = frozenset(self._clusters[name] for name in served if name in self._clusters)
            self._guards = {key: state for key, state in self._guards.items() if key[0] in self._serving}
            self._path = stats_path(self._serving)
        return self._path

    def look(self, counters: Mapping[str, CountersReading], now_s: float) -> None:
        """Compare the Envoys' counters with the last reading, and update the evidence. ``now_s``: monotonic seconds."""
        if self._now_s is not None and now_s - self._now_s > PAUSED_S:
            self.forget()
        self._now_s = now_s
        before, self._readings = self._readings, dict(counters)
        new = {name: one for name, one in counters.items() if name not in before or before[name].at_s != one.at_s}
        for name in set(self._log_arrivals) - {_FLEET, *counters}:
            del self._log_arrivals[name]
        if new:
            arrivals, self._arrivals = self._arrivals, _Arrivals()
            self._note_arrivals(new, arrivals)
            self._count({name: one for name, one in new.items() if name in before}, before, arrivals)
            self._counted = frozenset(
                clusters
                for clusters in self._serving
                if any(knows(one.values, clusters) for one in self._readings.values())
            )

    def _note_arrivals(self, new: Mapping[str, CountersReading], arrivals: _Arrivals) -> None:
        named, missing = _unique_nodes(self._readings), False
        for name, reading in new.items():
            node = named.get(name, "")
            has_arrived = node in arrivals.nodes if node in self._arrived else arrivals.anything
            old = self._log_arrivals.get(name, LogArrivals())
            entries, requests = log_entries(reading.values), answered(reading.values, self._serving)
            self._log_arrivals[name] = old.after(entries, requests, reading.at_s, arrived=has_arrived)
            missing = missing or old.would_miss(entries, requests)
            if has_arrived:
                self._forget_evidence(name)
        newest = max(reading.at_s for reading in new.values())
        self._log_arrivals[_FLEET] = self._log_arrivals.get(_FLEET, LogArrivals()).of_several(
            newest, arrived=arrivals.anything, missing=missing
        )
        if arrivals.anything:
            self._forget_evidence(_FLEET)

    def _forget_evidence(self, envoy: str) -> None:
        for key, state in self._guards.items():
            if key[1] == envoy:
                self._guards[key] = state.after_arrival()

    def _count(
        self, new: Mapping[str, CountersReading], before: Mapping[str, CountersReading], arrivals: _Arrivals
    ) -> None:
        """Add the requests that Envoys counted since the last reading although their outcomes do not arrive.

        Usually, the outcomes of all Envoys arrive, and nothing is added.
        """
        missing = {name for name in new if self._log_arrivals[name].missing_s(new[name].at_s) >= MISSING_S}
        if arrivals.anything and not missing:
            return
        for clusters in self._serving:
            sums = NONE, NONE
            for name, reading in new.items():
                if not (knows(reading.values, clusters) and knows(before[name].values, clusters)):
                    continue
                candidate, baseline = (
                    increase(before[name].values, reading.values, side)
                    for side in (clusters.candidate, clusters.baseline)
                )
                if name in missing:
                    self._add((clusters, name), candidate, baseline)
                sums = sums[0] + candidate, sums[1] + baseline
            if not arrivals.anything:
                self._add((clusters, _FLEET), *sums)

    def _add(self, key: Key, candidate: SideCounts, baseline: SideCounts) -> None:
        if candidate.requests or baseline.requests:
            self._guards[key] = self._guards.get(key, CounterGuardState()).after(candidate, baseline)

    def report(self, workload: str) -> CounterReport:
        """Return a report for a tick: the Envoys whose outcomes do not arrive, and the guard's result."""
        clusters, now_s = self._clusters.get(workload), self._now_s
        if clusters is None or now_s is None:
            return NO_REPORT
        missing = [(name, one) for name, one in self._log_arrivals.items() if one.missing_s(now_s) >= MISSING_S]
        blindness = self._blindness(clusters, now_s) if missing else Blindness(no_counters=self._no_counters(clusters))
        for name, log_arrivals in missing:
            state = self._guards.get((clusters, name), CounterGuardState())
            if state.fails_candidate and (name == _FLEET or log_arrivals.missing_s(now_s) >= MISSING_ENVOY_S):
                where = f" of {name}" if name else ""
                failure = f"{state.describe()}, and no outcome{where} arrives{self._why()}"
                return CounterReport(blindness, failure, state.seen.requests, state.seen.failures)
        return CounterReport(blindness)

    def _no_counters(self, clusters: CountedClusters) -> str:
        if not self._has_admin:
            return NO_ADMIN
        counting = clusters in self._counted if clusters in self._serving else self._readings
        return "" if counting else "Envoy's own counters cannot be read"

    def _blindness(self, clusters: CountedClusters, now_s: float) -> Blindness:
        no_counters = self._no_counters(clusters)
        envoys = {name: one for name, one in self._log_arrivals.items() if name != _FLEET}
        blind = blind_envoys(envoys, now_s, self._blind_after_s)
        if not blind:
            return Blindness(no_counters=no_counters)
        names = f"{', '.join(blind[:3])}{' …' if len(blind) > 3 else ''}"
        reason = (
            f"no outcome of {len(blind)} of {number_of(len(envoys), 'Envoy')} ({names}) arrives, although requests end "
            f"there{self._why()}"
        )
        states = [self._guards.get((clusters, name), CounterGuardState()) for name in (_FLEET, *blind)]
        worst = max(states, key=lambda state: state.log_e)
        text = worst.describe() if worst.seen.failures else "Envoy's own counters show no failing candidate"
        return Blindness(blind, reason, "" if no_counters else text, no_counters)

    def _why(self) -> str:
        return f" ({self._store_problem})" if self._store_problem else ""


def _unique_nodes(counters: Mapping[str, CountersReading]) -> dict[str, str]:
    """Return the node id of each Envoy whose node id is unique."""
    nodes = [one.node for one in counters.values()]
    return {name: one.node for name, one in counters.items() if one.node and nodes.count(one.node) == 1}
