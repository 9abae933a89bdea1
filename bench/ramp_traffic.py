"""Simulated traffic of a whole ramp: requests of users, their answers at both sides, outcomes and scored pairs.

A request has a size, which both sides' answers share. Every answer has a length and a speed of its own: ln(tokens) =
size + length, ln(total) = ln(tokens) + speed. The total time is lognormal with the given σ. The size contributes 60 %
of its variance, the length 20 % and the speed 20 %. Users differ too: for a user with the factor f, answers are f^0.7
times as long, a token takes f^0.3 times as long, and the first token f^0.5 times as long.

Pure: the generator of random numbers is an argument.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from glidepath.histogram import MAX_INDEX, MIN_INDEX, Histogram
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.pair_scores import AnswerFacts, ScoredPair
from glidepath.pairs import PairKind
from glidepath.sides import Origin, Side

Floats = np.ndarray
WORKLOAD = "chat"
_SIZE, _LENGTH, _SPEED = (math.sqrt(part) for part in (0.6, 0.2, 0.2))
_TOKENS, _TOKEN_MS, _FIRST_MS = 200.0, 15.0, 300.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """The traffic of a workload.

    - ``per_hour``: requests per hour; ``sigma``: the standard deviation of ln(total time), without the differences of
      users
    - ``users``: the number of users, where the share of the k-th user is proportional to 1/k; 0: every request has a
      user of its own
    - ``user_sd``: the standard deviation of the logarithm of a user's factor
    - ``heavy``: the share of the requests from one additional user, whose answers take ``heavy_factor`` times as long
    - ``heavy_errors``: the share of this user's requests that fail at each side; 0: as those of all users. If it is not
      0, the candidate serves this user at every step. ``alike``: whether the same requests fail at both sides; if not,
      each side fails requests of its own
    - ``copies_fail``: the share of the baseline's copies that fail although the baseline answers clients
    - ``slower``: the candidate's time per token and to the first token, as a multiple of the baseline's
    - ``errors``: the share of requests that fail, at the candidate and at the baseline
    - ``worse``: how much lower the mean agreement of cross pairs is than that of noise pairs
    - ``copies_slower``: how many times as long an answer to a copy takes as an answer to a client, at both sides
    """

    per_hour: float
    sigma: float
    users: int = 0
    user_sd: float = 0.3
    heavy: float = 0.0
    heavy_factor: float = 3.0
    slower: float = 1.0
    errors: tuple[float, float] = (0.002, 0.002)
    worse: float = 0.0
    copies_slower: float = 1.0
    heavy_errors: float = 0.0
    alike: bool = False
    copies_fail: float = 0.0

    @property
    def sticky(self) -> bool:
        return self.users > 0


@dataclass(frozen=True, slots=True)
class Crowd:
    """The users of one run. For each: the share of the requests, ln of the factor f, the mean agreement and a hash."""

    share: Floats
    factor: Floats
    agreement: Floats
    hash: Floats
    names: tuple[str, ...]

    @classmethod
    def of(cls, traffic: Traffic, rng: np.random.Generator) -> Crowd:
        n = traffic.users + (traffic.heavy > 0)
        share = 1 / np.arange(1.0, n + 1)
        factor, agreement = rng.normal(0, traffic.user_sd, n), 0.8 + rng.normal(0, 0.05, n)
        if traffic.heavy > 0:
            share[0] = traffic.heavy / (1 - traffic.heavy) * share[1:].sum()
            factor[0] = math.log(traffic.heavy_factor)
        total, place = share.sum(), rng.random(n)
        if traffic.heavy_errors > 0:
            place[0] = 0.0
        names = tuple(f"user-{k}" for k in range(n))
        return cls(share / total if n else share, factor, agreement, place, names)


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of one side: total time and time to first token in milliseconds, tokens, and whether they failed."""

    total: Floats
    first: Floats
    tokens: Floats
    failed: Floats

    def delayed(self, factor: float) -> Answers:
        return Answers(self.total * factor, self.first * factor, self.tokens, self.failed)


@dataclass(slots=True)
class Period:
    """The requests of a period, in the order of their time, and the answers of both sides to each of them.

    ``live``: whether the candidate answered the client. ``again``: the baseline's second answers, for noise pairs.
    ``copies_slower``: see ``Traffic``. ``copies_fail``: the requests whose copies the baseline fails; empty: none.
    """

    at_ms: Floats
    who: Floats
    live: Floats
    candidate: Answers
    baseline: Answers
    again: Answers
    agreement: Floats
    noise: Floats
    names: tuple[str, ...] = field(default_factory=tuple)
    copies_slower: float = 1.0
    copies_fail: Floats = field(default_factory=lambda: np.zeros(0, bool))

    def sticky(self, i: int) -> str:
        return self.names[self.who[i]] if self.names else ""


def period(
    traffic: Traffic, crowd: Crowd, percent: float, from_ms: int, to_ms: int, rng: np.random.Generator
) -> Period:
    """Return the requests from ``from_ms`` to ``to_ms``, with the candidate's share ``percent``."""
    n = int(rng.poisson(traffic.per_hour * (to_ms - from_ms) / 3.6e6))
    at_ms = np.sort(rng.integers(from_ms, to_ms, n))
    if traffic.sticky:
        who = rng.choice(len(crowd.share), n, p=crowd.share)
        factor, mean, place = crowd.factor[who], crowd.agreement[who], crowd.hash[who]
    else:
        who, factor, mean, place = np.zeros(n, int), rng.normal(0, traffic.user_sd, n), np.full(n, 0.8), rng.random(n)
    size = rng.normal(0, traffic.sigma * _SIZE, n) + 0.7 * factor
    heavy, luck = who == 0 if traffic.heavy_errors > 0 else None, rng.random(n) if traffic.alike else None
    candidate, baseline, again = (
        _with_errors_of_one(_answers(traffic, size, factor, slow, errors, rng), traffic.heavy_errors, heavy, luck, rng)
        for slow, errors in ((traffic.slower, traffic.errors[0]), (1.0, traffic.errors[1]), (1.0, traffic.errors[1]))
    )
    scores = np.clip(mean + rng.normal(0, 0.15, (2, n)), 0, 1)
    agreement = np.clip(scores[0] - traffic.worse, 0, 1)
    live = place < percent / 100
    fail = rng.random(n) < traffic.copies_fail if traffic.copies_fail else np.zeros(0, bool)
    slower = traffic.copies_slower
    return Period(at_ms, who, live, candidate, baseline, again, agreement, scores[1], crowd.names, slower, fail)


def _with_errors_of_one(
    answers: Answers, rate: float, heavy: Floats | None, luck: Floats | None, rng: np.random.Generator
) -> Answers:
    """Return the answers with errors of one user added. ``heavy``: this user's requests; ``luck``: see ``alike``."""
    if heavy is None:
        return answers
    failed = answers.failed | heavy & ((rng.random(len(heavy)) if luck is None else luck) < rate)
    return replace(answers, failed=failed)


def _answers(
    traffic: Traffic, size: Floats, factor: Floats, slow: float, errors: float, rng: np.random.Generator
) -> Answers:
    n, sigma = len(size), traffic.sigma
    tokens = np.maximum(1, np.rint(_TOKENS * np.exp(size + rng.normal(0, sigma * _LENGTH, n))))
    speed = slow * np.exp(0.3 * factor + rng.normal(0, sigma * _SPEED, n))
    first = _FIRST_MS * slow * np.exp(0.5 * factor + rng.normal(0, sigma / 2, n))
    total = np.maximum(tokens * _TOKEN_MS * speed, first)
    return Answers(total, first, tokens, rng.random(n) < errors)


def outcomes(
    requests: Period,
    seq: int,
    from_ms: int,
    to_ms: int,
    *,
    copies: bool = True,
    noise: Floats | None = None,
    fallback: bool = True,
) -> Outcomes:
    """Return the summary of the requests and of their copies, as one flush.

    - ``copies``: whether requests are copied to the other side; ``noise``: the requests that the baseline gets again
    - ``fallback``: whether the baseline gets the requests that the candidate failed
    """
    own, base, live = requests.candidate, requests.baseline, requests.live
    sides = [_side(Side.CANDIDATE, Origin.LIVE, own, live), _side(Side.BASELINE, Origin.LIVE, base, ~live)]
    if fallback:
        rescued, failed = (int((live & own.failed & found).sum()) for found in (~base.failed, base.failed))
        rescues = {"rescued": rescued, "rescues_failed": failed, "failed_at_both": failed}
        sides[0] = replace(sides[0], failovers=rescued + failed, **rescues)
    if copies:
        sides[0] = _with_copies(sides[0], live & ~own.failed, base.failed, requests.copies_fail)
        again = np.zeros(len(live), bool) if noise is None else noise
        sides[1] = _with_copies(sides[1], ~live & ~base.failed & again, requests.again.failed, requests.copies_fail)
        own, base = (answers.delayed(requests.copies_slower) for answers in (own, base))
        sides.append(_side(Side.CANDIDATE, Origin.SHADOW, own, ~requests.live))
        sides.append(_side(Side.BASELINE, Origin.SHADOW, base, requests.live))
    return Outcomes(WORKLOAD, "simulated", seq, from_ms, to_ms, tuple(sides))


def _with_copies(side: SideOutcomes, copied: Floats, failed: Floats, copies_fail: Floats) -> SideOutcomes:
    """Add the baseline's copies of answered requests, as extproc counts them (extproc/baseline_copy_failures.py)."""
    failed = copied & (failed | copies_fail if len(copies_fail) else failed)
    return replace(side, baseline_copies=int(copied.sum()), baseline_copies_failed=int(failed.sum()))


def _side(side: Side, origin: Origin, answers: Answers, chosen: Floats) -> SideOutcomes:
    good = chosen & ~answers.failed
    errors = int((chosen & answers.failed).sum())
    return SideOutcomes(
        side,
        origin,
        requests=int(chosen.sum()),
        errors=errors,
        error_kinds={"http_500": errors} if errors else {},
        latency_ms=histogram(answers.total[good]),
        ttft_ms=histogram(answers.first[good]),
    )


def histogram(values: Floats) -> Histogram:
    """Return the histogram of ``values``, which are positive."""
    if not len(values):
        return Histogram()
    indices = np.clip(np.ceil(np.log2(values) * 64).astype(np.int64) - 1, MIN_INDEX, MAX_INDEX)
    found, counts = np.unique(indices, return_counts=True)
    return Histogram(dict(zip(found.tolist(), counts.tolist(), strict=True)))


def scored_pairs(requests: Period, chosen: Floats, noise: Floats) -> Iterator[ScoredPair]:
    """Yield the pairs of the requests ``chosen`` (indices), and the noise pairs of those in ``noise`` (flags).

    Only a request that the baseline served has a noise pair. A request with a failed answer has a pair
    without a score in two cases only: each side got a copy of it, or only the candidate's copy failed.
    """
    copied = [answers.delayed(requests.copies_slower) for answers in (requests.candidate, requests.baseline)]
    again = requests.again.delayed(requests.copies_slower)
    if len(requests.copies_fail):
        copied[1], again = (replace(a, failed=a.failed | requests.copies_fail) for a in (copied[1], again))
    for i in chosen.tolist():
        at_ms, live = int(requests.at_ms[i]), bool(requests.live[i])
        both = bool(noise[i]) and not live
        origins = (Origin.SHADOW, Origin.LIVE) if live else (Origin.LIVE, Origin.SHADOW)
        base = _facts(copied[1] if live else requests.baseline, i, origins[0])
        own = _facts(requests.candidate if live else copied[0], i, origins[1])
        ok, name, user = base.status == own.status == 200, f"{at_ms}-{i}", requests.sticky(i)
        if ok or both or (not live and base.status == 200):
            yield _pair(name, PairKind.CROSS, at_ms, float(requests.agreement[i]), base, own, user, ok, both)
        if both:
            second = _facts(again, i, Origin.SHADOW)
            ok, score = base.status == second.status == 200, float(requests.noise[i])
            yield _pair(f"{name}~noise", PairKind.NOISE, at_ms, score, base, second, user, ok, both)


def _facts(answers: Answers, i: int, origin: Origin) -> AnswerFacts:
    if answers.failed[i]:
        return AnswerFacts(origin, status=500)
    tokens = int(answers.tokens[i])
    return AnswerFacts(
        origin,
        status=200,
        first_byte_ms=float(answers.first[i]),
        total_ms=float(answers.total[i]),
        output_tokens=tokens,
        text_chars=4 * tokens,
        streamed=True,
    )


def _pair(
    name: str,
    kind: PairKind,
    at_ms: int,
    agreement: float,
    first: AnswerFacts,
    second: AnswerFacts,
    sticky: str,
    scored: bool,
    both_copied: bool,
) -> ScoredPair:
    return ScoredPair(
        name, WORKLOAD, kind, at_ms, at_ms, scored=scored, agreement=agreement if scored else 0.0, baseline=first,
        candidate=second, sticky=sticky, both_copied=both_copied,
    )  # fmt: skip
