"""One workload's state and its ticks, as in the steer loop, but without a store and without Envoys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from glidepath.config import Config
from glidepath.status_and_decisions import Decision, WorkloadStatus
from scorer.steering.envoy.runtime_values import RuntimeEntries
from scorer.steering.steering_interfaces import EvidenceKind
from scorer.steering.store_protocol import News
from scorer.steering.workload.fold_stream_entries import fold
from scorer.steering.workload.steady_time import ClockReadings, SteadyTime
from scorer.steering.workload.tick import Tick, tick
from scorer.steering.workload.tick_context import TickContext
from scorer.steering.workload.workload_spec import WorkloadSpec
from scorer.steering.workload.workload_state import WorkloadState, new_state
from scorer.steering.workload.workload_state_codec import decode
from scorer.steering.workload.workload_status import status_of
from tests.support.scripted_evidence import ScriptedEvidenceKind

NO_NEWS = News()
ALONE = TickContext(leader="me")


def clocks_at(ms: int) -> ClockReadings:
    """Return the readings of clocks that all show ``ms``."""
    return ClockReadings(monotonic_ms=ms, boot="test", wall_ms=ms, redis_ms=ms)


def moment(ms: int) -> SteadyTime:
    """Return a moment at which steady time and all clocks show ``ms``."""
    return SteadyTime(ms, clocks_at(ms))


class SteeredWorkload:
    """The workload ``chat``; each tick replaces ``state``."""

    def __init__(
        self, config: Config, kind: EvidenceKind | None = None, *, now_ms: int = 1000, first_start: bool = False
    ) -> None:
        self.spec = WorkloadSpec.of("chat", config, kind or ScriptedEvidenceKind())
        self.state: WorkloadState = new_state(self.spec, moment(now_ms))
        if first_start:
            self.set_ramp(first_start=True)

    def restore(self, stored: Mapping[str, Any], now_ms: int) -> None:
        self.state = decode(self.spec, stored, clocks_at(now_ms))

    def set_ramp(self, **changes: Any) -> None:
        self.state = replace(self.state, ramp=replace(self.state.ramp, **changes))

    def fold(self, news: News) -> None:
        """Fold the news at the moment at which its last entry arrived."""
        arrived = [max(flush.arrived_ms, flush.to_ms) for flush in news.outcomes]
        captured = [pair.captured_at_ms for pair in news.scored]
        served = [given.served_at_ms for given in news.feedback]
        self.state = fold(self.state, news, moment(max(self.state.now.ms, *arrived, *captured, *served)))

    def status(self, now_ms: int) -> WorkloadStatus:
        return status_of(replace(self.state, now=moment(now_ms)), "me")

    def tick(
        self,
        now_ms: int,
        readings: Mapping[str, RuntimeEntries | None] | None = None,
        context: TickContext = ALONE,
        *,
        news: News = NO_NEWS,
    ) -> Tick:
        done = tick(self.state, news, readings or {}, context, moment(now_ms))
        self.state = done.state
        return done

    def decisions(
        self,
        now_ms: int,
        readings: Mapping[str, RuntimeEntries | None] | None = None,
        context: TickContext = ALONE,
        *,
        news: News = NO_NEWS,
    ) -> tuple[Decision, ...]:
        return self.tick(now_ms, readings, context, news=news).decisions
