"""The cost of a migration: costs so far, savings, remaining costs, and the payback time.

Pure. The inputs are the measured tokens (``glidepath/side_traffic.py``) and the configured prices. Two cases with the
same requests of clients are compared:

- **spent**: what really happened: clients' requests at both sides, copies and probes, the evaluator, egress, and the
  GPUs and fixed amounts of both backends
- **without**: the baseline alone: all requests at its prices, with its GPUs and fixed amounts

The saving is **without** minus **spent**. See ADR 0372.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from glidepath.history import HistoryPoint
from glidepath.pricing.cost_of_traffic import ZERO, TrafficCost, cost_of_traffic
from glidepath.pricing.price_tables import NO_PRICES, PriceTable
from glidepath.pricing.traffic_range import HOURS_OF_MONTH
from glidepath.side_traffic import NO_TRAFFIC, Sent, SideTraffic

HOUR_MS = Decimal(3_600_000)


@dataclass(frozen=True, slots=True)
class WorkloadTraffic:
    """The traffic of a workload to both sides from ``from_ms`` to ``to_ms``, and the prices of each side."""

    workload: str
    baseline_name: str
    candidate_name: str
    from_ms: int
    to_ms: int
    baseline: SideTraffic = NO_TRAFFIC
    candidate: SideTraffic = NO_TRAFFIC
    pinned: int = 0  # clients' requests that Envoy keeps at the baseline
    baseline_prices: PriceTable = NO_PRICES
    candidate_prices: PriceTable = NO_PRICES
    evaluator: Decimal = ZERO  # what the evaluator cost

    @property
    def hours(self) -> Decimal:
        return max(ZERO, Decimal(self.to_ms - self.from_ms)) / HOUR_MS


@dataclass(frozen=True, slots=True)
class WorkloadCosts:
    """The costs of a workload from ``from_ms`` to ``to_ms``.

    - ``baseline``, ``candidate``: clients' requests at each side
    - ``copies``: copies and probes, by the name of the side
    - ``baseline_fixed``, ``candidate_fixed``: the workload's part of GPUs and fixed amounts
    - ``moved_at_baseline``: what the candidate's requests would have cost at the baseline, egress included; None if
      this is unknown
    - ``moved_by``: the basis of this amount: ``requests`` (the baseline's mean cost of a request) or ``tokens`` (the
      candidate's own tokens)
    """

    workload: str
    from_ms: int
    to_ms: int
    baseline: TrafficCost
    candidate: TrafficCost
    copies: Mapping[str, TrafficCost]
    baseline_fixed: Decimal = ZERO
    candidate_fixed: Decimal = ZERO
    evaluator: Decimal = ZERO
    moved_at_baseline: Decimal | None = None
    moved_by: str = ""

    @property
    def egress(self) -> Decimal:
        return sum((cost.egress for cost in self._all()), ZERO)

    @property
    def of_copies(self) -> Decimal:
        return sum((cost.amount for cost in self.copies.values()), ZERO)

    @property
    def spent(self) -> Decimal:
        fixed = self.baseline_fixed + self.candidate_fixed
        return self.baseline.amount + self.candidate.amount + self.of_copies + self.evaluator + self.egress + fixed

    @property
    def without(self) -> Decimal | None:
        """The cost if the baseline alone had served all requests; None: unknown."""
        if self.moved_at_baseline is None:
            return None
        return self.baseline.amount + self.baseline.egress + self.baseline_fixed + self.moved_at_baseline

    @property
    def saved(self) -> Decimal | None:
        """The money that the migration has saved so far. Negative: it has cost more than it saved. None: unknown."""
        return self.without - self.spent if self.without is not None and self.is_known else None

    @property
    def is_known(self) -> bool:
        """Whether every side with requests has prices. If not, ``spent`` is lower than the real spending."""
        return not any(cost.is_unknown for cost in self._all())

    @property
    def requests(self) -> int:
        return self.baseline.requests + self.candidate.requests

    @property
    def of_prices(self) -> bool:
        """Whether any amount is not zero."""
        return bool(self.spent or self.without)

    @property
    def unpriced_share(self) -> float:
        """The share of all requests, copies included, whose price is unknown or incomplete."""
        requests = sum(cost.requests for cost in self._all())
        return sum(cost.unpriced for cost in self._all()) / requests if requests else 0.0

    @property
    def measured_share(self) -> float | None:
        """The share of all requests, copies included, whose tokens the backend stated; None without requests."""
        requests = sum(cost.requests for cost in self._all())
        return sum(cost.measured for cost in self._all()) / requests if requests else None

    def _all(self) -> tuple[TrafficCost, ...]:
        return self.baseline, self.candidate, *self.copies.values()


def traffic_in(points: Sequence[HistoryPoint]) -> tuple[SideTraffic, SideTraffic, int]:
    """Return the traffic of the baseline and of the candidate in some periods, and the number of pinned requests."""
    baseline = candidate = NO_TRAFFIC
    pinned = 0
    for point in points:
        baseline, candidate = baseline + point.baseline.traffic, candidate + point.candidate.traffic
        pinned += point.pinned
    return baseline, candidate, pinned


def costs_of(workloads: Sequence[WorkloadTraffic]) -> list[WorkloadCosts]:
    """Return the costs of each workload. GPUs and fixed amounts of a backend are divided among workloads by tokens."""
    parts = _parts_of_backends(workloads)
    return [_costs_of(one, parts) for one in workloads]


def _costs_of(one: WorkloadTraffic, parts: Mapping[tuple[str, str], Decimal]) -> WorkloadCosts:
    baseline = cost_of_traffic(one.baseline.live, one.baseline_prices, one.pinned)
    candidate = cost_of_traffic(one.candidate.live, one.candidate_prices)
    moved, how = _at_baseline(one, baseline)
    return WorkloadCosts(
        one.workload,
        one.from_ms,
        one.to_ms,
        baseline,
        candidate,
        {
            "baseline": cost_of_traffic(one.baseline.copies, one.baseline_prices),
            "candidate": cost_of_traffic(one.candidate.copies, one.candidate_prices),
        },
        fixed(one.baseline_prices, one.hours) * parts[one.workload, one.baseline_name],
        fixed(one.candidate_prices, one.hours) * parts[one.workload, one.candidate_name],
        one.evaluator,
        moved,
        how,
    )


def fixed(prices: PriceTable, hours: Decimal) -> Decimal:
    """Return the cost of a backend's GPUs and its fixed amounts for a number of hours."""
    return prices.gpu_hours * hours + prices.monthly * hours / HOURS_OF_MONTH


def _at_baseline(one: WorkloadTraffic, baseline: TrafficCost) -> tuple[Decimal | None, str]:
    """Return what the candidate's requests would have cost at the baseline, and the basis: "requests" or "tokens".

    The mean cost of the baseline's requests is the better basis, because the baseline's model counts and writes tokens
    differently. If too few of its answers have known tokens, the candidate's own tokens are priced at the baseline's
    prices. The amount is None if neither is known.
    """
    live = one.candidate.live
    at_its_prices = cost_of_traffic(live, one.baseline_prices)
    if not at_its_prices.requests:
        return ZERO, "requests"
    known = baseline if baseline.mean is not None else cost_of_traffic(one.baseline.copies, one.baseline_prices)
    if known.mean is not None:
        return known.mean * at_its_prices.requests + at_its_prices.egress, "requests"
    if at_its_prices.mean is not None:
        return at_its_prices.amount + at_its_prices.egress, "tokens"
    free = one.baseline_prices.by_time and not one.baseline_prices.tokens
    return (at_its_prices.egress, "requests") if free else (None, "")


def _parts_of_backends(workloads: Sequence[WorkloadTraffic]) -> dict[tuple[str, str], Decimal]:
    """Return the part of a backend's tokens that each workload used, by (workload, backend).

    The parts of one backend add up to 1.
    """
    used: dict[str, dict[str, Decimal]] = {}
    for one in workloads:
        for name, traffic in ((one.baseline_name, one.baseline), (one.candidate_name, one.candidate)):
            used.setdefault(name, {})[one.workload] = _tokens(traffic.live) + _tokens(traffic.copies)
    parts = {}
    for backend, by_workload in used.items():
        total = sum(by_workload.values(), ZERO)
        for workload, tokens in by_workload.items():
            parts[workload, backend] = tokens / total if total else Decimal(1) / len(by_workload)
    return parts


def _tokens(sent: Sent) -> Decimal:
    """Return the estimated number of tokens of all requests, extrapolated from the answers with known tokens."""
    known = sum(usage.input + usage.output for usage in sent.usage)
    return Decimal(known) * sent.counted / sent.answers if sent.answers else ZERO
