"""A workload's evidence at one step of its ramp: what the steer loop folds outcomes and scores into.

Mutable, and handed back by every fold so that callers need not know. Small, and the same after a trip through JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from glidepath.config import Workload
from glidepath.domain import Origin, Outcomes, PairKind, ScoredPair, Side, SideOutcomes
from glidepath.histogram import Histogram, bucket_of
from glidepath.records import SideStatus, Verdict
from scorer.steering.evidence.dense_histogram import Tally
from scorer.steering.evidence.error_gates import DOWN_KINDS
from scorer.steering.evidence.flush_deduplication import Seen
from scorer.steering.evidence.gate_set import Engine
from scorer.steering.evidence.pair_matching import Counterparts, Match, Noise
from scorer.steering.evidence.shared_outage import Rescues
from scorer.steering.evidence.user_discount import KeyCap
from scorer.steering.staggering import turn

NONE = Histogram()
NOTHING = (0,) * 7  # pending: the candidate's errors, requests, unreachable; the baseline's errors, requests; rescues
VERSION = 2
BIN_MS = 50  # flushes of a fleet that end within this time are one observation
LOOK_MS = 1000  # the latency gates are looked at this often: the dearest ones, and none of them is fast
BLOCK_MS = 1000  # a block of the increase test lasts about this long: what drifts, drifts more slowly


class Evidence:
    """Use ``Evidence.fresh`` or ``Evidence.from_json``."""

    def __init__(self, workload: Workload, percent: float, now_ms: int) -> None:
        self._workload = workload
        self.percent = percent
        self.started_ms = now_ms
        self._engine = Engine(workload, percent, _prior_share(workload, percent))
        self._origins = _origins(percent)
        self._cap, self._counterparts, self._seen = KeyCap(), Counterparts(), Seen()
        self._pending = list(NOTHING)
        self._bin = 0
        self._block_from_ms = 0
        self._last_ms = now_ms
        self._looked_ms = 0
        self._name = ""  # of the workload, once something was folded
        self._scores = [0, 0.0, 0, 0.0]  # cross pairs and their sum, noise pairs and theirs
        self._shown: tuple[Verdict, ...] | None = None

    @classmethod
    def fresh(cls, workload: Workload, percent: float, now_ms: int) -> Evidence:
        """Nothing known yet, at ``percent`` of the traffic, from ``now_ms`` on."""
        return cls(workload, percent, now_ms)

    def fold_outcomes(self, outcomes: Outcomes) -> Evidence:
        """Add one flush. Left out: a flush folded before, and one that began before this step did."""
        if outcomes.from_ms < self.started_ms or not self._seen.add(outcomes.source, outcomes.seq):
            return self
        self._name = outcomes.workload
        number = outcomes.to_ms // BIN_MS
        if number != self._bin:
            self._settle()
            self._bin = number
        self._last_ms = max(self._last_ms, outcomes.to_ms)
        latency, ttft = {}, {}
        for side in outcomes.sides:
            if side.origin is self._origins[side.side]:
                self._fold_side(side)
                latency[side.side], ttft[side.side] = side.latency_ms, side.ttft_ms
        self._engine.histograms("total", latency.get(Side.CANDIDATE, NONE), latency.get(Side.BASELINE, NONE))
        self._engine.histograms("ttft", ttft.get(Side.CANDIDATE, NONE), ttft.get(Side.BASELINE, NONE))
        self._shown = None
        return self

    def _fold_side(self, side: SideOutcomes) -> None:
        pending = self._pending
        if side.side is Side.CANDIDATE:
            pending[0] += side.errors
            pending[1] += side.requests
            if side.errors:
                pending[2] += sum(n for kind, n in side.error_kinds.items() if kind in DOWN_KINDS)
                pending[5] += side.rescued
                pending[6] += side.rescues_failed
        else:
            pending[3] += side.errors
            pending[4] += side.requests

    def _settle(self) -> None:
        """Hand over what has come since the last time as one observation."""
        if not any(self._pending):
            return
        c_errors, c_n, c_down, b_errors, b_n, answered, failed = self._pending
        self._engine.requests(c_errors, c_n, c_down, b_errors, b_n, Rescues(answered, failed))
        self._pending = list(NOTHING)
        at_ms = self._bin * BIN_MS
        if self._is_turn(self._block_from_ms, at_ms, BLOCK_MS) and self._engine.close_block():
            self._block_from_ms = at_ms

    def _is_turn(self, last_ms: int, at_ms: int, every_ms: int) -> bool:
        """Whether another round has begun since ``last_ms``: once in ``every_ms``, at other times for others."""
        return turn(self._name, at_ms, every_ms) > turn(self._name, last_ms, every_ms)

    def fold_scored(self, scored: ScoredPair) -> Evidence:
        """Add one scored pair. Left out: unscored ones, pairs from before this step, a user's beyond the cap."""
        if not scored.scored or scored.captured_at_ms < self.started_ms:
            return self
        self._shown = None
        self._last_ms = max(self._last_ms, scored.scored_at_ms)
        (self._fold_noise if scored.kind is PairKind.NOISE else self._fold_cross)(scored)
        return self

    def _fold_noise(self, scored: ScoredPair) -> None:
        self._scores[2] += 1
        self._scores[3] += scored.agreement
        if scored.sticky:
            noise = Noise(scored.agreement, self._engine.events(scored.labels, scored.signals))
            self._fold_match(self._counterparts.noise(scored.sticky, scored.captured_at_ms, noise))
        else:
            self._engine.noise(scored.agreement)
            self._engine.pair(scored.labels, scored.signals, noise=True)

    def _fold_cross(self, scored: ScoredPair) -> None:
        self._scores[0] += 1
        self._scores[1] += scored.agreement
        counts = self._cap.admits(scored.sticky)
        compared = _compared(scored)
        if counts:
            self._engine.agreement(scored.agreement, compared=compared and not scored.sticky)
            self._engine.pair(scored.labels, scored.signals, noise=False, compared=compared)
            self._fold_tokens(scored)
        if compared and scored.sticky and self._workload.shadow.same_side:
            at_ms = scored.captured_at_ms
            match = self._counterparts.cross(scored.sticky, at_ms, scored.agreement, counts=counts)
            self._fold_match(match)

    def _fold_match(self, match: Match | None) -> None:
        if match is not None:
            self._engine.matched(match.agreement, match.noise.agreement)
            self._engine.noise_events(match.noise.events)

    def _fold_tokens(self, scored: ScoredPair) -> None:
        both = (scored.candidate, scored.baseline)
        if "per_token" in self._engine.signals and all(f.output_tokens > 0 and f.total_ms > 0 for f in both):
            own, base = (Histogram({bucket_of(f.total_ms / f.output_tokens): 1}) for f in both)
            self._engine.histograms("per_token", own, base)

    def verdicts(self, now_ms: int) -> tuple[Verdict, ...]:
        """One verdict a gate. Costs next to nothing when nothing was folded since the last call."""
        if self._shown is None:
            self._settle()
            if self._is_turn(self._looked_ms, self._last_ms, LOOK_MS):
                self._engine.look()
                self._looked_ms = self._last_ms
            self._shown = self._engine.verdicts(self._rates(now_ms))
        return self._shown

    def _rates(self, now_ms: int) -> dict[str, float]:
        seconds = max((max(now_ms, self._last_ms) - self.started_ms) / 1000, 1e-3)
        return {name: gate.n / seconds for name, gate in self._engine.gates.items()}

    def requests(self) -> int:
        """The candidate's requests in this step."""
        self._settle()
        return self._engine.counts.c_n

    def sides(self) -> tuple[SideStatus, SideStatus]:
        """(baseline, candidate) over this step."""
        self._settle()
        counts, signals = self._engine.counts, self._engine.signals
        total, ttft = signals["total"], signals["ttft"]
        return (
            _status(counts.b_n, counts.b_errors, total.baseline, ttft.baseline),
            replace(
                _status(counts.c_n, counts.c_errors, total.candidate, ttft.candidate),
                rescued=counts.rescued,
                rescues_failed=counts.rescues_failed,
            ),
        )

    def agreement(self) -> float | None:
        """Mean agreement of all scored pairs of this step."""
        return self._scores[1] / self._scores[0] if self._scores[0] else None

    def noise(self) -> float | None:
        """Mean agreement of the baseline with itself in this step."""
        return self._scores[3] / self._scores[2] if self._scores[2] else None

    def to_json(self) -> dict[str, Any]:
        """Everything, in plain lists and numbers; well below 64 KB."""
        return {
            "v": VERSION,
            "percent": self.percent,
            "started_ms": self.started_ms,
            "last_ms": [self._last_ms, self._looked_ms],
            "pending": list(self._pending),
            "bin": [self._bin, self._block_from_ms],
            "scores": list(self._scores),
            "cap": self._cap.to_json(),
            "counterparts": self._counterparts.to_json(),
            "seen": self._seen.to_json(),
            "engine": self._engine.to_json(),
        }

    @classmethod
    def from_json(cls, workload: Workload, raw: Mapping[str, Any]) -> Evidence:
        """The evidence that ``to_json`` wrote. What belongs to a gate whose limit has changed since starts afresh."""
        evidence = cls(workload, float(raw["percent"]), int(raw["started_ms"]))
        if raw.get("v") != VERSION:
            return evidence
        evidence._last_ms, evidence._looked_ms = raw["last_ms"]
        pending = [int(v) for v in raw["pending"]]
        evidence._pending = [*pending, *NOTHING[len(pending) :]]  # an earlier version knew nothing of rescues
        evidence._bin, evidence._block_from_ms = raw["bin"]
        evidence._scores = list(raw["scores"])
        evidence._cap.load(raw["cap"])
        evidence._counterparts.load(raw.get("counterparts", [[], []]))
        evidence._seen.load(raw["seen"])
        evidence._engine.load(raw["engine"])
        return evidence


def _origins(percent: float) -> dict[Side, Origin]:
    """Whose requests count: a side that no client reaches is judged by its shadow traffic."""
    return {
        Side.CANDIDATE: Origin.SHADOW if percent <= 0 else Origin.LIVE,
        Side.BASELINE: Origin.SHADOW if percent >= 100 else Origin.LIVE,
    }


def _compared(scored: ScoredPair) -> bool:
    """Whether noise pairs are drawn from the requests of which this pair is one. They are of requests that the baseline
    served: of none of the users that a sticky split gave to the candidate, and of no probe."""
    origin = scored.baseline.origin
    return origin is Origin.LIVE or (origin is Origin.SHADOW and not scored.sticky)


def _prior_share(workload: Workload, percent: float) -> float:
    """The candidate's share of the requests that count, as configured."""
    shadow = workload.shadow
    if percent <= 0:
        return max(shadow.sample, 0.1) / (100 + shadow.sample)
    if percent >= 100:
        return 100 / (100 + max(shadow.sample * shadow.reverse / 100, 0.1))
    return percent / 100


def _status(n: int, errors: int, total: Tally, ttft: Tally) -> SideStatus:
    return SideStatus(
        requests=n,
        errors=errors,
        p50_ms=total.quantile(0.50),
        p95_ms=total.quantile(0.95),
        p99_ms=total.quantile(0.99),
        ttft_p50_ms=ttft.quantile(0.50),
    )
