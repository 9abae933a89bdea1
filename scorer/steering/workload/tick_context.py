"""The inputs of a workload's tick that come from outside the workload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from glidepath.status_and_decisions import Verdict
from scorer.steering.envoy.actuator import LeaseReading
from scorer.steering.envoy.runtime_values import Retreat, RuntimeEntries, RuntimeValues
from scorer.steering.workload.missing_outcomes import NO_REPORT, CounterReport
from scorer.steering.workload.quota_outlook import NO_QUOTA, QuotaOutlook


@dataclass(frozen=True, slots=True)
class TickContext:
    """Facts about other workloads, the candidate's load, the former leader, the Envoys and this scorer.

    - ``waiting_for``: the names of the workloads that must be done before this ramp begins
    - ``capacity``: the verdict of the capacity gate on the next step
    - ``quota``: what the quotas of the backends allow
    - ``stale``: the runtime values that a former leader may have written last
    - ``unknown_weights``: the Envoys that run weights which cannot be read
    - ``admin_layers``: the admin layers above RTDS
    - ``leader``: this scorer's name
    - ``lease``: the number of Envoys in which the split's lease is in force; None if the split has no lease
    - ``report``: the Envoys whose outcomes do not arrive, and the counter guard's result for them
    - ``retreat``: a lower share that this scorer sent to the Envoys and has not stored yet; None if there is none
    """

    waiting_for: str = ""
    capacity: Verdict | None = None
    quota: QuotaOutlook = NO_QUOTA
    stale: frozenset[RuntimeValues] = frozenset()
    unknown_weights: frozenset[str] = frozenset()
    admin_layers: Mapping[str, RuntimeEntries | None] = field(default_factory=dict)
    leader: str = ""
    lease: LeaseReading | None = None
    report: CounterReport = NO_REPORT
    retreat: Retreat | None = None
