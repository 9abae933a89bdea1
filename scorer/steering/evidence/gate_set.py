"""All gates of one workload at one step: observations in, verdicts out. No clock, no Redis, no origins."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from glidepath.config import Workload
from glidepath.config.gates import LatencyGate as LatencySection
from glidepath.histogram import Histogram
from glidepath.records import Verdict
from scorer.steering.evidence.error_gates import DownGate, FastGate, IncreaseGate, RateGate
from scorer.steering.evidence.gate_base import Counts, Gate, Signal
from scorer.steering.evidence.gate_specs import QUANTILES, GateSpec, latency_name, specs_of
from scorer.steering.evidence.latency_gates import LatencyGate
from scorer.steering.evidence.pair_gates import PairGate, pair_gate
from scorer.steering.evidence.quality_gates import MarginGate, QualityGate
from scorer.steering.evidence.shared_outage import NO_RESCUES, Rescues
from scorer.steering.evidence.split_gate import SplitGate
from scorer.steering.evidence.verdicts import verdict_of

BLOCK_REQUESTS = 32  # a block of the increase test holds at least this many
CATASTROPHE_FLOOR = 0.05
_UNSURE = 4.0  # the prior share's worth in requests where nothing was configured
_SURE = 200.0
_STICKY = 20.0


class Engine:
    """``percent`` None: the split is not known beforehand (a file is being judged). ``kinds``: see ``specs_of``."""

    def __init__(self, workload: Workload, percent: float | None, prior_share: float, *, kinds: bool = True) -> None:
        self.counts = Counts()
        self.signals: dict[str, Signal] = {"total": Signal(), "ttft": Signal()}
        self.quality: QualityGate | None = None
        self.margin: MarginGate | None = None
        self.increase: IncreaseGate | None = None
        self.rate: RateGate | None = None
        self.split: SplitGate | None = None
        self.down: DownGate | None = None
        self.latency: list[LatencyGate] = []
        self.pairs: list[PairGate] = []
        sections = {latency_name(s): s for s in reversed(workload.gates.latency)}
        weight = _UNSURE if percent is None else _STICKY if workload.sticky else _SURE
        limit = workload.gates.errors.max_rate if workload.gates.errors else None
        floor = max(CATASTROPHE_FLOOR, limit or 0.0)
        self.gates: dict[str, Gate] = {}
        for spec in specs_of(workload, percent, kinds=kinds):
            self.gates[spec.name] = self._build(spec, sections, floor, prior_share, weight)
        self._block = [0, 0, 0, 0]

    def _build(
        self, spec: GateSpec, sections: dict[str, LatencySection], floor: float, prior: float, weight: float
    ) -> Gate:
        if spec.of:
            self.pairs.append(pair_gate(spec))
            return self.pairs[-1]
        match spec.name:
            case "quality":
                self.quality = QualityGate(spec)
                return self.quality
            case "quality_margin":
                self.margin = MarginGate(spec)
                return self.margin
            case "errors" | "errors_rate":
                return self._errors_gate(spec)
            case "errors_fast":
                self.fast = FastGate(spec, self.counts, floor, prior, weight)
                return self.fast
            case "candidate_down":
                self.down = DownGate(spec, self.counts)
                return self.down
            case "split":
                self.split = SplitGate(spec, self.counts)
                return self.split
            case _:
                section = sections[spec.name]
                signal = self.signals.setdefault(section.signal, Signal())
                gate = LatencyGate(spec, QUANTILES[section.quantile], signal)
                self.latency.append(gate)
                return gate

    def _errors_gate(self, spec: GateSpec) -> Gate:
        if spec.increase:
            self.increase = IncreaseGate(spec, self.counts)
            return self.increase
        self.rate = RateGate(spec, self.counts)
        return self.rate

    # Observations.

    def requests(
        self, c_errors: int, c_n: int, c_down: int, b_errors: int, b_n: int, rescues: Rescues = NO_RESCUES
    ) -> None:
        """Requests that ended at about the same time; clients' own disconnects left out. ``rescues`` are the
        candidate's requests, and words of the baseline for the fast guards alone."""
        counts = self.counts
        counts.c_n += c_n
        counts.c_errors += c_errors
        counts.c_down += c_down
        counts.b_n += b_n
        counts.b_errors += b_errors
        counts.rescued += rescues.answered
        counts.rescues_failed += rescues.failed
        self.fast.add(c_errors, c_n, b_errors, b_n, rescues)
        if c_n and self.down is not None:
            self.down.add(c_down, c_n, baseline_failing=self.fast.baseline_failing, heard=self.fast.heard)
        if self.rate is not None:
            self.rate.add(c_errors, c_n)
        if self.split is not None:
            self.split.add(c_n, b_n)
        if self.increase is not None:
            block = self._block
            block[0] += c_errors
            block[1] += c_n
            block[2] += b_errors
            block[3] += b_n

    def close_block(self) -> bool:
        """End the increase test's block if it is large enough and has both sides; whether it did."""
        c_errors, c_n, b_errors, b_n = self._block
        if self.increase is None or not c_n or not b_n or c_n + b_n < BLOCK_REQUESTS:
            return False
        self.increase.add(c_errors, c_n, b_errors, b_n)
        self._block = [0, 0, 0, 0]
        return True

    def agreement(self, score: float, *, compared: bool = True) -> None:
        """Of a cross pair. ``compared``: that noise pairs are drawn from the same requests."""
        if self.quality is not None:
            self.quality.add(score)
        if self.margin is not None and compared:
            self.margin.add(agreement=score)

    def noise(self, score: float) -> None:
        if self.margin is not None:
            self.margin.add(noise=score)

    def matched(self, agreement: float, noise: float) -> None:
        """A cross pair and a noise pair that belong together."""
        if self.margin is not None:
            self.margin.match(agreement, noise)

    def pair(
        self, labels: Mapping[str, str], signals: Mapping[str, float], *, noise: bool, compared: bool = True
    ) -> None:
        """What one pair says about classes and facts. ``compared``: as for ``agreement``."""
        for gate in self.pairs:
            happened = gate.event(labels, signals) if compared or not gate.spec.increase else None
            if happened is not None:
                gate.add(happened, noise)

    def events(self, labels: Mapping[str, str], signals: Mapping[str, float]) -> dict[str, bool]:
        """What happened in a noise pair, by the gates that it concerns."""
        found = {gate.spec.name: gate.event(labels, signals) for gate in self.pairs if gate.spec.increase}
        return {name: happened for name, happened in found.items() if happened is not None}

    def noise_events(self, events: Mapping[str, bool]) -> None:
        for gate in self.pairs:
            if gate.spec.name in events:
                gate.add(events[gate.spec.name], True)

    def histograms(self, signal: str, candidate: Histogram, baseline: Histogram) -> None:
        self.signals[signal].add(candidate, baseline)

    def look(self, *, everything: bool = False) -> None:
        """Evaluate the latency gates that have enough that is new, or whatever is new."""
        for gate in self.latency:
            gate.look(everything=everything)

    # What came of it.

    def verdicts(self, rates: dict[str, float]) -> tuple[Verdict, ...]:
        """``rates``: samples a second by gate, for the ETA; a gate that is missing has none."""
        return tuple(verdict_of(gate, rates.get(name)) for name, gate in self.gates.items())

    def to_json(self) -> dict[str, Any]:
        return {
            "counts": self.counts.to_json(),
            "block": list(self._block),
            "signals": {k: s.to_json() for k, s in self.signals.items()},
            "gates": {name: gate.to_json() for name, gate in self.gates.items()},
        }

    def load(self, raw: dict[str, Any]) -> None:
        """A gate whose limit or kind is another by now starts afresh; the rest goes on."""
        self.counts.load(raw["counts"])
        self._block = [int(v) for v in raw["block"]]
        for name, sides in raw["signals"].items():
            if name in self.signals:
                self.signals[name].load(sides)
        for name, gate in self.gates.items():
            if name in raw["gates"]:
                with contextlib.suppress(ValueError):
                    gate.load(raw["gates"][name])
