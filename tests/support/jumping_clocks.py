"""A workload that is steered while clocks are set: the clock of the scorer, of Redis or of the proxy."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.pair_scores import ScoredPair
from glidepath.pairs import PairKind
from glidepath.sides import Origin, Side
from glidepath.status_and_decisions import Decision
from scorer.steering.envoy.actuator import MemoryActuator
from scorer.steering.store_protocol import News
from scorer.steering.workload.steady_time import ClockReadings, SteadyTime
from scorer.steering.workload.tick import tick
from scorer.steering.workload.workload_state_codec import decode, encode
from tests.support.steered_workload import ALONE, SteeredWorkload

BEGAN_MS = 1_800_000_000_000
ASK_EVERY = 3  # ticks; until then, the leader does not know that Redis' clock was set


@dataclass(slots=True)
class JumpingClocks:
    """The steered workload ``chat`` with one Envoy and one proxy. ``true_ms``: the true time that has passed.

    ``wall``, ``redis``, ``proxy``: by how many milliseconds this clock has been set. ``bad``: whether the candidate's
    requests fail. ``decisions``: all decisions with their true times.
    """

    chat: SteeredWorkload
    envoys: MemoryActuator = field(default_factory=lambda: MemoryActuator(1))
    true_ms: int = 0
    wall: int = 0
    redis: int = 0
    proxy: int = 0
    bad: bool = False
    host: str = "host"
    decisions: list[tuple[int, Decision]] = field(default_factory=list)
    _known_redis: int = 0
    _flushed: int = 0
    _last_id_ms: int = 0
    _ticks: int = 0

    def clocks(self) -> ClockReadings:
        now = BEGAN_MS + self.true_ms
        return ClockReadings(self.true_ms, self.host, now + self.wall, now + self._known_redis)

    def begin(self) -> None:
        self.chat.state = replace(self.chat.state, now=SteadyTime.begin(self.clocks()))

    def events(self) -> list[str]:
        return [decision.event for _, decision in self.decisions]

    def at(self, event: str) -> int:
        """Return the true time of the last decision with this event."""
        return max(at for at, decision in self.decisions if decision.event == event)

    def take_over(self, host: str = "host") -> None:
        """Let another leader, on ``host``, continue from the stored state."""
        self.host, self._known_redis = host, self.redis
        self.chat.state = decode(self.chat.spec, json.loads(encode(self.chat.state)), self.clocks())

    def step(self, ms: int) -> list[str]:
        """Let ``ms`` pass, write the proxy's outcomes, and run a tick. Return the events of its decisions."""
        began = self._stamp()
        self.true_ms += ms
        self._ticks += 1
        if self._ticks % ASK_EVERY == 0:
            self._known_redis = self.redis
        now = self.chat.state.now.later_in_term(self.clocks())
        done = tick(self.chat.state, self._news(began), self.envoys.readings(), ALONE, now)
        self.chat.state = done.state
        self.envoys.submit(done.writes)
        self.decisions += [(self.true_ms, decision) for decision in done.decisions]
        return [decision.event for decision in done.decisions]

    def run(self, ms: int, every_ms: int = 250) -> list[str]:
        """Run ticks for ``ms``. Return the events of all decisions."""
        return [event for _ in range(ms // every_ms) for event in self.step(every_ms)]

    def _stamp(self) -> int:
        return BEGAN_MS + self.true_ms + self.proxy

    def _news(self, began: int) -> News:
        """Return the news of a tick: a flush of the proxy, and the score of a pair. Redis' ids never go back (XADD)."""
        self._flushed += 1
        self._last_id_ms = max(self._last_id_ms, BEGAN_MS + self.true_ms + self.redis)
        weight = int(self.envoys.runtime["envoy-0"].get(self.chat.spec.names.candidate, "0"))
        origin = Origin.LIVE if weight else Origin.SHADOW
        candidate = SideOutcomes(Side.CANDIDATE, origin, requests=5, errors=5 * self.bad)
        sides = (candidate, SideOutcomes(Side.BASELINE, Origin.LIVE, requests=5))
        flush = Outcomes("chat", "proxy", self._flushed, began, self._stamp(), sides, arrived_ms=self._last_id_ms)
        name, at_ms = f"pair-{self._flushed}", self._stamp()
        pair = ScoredPair(name, "chat", PairKind.CROSS, at_ms, at_ms, scored=True, agreement=0.97)
        return News(outcomes=(flush,), scored=(pair,), cursors={"outcomes": f"{self._last_id_ms}-{self._flushed}"})
