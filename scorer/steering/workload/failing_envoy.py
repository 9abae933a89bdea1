"""Detect that Envoy itself, and neither side, fails a part of a workload's requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from glidepath.outcome_summaries import AtFault, Outcomes
from glidepath.sides import Origin

FEWEST = 5  # failed requests before they are announced
WINDOW = 200  # requests; above it, all counts are halved
MOST, FEW = 0.05, 0.02  # announced above the first share of failed requests, and named until the second one
_SHOWN_KINDS = 3


@dataclass(frozen=True, slots=True)
class EnvoyWatch:
    """The number of recent requests of clients, and the number that Envoy itself answered with an error, by kind.

    Above WINDOW requests, all counts are halved. ``named``: whether the share of failed requests is high enough to be
    announced.
    """

    requests: float = 0
    kinds: Mapping[str, float] = field(default_factory=dict)
    named: bool = False

    @property
    def failed(self) -> float:
        return sum(self.kinds.values())

    def with_flush(self, flush: Outcomes) -> EnvoyWatch:
        """Return the watch with the clients' requests of a flush added."""
        if not flush.local_replies and not self.kinds:
            return self  # the usual case
        found: Counter[str] = Counter()
        for reply in flush.local_replies:
            if reply.at_fault is AtFault.ENVOY and reply.origin is Origin.LIVE:
                found.update(reply.kinds)
        if not found and not self.kinds:
            return self
        n = sum(side.requests for side in flush.sides if side.origin is Origin.LIVE) + found.total()
        if not n:
            return self
        keep = 0.5 if self.requests > WINDOW else 1.0
        kinds = {kind: count * keep for kind, count in self.kinds.items() if count * keep >= 0.01}
        for kind, count in found.items():
            kinds[kind] = kinds.get(kind, 0.0) + count
        requests, failed = self.requests * keep + n, sum(kinds.values())
        named = failed > FEW * requests if self.named else failed >= FEWEST and failed > MOST * requests
        return EnvoyWatch(requests, kinds, named)

    def describe(self) -> str:
        most = sorted(self.kinds, key=lambda kind: self.kinds[kind], reverse=True)[:_SHOWN_KINDS]
        share = self.failed / self.requests
        return f"Envoy itself fails {share:.0%} of the requests ({', '.join(most)}), not a side: see its access log"
