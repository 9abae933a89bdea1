"""Predict whether the backends' quotas allow the next step of each workload.

Workloads that share a backend share its quota, so their loads are added up.
"""

from __future__ import annotations

from collections.abc import Mapping

from glidepath.config import Config
from scorer.steering.workload.quota_outlook import (
    NO_QUOTA,
    BackendLoad,
    LimitedBackend,
    QuotaOutlook,
    loads_of,
    outlook,
)
from scorer.steering.workload.workload_state import WorkloadState

EVERY_MS = 5_000  # how long the sums over all workloads are used


class QuotaForecast:
    """Compares the load of the backends with their quotas."""

    def __init__(self, config: Config) -> None:
        self._quotas = {name: one.quota for name, one in config.backends.items() if one.quota is not None}
        self._loads: Mapping[str, BackendLoad] = {}
        self._until_ms = 0

    def outlook(self, state: WorkloadState, states: Mapping[str, WorkloadState], now_ms: int) -> QuotaOutlook:
        """Return what the quotas allow for a workload.

        ``states``: the states of all workloads. ``now_ms``: monotonic time.
        """
        if not state.spec.has_quota:
            return NO_QUOTA
        if now_ms >= self._until_ms:
            self._loads, self._until_ms = _loads(states), now_ms + EVERY_MS
        workload, percent = state.spec.workload, state.ramp.percent
        return outlook(
            state.load_per_minute,
            percent,
            state.spec.policy.next_step(percent),
            state.wanted_copies,
            self._limited(workload.candidate),
            self._limited(workload.baseline),
            state.quota,
        )

    def _limited(self, name: str) -> LimitedBackend | None:
        quota = self._quotas.get(name)
        if quota is None:
            return None
        return LimitedBackend(f"backends.{name}", quota, self._loads.get(name, BackendLoad()))


def _loads(states: Mapping[str, WorkloadState]) -> dict[str, BackendLoad]:
    sums: dict[str, BackendLoad] = {}
    for state in states.values():
        per_minute = state.load_per_minute
        if per_minute is None:
            continue
        workload = state.spec.workload
        candidate, baseline = loads_of(workload, per_minute, state.ramp.percent, state.wanted_copies)
        for name, load in ((workload.candidate, candidate), (workload.baseline, baseline)):
            sums[name] = sums.get(name, BackendLoad()) + load
    return sums
