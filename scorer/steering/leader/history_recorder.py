"""Write the history of the workloads for the console's charts: totals of the news for each period.

A tick only hands over the news that it has read. A task of the leader adds up the totals and writes them, so a decision
never waits for the history. News that cannot be written is counted and left out. See ADR 0323.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter
from redis.exceptions import RedisError, ResponseError
from redis.typing import EncodableT, FieldT

from glidepath.errors import InputError, error_text_with_type
from glidepath.histogram import Histogram, sum_of
from glidepath.history import (
    LEVELS,
    Level,
    PeriodTotals,
    SideTotals,
    encode_point,
    encode_traffic,
    few_kinds,
    point_of,
    totals_from_json,
    totals_to_json,
)
from glidepath.logs import get_logger
from glidepath.outcome_summaries import PINNED, Coverage, Outcomes, SideOutcomes
from glidepath.pair_scores import AnswerFacts, ScoredPair
from glidepath.pairs import PairKind
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import RedisClient, being_cancelled
from glidepath.side_traffic import Sent, SideTraffic
from glidepath.sides import Origin, Side
from glidepath.token_usage import TokenUsage, merged
from scorer.steering.store_protocol import News

EVERY_S = 2.0
SLICES = 8  # in an eighth of EVERY_S, an eighth of the workloads is added up, so that no tick waits long for it
MOST_WAITING = 5000  # flushes and pairs of a workload that wait to be added up
OPEN_TTL_S = 2 * 3600

log = get_logger()


@dataclass(frozen=True, slots=True)
class RampPosition:
    """The state of a workload's ramp at one moment: the time at Redis, the candidate's share and the phase."""

    at_ms: int
    percent: float
    phase: str


@dataclass(slots=True)
class _Track:
    """The data of one workload that is not written yet.

    - ``flushes``, ``pairs``: the news that is not added up yet
    - ``open``: level → the beginning and the totals of the open period
    - ``recent``: totals of one short period that are not in ``open`` yet; ``recent_ms``: their latest time
    - ``unstored``: the totals that were added to ``open`` since the open periods were last stored in Redis
    - ``restored``: whether the former leader's open periods were read in this term
    """

    position: RampPosition
    flushes: list[Outcomes] = field(default_factory=list)
    pairs: list[ScoredPair] = field(default_factory=list)
    open: dict[str, tuple[int, PeriodTotals]] = field(default_factory=dict)
    recent: PeriodTotals | None = None
    recent_ms: int = 0
    unstored: PeriodTotals | None = None
    restored: bool = False

    def begin_term(self, found: dict[str, tuple[int, PeriodTotals]], new: PeriodTotals) -> PeriodTotals:
        """Continue the open periods in Redis. Return ``new`` plus the totals of an earlier term that Redis lacks."""
        new = _sum(self.unstored, _sum(self.recent, new))
        self.open, self.restored, self.recent, self.unstored = found, True, None, None
        return new

    def period_is_over(self, now_ms: int) -> bool:
        """Return whether a known period of the shortest level is over."""
        shortest = LEVELS[0]
        known = [self.open[shortest.name][0]] if shortest.name in self.open else []
        known += [] if self.recent is None else [shortest.start_of(self.recent_ms)]
        return min(known, default=now_ms) < shortest.start_of(now_ms)

    def close_periods(self, new: PeriodTotals, now_ms: int) -> list[tuple[Level, int, PeriodTotals]]:
        """Add ``recent`` and then ``new`` to the open periods. Return the periods that are over."""
        closed: list[tuple[Level, int, PeriodTotals]] = []
        for totals, at_ms in ((self.recent, self.recent_ms), (new, now_ms)):
            if totals is not None:
                over, self.open = after(self.open, totals, at_ms)
                closed += over
                self.unstored = _sum(self.unstored, totals)
        self.recent = None
        return closed


class HistoryRecorder:
    """The leader's task that writes the history. Each tick calls ``note``. ``run`` never raises an error."""

    def __init__(self, redis: RedisClient, registry: CollectorRegistry) -> None:
        self._redis = redis
        self._tracks: dict[str, _Track] = {}
        self._lost = Counter(
            "glidepath_history_lost_total",
            "Periods, flushes and pairs that are missing in the history, from which charts and costs are made",
            registry=registry,
        )

    def note(self, workload: str, news: News, position: RampPosition) -> None:
        """Keep the news of a workload's tick, to add it up later. The tick calls this after its state was stored."""
        track = self._tracks.get(workload)
        if track is None:
            track = self._tracks[workload] = _Track(position)
        track.position = position
        if len(track.flushes) + len(track.pairs) > MOST_WAITING:
            self._lost.inc(len(news.outcomes) + len(news.scored))
            return
        track.flushes += news.outcomes
        track.pairs += news.scored

    async def run(self) -> None:
        for track in self._tracks.values():  # of an earlier term; another leader may have written since
            track.restored = False
        reason = ""
        while not being_cancelled():
            problem = ""
            for number in range(SLICES):
                await asyncio.sleep(EVERY_S / SLICES)
                for workload in list(self._tracks)[number::SLICES]:
                    problem = await self._try(workload) or problem
                    await asyncio.sleep(0)
            if problem and problem != reason:
                log.warning(
                    "history_not_stored", reason=problem, effect="charts and costs have a gap; decisions do not change"
                )
            reason = problem

    async def _try(self, workload: str) -> str:
        try:
            await self.write(workload)
        except (RedisError, OSError) as error:
            self._lost.inc()
            return error_text_with_type(error)[:300]
        return ""

    async def write(self, workload: str) -> None:
        """Add up the waiting news, and store the ended periods.

        If this method raises RedisError or OSError, the ended periods are lost.
        """
        track = self._tracks[workload]
        found = None if track.restored else await self._restored(workload)
        position = track.position
        new = added_up(track.flushes, track.pairs, position)
        track.flushes, track.pairs = [], []
        if found is not None:  # a new term: add also the news of the earlier term that Redis lacks
            new = track.begin_term(found, new)
        if not track.period_is_over(position.at_ms):
            track.recent, track.recent_ms = _sum(track.recent, new), position.at_ms
            return
        closed = track.close_periods(new, position.at_ms)
        await self._store(workload, closed, track.open)
        track.unstored = None

    async def _store(
        self,
        workload: str,
        closed: Iterable[tuple[Level, int, PeriodTotals]],
        open_periods: Mapping[str, tuple[int, PeriodTotals]],
    ) -> None:
        keys = WorkloadKeys(workload)
        pipe = self._redis.pipeline(transaction=False)
        for level, start, totals in closed:
            point = point_of(totals, start, level.seconds)
            fields: dict[FieldT, EncodableT] = {"h": encode_point(point)}
            if traffic := encode_traffic(point):
                fields["t"] = traffic
            pipe.xadd(keys.history(level.name), fields, id=f"{start}-0", maxlen=level.kept, approximate=True)
        kept = {name: [start, totals_to_json(totals)] for name, (start, totals) in open_periods.items()}
        pipe.set(keys.open_history, json.dumps(kept, separators=(",", ":")), ex=OPEN_TTL_S)
        for answer in await pipe.execute(raise_on_error=False):
            # Another leader may have written this period, or Redis' clock was set back: then the first entry stays.
            if isinstance(answer, ResponseError) and "equal or smaller" in str(answer):
                self._lost.inc()
            elif isinstance(answer, Exception):
                raise answer

    async def _restored(self, workload: str) -> dict[str, tuple[int, PeriodTotals]]:
        """Return the open periods that the former leader stored; an empty mapping if none can be read."""
        raw = await self._redis.get(WorkloadKeys(workload).open_history)
        try:
            found = json.loads(raw) if raw is not None else {}
            return {str(name): (int(start), totals_from_json(totals)) for name, (start, totals) in found.items()}
        except (ValueError, TypeError, AttributeError, InputError):
            return {}


def _sum(earlier: PeriodTotals | None, later: PeriodTotals) -> PeriodTotals:
    return later if earlier is None else earlier + later


def after(
    open_periods: Mapping[str, tuple[int, PeriodTotals]], new: PeriodTotals, now_ms: int
) -> tuple[list[tuple[Level, int, PeriodTotals]], dict[str, tuple[int, PeriodTotals]]]:
    """For each level, add ``new`` to the period that contains ``now_ms``. Return the ended and the open periods.

    Pure. A period ends when totals for a later period arrive.
    """
    closed: list[tuple[Level, int, PeriodTotals]] = []
    still_open: dict[str, tuple[int, PeriodTotals]] = {}
    for level in LEVELS:
        start, known = level.start_of(now_ms), open_periods.get(level.name)
        if known is not None and known[0] < start:
            closed.append((level, *known))
            known = None
        totals = known[1] + new if known is not None and known[0] == start else new
        still_open[level.name] = (start, totals)
    return closed, still_open


def added_up(flushes: Iterable[Outcomes], pairs: Iterable[ScoredPair], position: RampPosition) -> PeriodTotals:
    """Return the totals of the flushes and pairs that a tick has read. Pure."""
    sides = {side: _Side() for side in Side}
    captured = scored = noise_pairs = judged = pinned = 0
    agreement_sum = noise_sum = preference_sum = 0.0
    for flush in flushes:
        captured += flush.coverage.get(Coverage.CAPTURED.value, 0)
        pinned += sum(number for name, number in flush.coverage.items() if name.startswith(PINNED))
        for one in flush.sides:
            if one.origin is Origin.LIVE:
                sides[one.side].add(one.requests, one.errors, one.error_kinds, one.latency_ms, one.ttft_ms)
            sides[one.side].add_sent(one)
            if one.origin is Origin.LIVE:
                sides[Side.BASELINE].live.requests += one.rescued  # the baseline answered these
    for pair in pairs:
        if pair.kind is PairKind.NOISE:
            noise_pairs += pair.scored
            noise_sum += pair.agreement if pair.scored else 0.0
            continue
        for side, facts in ((Side.BASELINE, pair.baseline), (Side.CANDIDATE, pair.candidate)):
            sides[side].add_answer(facts)
        scored += pair.scored
        agreement_sum += pair.agreement if pair.scored else 0.0
        if pair.preference is not None:
            judged += 1
            preference_sum += pair.preference.score
    return PeriodTotals(
        sides[Side.BASELINE].totals(),
        sides[Side.CANDIDATE].totals(),
        scored,
        agreement_sum,
        noise_pairs,
        noise_sum,
        judged,
        preference_sum,
        captured,
        position.percent,
        position.phase,
        pinned,
    )


@dataclass(slots=True)
class _Sent:
    requests: int = 0
    sent_bytes: int = 0
    usage: list[TokenUsage] = field(default_factory=list)

    def frozen(self) -> Sent:
        return Sent(self.requests, self.sent_bytes, merged(self.usage))


@dataclass(slots=True)
class _Side:
    """Sums of one side, changed in place. The histograms are kept, and added up at the end, all at once."""

    requests: int = 0
    errors: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    latency: list[Histogram] = field(default_factory=list)
    ttft: list[Histogram] = field(default_factory=list)
    answers: int = 0
    tokens: int = 0
    defects: int = 0
    live: _Sent = field(default_factory=lambda: _Sent())
    copies: _Sent = field(default_factory=lambda: _Sent())

    def add(self, requests: int, errors: int, kinds: Mapping[str, int], latency: Histogram, ttft: Histogram) -> None:
        self.requests += requests
        self.errors += errors
        for kind, count in kinds.items():
            self.kinds[kind] = self.kinds.get(kind, 0) + count
        self.latency.append(latency)
        self.ttft.append(ttft)

    def add_sent(self, one: SideOutcomes) -> None:
        """Add the requests and tokens that were sent to the side and did not fail. A failed request costs nothing.

        Probes count as copies: both are costs of the migration.
        """
        sent = self.live if one.origin is Origin.LIVE else self.copies
        sent.requests += max(0, one.requests - one.errors)
        sent.sent_bytes += one.sent_bytes
        sent.usage += one.usage

    def add_answer(self, facts: AnswerFacts) -> None:
        self.defects += bool(facts.faults)
        if facts.output_tokens > 0:
            self.answers += 1
            self.tokens += facts.output_tokens

    def totals(self) -> SideTotals:
        return SideTotals(
            self.requests,
            self.errors,
            few_kinds(self.kinds),
            sum_of(self.latency),
            sum_of(self.ttft),
            self.answers,
            self.tokens,
            self.defects,
            SideTraffic(self.live.frozen(), self.copies.frozen()),
        )
