"""The gates of errors: a fixed limit, the increase over the baseline, the fast guard, the candidate's being there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scorer.steering.evidence.changepoint import Onset
from scorer.steering.evidence.error_tests import (
    AliveProof,
    CatastropheGuard,
    IncreaseTest,
    RateTest,
    RatioGuard,
    RecentRate,
    Share,
)
from scorer.steering.evidence.formatting import share_words
from scorer.steering.evidence.gate_base import Cause, Counts, Gate, Part
from scorer.steering.evidence.gate_specs import GateSpec
from scorer.steering.evidence.mixture import LN2, log_add
from scorer.steering.evidence.quality_gates import Block
from scorer.steering.evidence.shared_outage import NO_RESCUES, Rescues, Witness

MIN_FAST_ERRORS = 5  # a guard that goes straight to 0 % wants more than one hiccup, however surprising
ALONE = 0.98  # with this share the baseline is asked too seldom to be waited for
DOWN_KINDS = frozenset({"connect", "refused", "reset", "no_healthy_upstream", "dns", "no_cluster", "upstream_died"})


class CountGate(Gate):
    """A gate over the requests of a step."""

    def __init__(self, spec: GateSpec, counts: Counts) -> None:
        super().__init__(spec)
        self._counts = counts

    @property
    def n(self) -> int:
        return self._counts.c_n


class GuardGate(CountGate):
    """A fast guard: passes on the proof that it is not about half of everything."""

    def __init__(self, spec: GateSpec, counts: Counts) -> None:
        super().__init__(spec, counts)
        self._alive = AliveProof()

    def _prove(self, bad: int, n: int) -> None:
        if not self.proven:
            self._alive.see(bad, n)
            self.note(0.0, self._alive.log_e)

    @property
    def within(self) -> bool:
        return True

    @property
    def explained(self) -> bool:
        return False  # a catastrophe is a matter of the last few requests, whatever the step has seen


class RateGate(CountGate):
    """The candidate's error rate by itself."""

    def __init__(self, spec: GateSpec, counts: Counts) -> None:
        super().__init__(spec, counts)
        self._test = RateTest(min(max(spec.limit, 1e-6), 1 - 1e-6))
        self._since = Onset()

    def add(self, c_errors: int, c_n: int) -> None:
        if c_n:
            self._test.update(c_errors, c_n)
            self._since.see(self._test.gain, c_errors, c_n, 0, 0)
            self.note(self._test.log_fail, self._test.log_pass)

    @property
    def value(self) -> float | None:
        return self._counts.c_errors / self.n if self.n else None

    def late(self) -> Cause | None:
        since = self._since
        if not since.c_n:
            return None
        rate = since.c_errors / since.c_n
        seen = f"{since.c_errors} of the last {since.c_n} requests"
        limit = f"limit {share_words(self.spec.limit)} ({share_words(self.value)} of all {self.n})"
        return Cause(rate, since.c_n, f"error rate {share_words(rate)} ({seen}), {limit}")

    def words(self) -> str:
        seen = f"{self._counts.c_errors} of {self.n} requests"
        return f"error rate {share_words(self.value)} ({seen}), limit {share_words(self.spec.limit)}"

    def test(self) -> Sequence[Part]:
        return (self._test, self._since)


class IncreaseGate(CountGate):
    """The candidate's error rate less the baseline's at the same time: the blocks' mean difference, weighted as Mantel
    and Haenszel (1959) do. Over the step as a whole, an outage of both at a large share would be held against it.
    """

    def __init__(self, spec: GateSpec, counts: Counts) -> None:
        super().__init__(spec, counts)
        self._test = IncreaseTest(min(max(spec.limit, 1e-6), 0.98))
        self._since = Onset()
        self._blocks = Block([0.0, 0.0])  # weights, and weighted differences

    def add(self, c_errors: int, c_n: int, b_errors: int, b_n: int) -> None:
        """One block with requests of both sides."""
        self._test.update(c_errors, c_n, b_errors, b_n)
        self._since.see(self._test.gain, c_errors, c_n, b_errors, b_n)
        weight, (weights, differences) = c_n * b_n / (c_n + b_n), self._blocks.values
        self._blocks.values = [weights + weight, differences + weight * (c_errors / c_n - b_errors / b_n)]
        self.note(self._test.log_fail, self._test.log_pass)

    @property
    def value(self) -> float | None:
        weights, differences = self._blocks.values
        return differences / weights if weights else self._pooled

    @property
    def _pooled(self) -> float | None:
        c = self._counts
        return c.c_errors / c.c_n - c.b_errors / c.b_n if c.c_n and c.b_n else None

    def late(self) -> Cause | None:
        since = self._since
        if not since.c_n or not since.b_n:
            return None
        own, base = since.c_errors / since.c_n, since.b_errors / since.b_n
        seen = f"{since.c_errors} of the last {since.c_n}"
        limit = f"may be {share_words(self.spec.limit)} more"
        step = f"({self._counts.c_errors} of {self._counts.c_n} in this step)"
        text = f"error rate {share_words(own)} ({seen}), baseline's {share_words(base)}, {limit} {step}"
        return Cause(own - base, since.c_n, text)

    def words(self) -> str:
        c = self._counts
        if self.value is None:
            return f"{c.c_n} requests of the candidate and {c.b_n} of the baseline: nothing to compare with"
        own, base = share_words(c.c_errors / c.c_n), share_words(c.b_errors / c.b_n)
        text = (
            f"error rate {own} ({c.c_errors} of {c.c_n}), baseline's {base}, may be {share_words(self.spec.limit)} more"
        )
        pooled = self._pooled
        if pooled is None or (pooled <= self.spec.limit) == self.within:
            return text
        return f"{text}; at the same times it is {share_words(self.value)} more"

    def test(self) -> Sequence[Part]:
        return (self._test, self._since, self._blocks)

    def load(self, raw: Sequence[Any]) -> None:
        super().load(raw)
        c, pooled = self._counts, self._pooled
        if pooled is not None and self.lacks(raw, self._blocks):
            weight = c.c_n * c.b_n / (c.c_n + c.b_n)
            self._blocks.values = [weight, weight * pooled]


class FastGate(GuardGate):
    """Both fast guards of errors, averaged: for the null that neither has cause."""

    def __init__(self, spec: GateSpec, counts: Counts, floor: float, prior_share: float, prior_weight: float) -> None:
        super().__init__(spec, counts)
        self._share, self._recent = Share(prior_share, prior_weight), RecentRate()
        self._ratio, self._catastrophe = RatioGuard(spec.limit), CatastropheGuard(floor)
        self._since_ratio, self._since, self._witness = Onset(), Onset(), Witness()

    def add(self, c_errors: int, c_n: int, b_errors: int, b_n: int, rescues: Rescues = NO_RESCUES) -> None:
        """What ended at about the same time. ``rescues`` are not among the baseline's ``b_n``."""
        self._ratio.see(c_errors, b_errors, self._share.value)
        self._catastrophe.see(c_errors, c_n, self.spec.limit * self._recent.value)
        self._since_ratio.see(self._ratio.gain, c_errors, c_n, b_errors, b_n)
        self._since.see(self._catastrophe.gain, c_errors, c_n, b_errors, b_n)
        self._share.update(c_n, b_n)
        self._recent.update(b_errors, b_n, c_n, rescues)
        self._witness.hear(self._since, rescues)
        fails = b_errors + rescues.failed > 0 and self.baseline_failing
        self._witness.count(self._since, c_errors, fails=fails)
        self._prove(c_errors, c_n)
        log_e = log_add(self._ratio.log_e, self._catastrophe.log_e) - LN2
        if log_e >= self.spec.fail_at and self.baseline_failing:
            self._catastrophe.forget()  # an outage of both sides: whatever it says of the candidate, do not act on it
        elif self._counts.c_errors >= MIN_FAST_ERRORS and self.heard:
            self.note(log_e)

    @property
    def baseline_failing(self) -> bool:
        """Whether the baseline's last requests failed, or about as many as the candidate's since these began to: then
        nothing is said of the candidate alone."""
        recent = self._recent
        return recent.failing or self._witness.suffers_too(self._since, self.spec.limit, recent.silent)

    @property
    def heard(self) -> bool:
        """Whether the baseline has shown that it is well, or is not to be waited for any longer."""
        return self._share.value >= ALONE or self._witness.is_heard(self._since)

    @property
    def value(self) -> float | None:
        c = self._counts
        return (c.c_errors / c.c_n) / (c.b_errors / c.b_n) if c.c_n and c.b_errors else None

    def late(self) -> Cause | None:
        by_ratio = self._ratio.log_e > self._catastrophe.log_e
        since = self._since_ratio if by_ratio else self._since
        if not since.c_n:
            return None
        base = f", {since.b_errors} of the baseline's {since.b_n} meanwhile" if since.b_n else ""
        step = f"({self._counts.c_errors} of {self._counts.c_n} in this step)"
        text = f"{since.c_errors} of the candidate's last {since.c_n} requests failed{base} {step}"
        value = (since.c_errors / since.c_n) / (since.b_errors / since.b_n) if since.b_errors else None
        return Cause(value, since.c_n, text)

    def words(self) -> str:
        c = self._counts
        return f"{c.c_errors} of the candidate's {c.c_n} requests failed, {c.b_errors} of the baseline's {c.b_n}"

    def test(self) -> Sequence[Part]:
        guards = (self._ratio, self._catastrophe, self._alive)
        return (self._share, self._recent, *guards, self._since_ratio, self._since, self._witness)


class DownGate(GuardGate):
    """Is the candidate unreachable? Failures to connect, refusals and resets only."""

    def __init__(self, spec: GateSpec, counts: Counts) -> None:
        super().__init__(spec, counts)
        self._guard = CatastropheGuard(spec.limit)
        self._since = Onset()

    def add(self, c_down: int, c_n: int, *, baseline_failing: bool, heard: bool) -> None:
        self._guard.see(c_down, c_n, 0.0)
        self._since.see(self._guard.gain, c_down, c_n, 0, 0)
        self._prove(c_down, c_n)
        if self._guard.log_e >= self.spec.fail_at and baseline_failing:
            self._guard.forget()
        elif self._counts.c_down >= MIN_FAST_ERRORS and heard:
            self.note(self._guard.log_e)

    @property
    def value(self) -> float | None:
        return self._counts.c_down / self.n if self.n else None

    def late(self) -> Cause | None:
        since = self._since
        if not since.c_n:
            return None
        step = f"({self._counts.c_down} of {self.n} in this step)"
        text = f"{since.c_errors} of the candidate's last {since.c_n} requests found it unreachable {step}"
        return Cause(since.c_errors / since.c_n, since.c_n, text)

    def words(self) -> str:
        return f"{self._counts.c_down} of the candidate's {self.n} requests found it unreachable"

    def test(self) -> Sequence[Part]:
        return (self._guard, self._alive, self._since)
