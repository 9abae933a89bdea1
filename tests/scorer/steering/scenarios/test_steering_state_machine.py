"""Steering as a Hypothesis state machine: random orders of ticks, verdicts, overrides, commands, failures and leaders.

Once everything has been reachable again for a few ticks, every Envoy serves exactly the share of the last decision in
the log. A share rises only by proof or by a person's act, and by proof only after its hold. After an abort or a
rollback without a later command or override, the candidate's weight is that of the rollback. No invalid value raises
the share. The same is true if Envoys get their values by RTDS, with manual overrides above them, and if Redis was
emptied meanwhile.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from glidepath.config import Config, parse_config
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.pair_scores import ScoredPair
from glidepath.pairs import PairKind
from glidepath.sides import Origin, Side
from glidepath.status_and_decisions import Command, CommandKind, Decision, Phase
from scorer.steering.envoy.actuator import MemoryActuator
from scorer.steering.envoy.runtime_values import RuntimeKeys, desired_values
from scorer.steering.ramp.states import RampState
from scorer.steering.store_protocol import News
from scorer.steering.workload.tick import Tick
from scorer.steering.workload.tick_context import TickContext
from tests.support.steered_workload import SteeredWorkload

CONFIG = """
backends:
  cloud: {url: "http://127.0.0.1:9001"}
  onprem: {url: "http://127.0.0.1:9002"}
workloads:
  chat:
    match: {path: /v1}
    baseline: cloud
    candidate: onprem
    ramp:
      {steps: [1, 10, 60], hold: 1s, min_samples: 1, cool_down: 2s, retry: auto, max_retries: 1, validation: 3s,
        unjudged_limit: 100}
"""
HOLD_MS = 1000
WITH_APPROVALS = CONFIG.replace("60]", "60, 80]").replace("unjudged_limit: 100", "unjudged_limit: 10")
CONFIGS: list[Config] = [parse_config(CONFIG), parse_config(WITH_APPROVALS)]
ENVOYS = 3
BY_A_PERSON = {"promote", "approve", "adopt_weights"}
OVERRIDES = [0, 3, 33, 97]  # none of them but 0 is a step, so an adopted share can only be a person's
INVALID_WEIGHTS = [
    ("1000", "9000.0"),
    ("9000", "1000.0"),
    ("99%", "1%"),
    ("99", None),
    (None, "100"),
    (None, "99%"),
    (None, ""),
    ("", None),
    ("0", None),
    (None, "10000"),
    ("0", "0"),
    ("-5", "10005"),
    ("90", "10"),
    ("70000", "30000"),
]
SWITCHES = ["0", "1", "", "false", "ON", "0.0", "maybe", "2"]
ABOVE = "admin"


class Steering(RuleBasedStateMachine):
    """One workload, three Envoys, one stored state, and leaders that begin and crash."""

    def __init__(self) -> None:
        super().__init__()
        self.actuator = MemoryActuator(ENVOYS)
        self.now_ms, self.seq, self.serial = 1_000_000, 0, 0
        self.began_ms = self.now_ms  # when the log began
        self.stored: str | None = None
        self.log: list[Decision] = []
        self.commands: list[Command] = []
        self.outcomes: list[Outcomes] = []
        self.scored: list[ScoredPair] = []
        self.overrides: set[float] = set()
        self.unknown_weights: frozenset[str] = frozenset()
        self.config = CONFIGS[0]
        self.names = RuntimeKeys.of(self.config, "chat")

    @initialize(seconds=st.sampled_from([0, 2, 5, 10]))
    def first_leader(self, seconds: int) -> None:
        self.take_over()
        self.the_candidate_answers_for_a_while(seconds, works=True)

    @rule()
    def take_over(self) -> None:
        """Start a new leader from the stored state; the data that the old leader had only in memory is lost."""
        first_start = bool(self.unknown_weights) and self.stored is None
        self.leader = SteeredWorkload(self.config, now_ms=self.now_ms, first_start=first_start)
        if self.stored is not None:
            self.leader.restore(json.loads(self.stored), self.now_ms)

    def news(self) -> News:
        """Return the stream entries after the leader's cursors (here: counts of entries read)."""
        cursors = self.leader.state.streams.cursors
        at = {name: int(cursor.partition("-")[0]) for name, cursor in cursors.items()}
        return News(
            tuple(self.outcomes[at["outcomes"] :]),
            tuple(self.scored[at["results"] :]),
            tuple(self.commands[at["commands"] :]),
            {
                "outcomes": f"{len(self.outcomes)}-0",
                "results": f"{len(self.scored)}-0",
                "commands": f"{len(self.commands)}-0",
            },
        )

    def tick(self, crash: str = "") -> None:
        self.now_ms += 250
        before = self.leader.state.ramp
        done = self.tick_of_the_leader(
            TickContext(unknown_weights=self.unknown_weights, admin_layers=self.actuator.admin_layers())
        )
        self.check(before, done.decisions)
        if crash == "before the state is stored":
            self.take_over()
            return
        # Most ticks store nothing, and a new leader has only what was stored.
        self.stored = done.record.state or self.stored
        self.log += done.decisions
        if crash == "before the Envoys are written to":
            self.take_over()
            return
        self.actuator.submit(done.writes)

    def tick_of_the_leader(self, context: TickContext) -> Tick:
        return self.leader.tick(self.now_ms, self.actuator.readings(), context, news=self.news())

    @rule(crash=st.sampled_from(["", "", "", "before the state is stored", "before the Envoys are written to"]))
    def one_tick(self, crash: str) -> None:
        self.tick(crash)

    @rule(ms=st.sampled_from([250, 500, 1000, 2000, 4000]))
    def time_passes(self, ms: int) -> None:
        self.now_ms += ms

    @rule(errors=st.sampled_from([0, 0, 4]), origin=st.sampled_from([Origin.LIVE, Origin.SHADOW]))
    def traffic(self, errors: int, origin: Origin) -> None:
        self.seq += 1
        side = SideOutcomes(Side.CANDIDATE, origin, requests=4, errors=errors)
        self.outcomes.append(Outcomes("chat", "x", self.seq, self.now_ms, self.now_ms + 100, (side,)))

    @rule(agreement=st.sampled_from([0.95, 0.95, 0.1]))
    def score(self, agreement: float) -> None:
        self.scored.append(
            ScoredPair("p", "chat", PairKind.CROSS, self.now_ms, self.now_ms, scored=True, agreement=agreement)
        )

    @rule(seconds=st.integers(1, 4), works=st.sampled_from([True, True, True, False]))
    def the_candidate_answers_for_a_while(self, seconds: int, works: bool) -> None:
        """Run ticks with evidence. Without this rule, nearly no example has an automatic step or rollback."""
        for _ in range(4 * seconds):
            origin = Origin.LIVE if self.leader.state.ramp.serving > 0 else Origin.SHADOW
            self.traffic(0 if works else 4, origin)
            self.score(0.95)
            self.tick()

    @rule(kind=st.sampled_from([k for k in CommandKind if k is not CommandKind.ANNOTATE]), force=st.booleans())
    def command(self, kind: CommandKind, force: bool) -> None:
        self.commands.append(Command(kind, "ann", force=force, id=f"{len(self.commands)}-0"))

    @rule(percent=st.sampled_from([None, 0.0, 12.5, 100.0]))
    def command_shadow(self, percent: float | None) -> None:
        self.commands.append(Command(CommandKind.SHADOW, "ann", percent=percent, id=f"{len(self.commands)}-0"))

    @rule(envoy=st.integers(0, ENVOYS - 1), percent=st.sampled_from(OVERRIDES))
    def override_weights(self, envoy: int, percent: int) -> None:
        self.overrides.add(percent)
        values = self.names.write(desired_values(percent, 100, True))
        only = {k: values[k] for k in (self.names.candidate, self.names.baseline)}
        self.actuator.set_runtime(f"envoy-{envoy}", only)

    @rule(envoy=st.integers(0, ENVOYS - 1), value=st.sampled_from(SWITCHES))
    def override_autopilot(self, envoy: int, value: str) -> None:
        self.actuator.set_runtime(f"envoy-{envoy}", {self.names.autopilot: value})

    @rule(envoy=st.integers(0, ENVOYS - 1), weights=st.sampled_from(INVALID_WEIGHTS))
    def override_with_invalid_weights(self, envoy: int, weights: tuple[str | None, str | None]) -> None:
        pairs = zip((self.names.candidate, self.names.baseline), weights, strict=True)
        self.actuator.set_runtime(f"envoy-{envoy}", {key: value for key, value in pairs if value is not None})

    @rule(
        percent=st.sampled_from(OVERRIDES),
        weights=st.sampled_from([*INVALID_WEIGHTS, None]),
        value=st.sampled_from([*SWITCHES, None]),
    )
    def override_above_rtds(
        self, percent: int, weights: tuple[str | None, str | None] | None, value: str | None
    ) -> None:
        """Set a value at an Envoy that gets its values by RTDS and has a configured admin interface."""
        valid = self.names.write(desired_values(percent, 100, True))
        candidate, baseline = weights or (valid[self.names.candidate], valid[self.names.baseline])
        if weights is None:
            self.overrides.add(percent)
        wanted = {self.names.candidate: candidate, self.names.baseline: baseline, self.names.autopilot: value}
        layer = {**self.actuator.layers.get(ABOVE, {}), **{k: v for k, v in wanted.items() if v is not None}}
        self.actuator.layers[ABOVE] = {k: v for k, v in layer.items() if v}

    @rule()
    def redis_and_the_leader_are_lost(self) -> None:
        """Lose the stored state. As with RTDS, the new leader learns which Envoys have weights, but not the weights."""
        self.stored, self.log, self.began_ms = None, [], self.now_ms
        self.commands, self.outcomes, self.scored, self.seq = [], [], [], 0
        self.unknown_weights = frozenset(self.actuator.runtime)
        self.actuator.runtime = {
            envoy: {} for envoy in self.actuator.runtime
        }  # only values that Envoys acknowledged since then are known
        self.take_over()

    @rule(envoy=st.integers(0, ENVOYS - 1))
    def restart(self, envoy: int) -> None:
        self.actuator.restart(f"envoy-{envoy}")

    @rule(envoy=st.integers(0, ENVOYS - 1), cut=st.booleans())
    def network(self, envoy: int, cut: bool) -> None:
        (self.actuator.unreachable.add if cut else self.actuator.unreachable.discard)(f"envoy-{envoy}")

    @rule(envoy=st.integers(0, ENVOYS - 1), gone=st.booleans())
    def membership(self, envoy: int, gone: bool) -> None:
        (self.actuator.absent.add if gone else self.actuator.absent.discard)(f"envoy-{envoy}")

    @rule(which=st.sampled_from([0, 1]))
    def reconfigure(self, which: int) -> None:
        self.config = CONFIGS[which]
        self.take_over()

    @rule()
    def everything_is_reachable_for_a_few_ticks(self) -> None:
        """Check that desired and actual values become equal, and that a rollback reaches its share."""
        self.actuator.unreachable.clear()
        self.actuator.absent.clear()
        for _ in range(4):
            self.tick()
        state = self.leader.state.ramp
        if state.state_lost:
            assert state.phase is Phase.HELD
            self.command(CommandKind.ROLLBACK, force=False)
            for _ in range(4):
                self.tick()
            state = self.leader.state.ramp
            assert not state.state_lost
            assert all(v[self.names.candidate] == "0" for v in self.actuator.runtime.values())
        assert not self.actuator.layers.get(ABOVE)
        if state.drill is None:
            for envoy, values in self.actuator.runtime.items():
                actual = self.names.read(values)
                assert actual == self.leader.state.desired, (envoy, actual, state)
                assert actual.percent == state.percent
        if state.phase in (Phase.ABORTED, Phase.SHADOW) and state.drill is None:
            assert all(v[self.names.candidate] == "0" for v in self.actuator.runtime.values())
        if self.log:
            assert self.log[-1].to_percent == state.percent

    @rule(kind=st.sampled_from([CommandKind.ROLLBACK, CommandKind.ABORT]))
    def rollback_and_abort_always_reach_0(self, kind: CommandKind) -> None:
        """Check that after one command no layer of any Envoy gives the candidate a share."""
        self.actuator.unreachable.clear()
        self.actuator.absent.clear()
        for _ in range(3):
            self.tick()  # overrides until now are older than the command
        self.command(kind, force=False)
        for _ in range(4):
            self.tick()
        assert self.leader.state.ramp.percent == 0
        assert self.leader.state.ramp.drill is None
        assert not self.actuator.layers.get(ABOVE)
        assert all(v[self.names.candidate] == "0" for v in self.actuator.runtime.values())

    def check(self, before: RampState, decisions: tuple[Decision, ...]) -> None:
        """Check that no invalid value raises the candidate's share."""
        seen, ramp = self.leader.state.fleet.observation, self.leader.state.ramp
        if seen.ambiguous_weights and [d.actor for d in decisions] == ["manual_override"] and not ramp.autopilot:
            assert ramp.serving <= before.serving
        for decision in decisions:
            if "not clear" in decision.reason or "changes nothing" in decision.reason:
                assert decision.to_percent <= decision.from_percent, decision
        if seen.adopted is not None and seen.ambiguous_weights:
            assert seen.adopted <= before.serving

    @invariant()
    def the_share_is_0_when_aborted(self) -> None:
        if self.leader.state.ramp.phase in (Phase.ABORTED, Phase.SHADOW):
            assert self.leader.state.ramp.percent == 0

    @invariant()
    def the_log_has_no_gaps_and_shares_rise_only_by_proof_or_by_a_person(self) -> None:
        for before, after in zip(self.log, self.log[1:], strict=False):
            assert after.from_percent == before.to_percent
        for decision in self.log:
            if decision.to_percent > decision.from_percent:
                proof = ("sameness", "pass") in {(v.gate, v.outcome) for v in decision.verdicts}
                assert decision.event in BY_A_PERSON if decision.actor != "glidepath" else proof, decision

    @invariant()
    def no_step_comes_before_its_time(self) -> None:
        since_ms = self.began_ms
        for decision in self.log:
            if decision.event == "promote" and decision.actor == "glidepath":
                assert decision.at_ms - since_ms >= HOLD_MS, decision
            if decision.to_percent != decision.from_percent:
                since_ms = decision.at_ms

    @invariant()
    def only_shares_that_a_person_set_are_adopted(self) -> None:
        clear = {d.to_percent for d in self.log if d.event == "adopt_weights" and "not clear" not in d.reason}
        assert clear <= self.overrides | {0}  # two invalid weights may add up to 0

    @invariant()
    def only_retry_or_a_manual_override_ends_an_abort(self) -> None:
        aborted = False
        for decision in self.log:
            if decision.event == "abort":
                aborted = True
            elif decision.event in ("retry", "adopt_weights"):
                aborted = False
            assert not (aborted and decision.to_percent > 0), decision


Steering.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestSteering = pytest.mark.slow(Steering.TestCase)
