"""A workload whose ticks always raise is shown and announced once, and can be stopped and rolled back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from glidepath.config import Workload, parse_config
from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.pair_scores import AnswerFacts, ScoredPair
from glidepath.pairs import PairKind
from glidepath.sides import Origin, Side
from glidepath.status_and_decisions import Command, CommandKind, Decision, Phase, Verdict, WorkloadStatus, from_json
from scorer.steering.envoy.actuator import MemoryActuator
from scorer.steering.leader.steer_loop import SteerLoop
from scorer.steering.leader.steer_metrics import SteerMetrics
from scorer.steering.ramp.states import RampState
from scorer.steering.steering_interfaces import StepEvidence
from scorer.steering.store_protocol import News, OldCommands, Record, no_cursors
from scorer.steering.workload.lifetime_counts import Totals
from scorer.steering.workload.safe_mode import failed_state, safe_mode_tick
from scorer.steering.workload.tick_context import TickContext
from scorer.steering.workload.workload_state_codec import SCHEMA
from tests.support.scripted_evidence import ScriptedEvidence, ScriptedEvidenceKind
from tests.support.steered_workload import SteeredWorkload, moment
from tests.support.waiting import eventually

CONFIG = """
backends: {cloud: {url: "http://c:1"}, onprem: {url: "http://o:1"}}
workloads:
  chat: {match: {path: /v1/chat}, baseline: cloud, candidate: onprem, ramp: {steps: [5, 25, 100]}}
  mail: {match: {path: /v1/mail}, baseline: cloud, candidate: onprem, ramp: {steps: [5, 25, 100]}}
"""
STORED = {
    "schema": SCHEMA,
    "cursors": no_cursors(),
    "last_written": {},
    "totals": Totals().to_json(),
    "restart": None,
    "seen_flushes": {},
    "clocks": {},
    "old_commands_to": "",
    "now": {"ms": 0, "monotonic_ms": 0, "boot": "", "wall_ms": 0, "redis_ms": 0},
    "evidence": {},
}
CANDIDATE, BASELINE = "glidepath.chat.weight.onprem-or-cloud", "glidepath.chat.weight.cloud"


class BrokenEvidence(ScriptedEvidence):
    def verdicts(self, now_ms: int) -> tuple[Verdict, ...]:
        raise ZeroDivisionError("a bug in the evidence")

    def to_json(self) -> dict[str, Any]:
        raise ZeroDivisionError("and another")


class BrokenChat(ScriptedEvidenceKind):
    """Evidence whose ticks raise. ``worse``: whether creating fresh evidence raises too."""

    def __init__(self, worse: bool = False) -> None:
        self.worse, self.made = worse, 0

    def fresh(
        self, workload: Workload, percent: float, now_ms: int, before: StepEvidence | None = None
    ) -> ScriptedEvidence:
        if workload.match.path != "/v1/chat":
            return ScriptedEvidence(percent)
        self.made += 1
        if self.worse and self.made > 1:
            raise ZeroDivisionError("and a third one")
        return BrokenEvidence(percent)

    def from_json(self, workload: Workload, raw: dict[str, Any]) -> ScriptedEvidence:
        return self.fresh(workload, 0, 0)


class HeldLease:
    owner, duration, fence = "me", 60, 1

    def held(self) -> bool:
        return True

    async def acquire(self) -> bool:
        return True

    async def renew(self) -> bool:
        return True

    def drop(self) -> None: ...

    def next_try_s(self) -> float:
        return self.duration / 4

    async def release(self) -> None: ...


class MemorySteeringStore:
    """A store in memory. It returns the commands in ``waiting`` once."""

    def __init__(self, stored: Mapping[str, Any]) -> None:
        self.stored: Mapping[str, Any] = stored
        self.status: dict[str, WorkloadStatus] = {}
        self.log: list[Decision] = []
        self.waiting: list[Command] = []

    async def load(self, workload: str) -> Mapping[str, Any] | None:
        return self.stored if workload == "chat" else None

    async def set_aside(self, workload: str, now_ms: int) -> OldCommands:
        return OldCommands()

    async def news(self, cursors: Any, block_ms: int) -> Mapping[str, News]:
        await asyncio.sleep(0)
        commands, self.waiting = tuple(self.waiting), []
        return {"chat": News(commands=commands)} if commands else {}

    async def write(self, fence: int, records: Mapping[str, Record]) -> Mapping[str, Exception]:
        for name, record in records.items():
            self.log += record.decisions
            if record.status is not None:
                self.status[name] = from_json(WorkloadStatus, record.status)
            if name == "chat" and record.state is not None:
                self.stored = json.loads(record.state)
        return {}

    async def clocks_ms(self, workloads: Any) -> Mapping[str, int]:
        return {}

    def send(self, kind: CommandKind) -> None:
        self.waiting.append(Command(kind, "ann", id=f"{len(self.log)}-0"))

    def logged(self, event: str) -> list[Decision]:
        return [d for d in self.log if d.event == event and d.workload == "chat"]


@asynccontextmanager
async def failing(worse: bool) -> AsyncIterator[tuple[MemorySteeringStore, MemoryActuator, CollectorRegistry]]:
    state = RampState(Phase.BAKING, 25, since_ms=1, entered_ms=1)
    async with steering({**STORED, "ramp": state.to_json()}, BrokenChat(worse)) as parts:
        yield parts


@asynccontextmanager
async def steering(
    stored: Mapping[str, Any], kind: ScriptedEvidenceKind
) -> AsyncIterator[tuple[MemorySteeringStore, MemoryActuator, CollectorRegistry]]:
    store, envoys, registry, stop = MemorySteeringStore(stored), MemoryActuator(2), CollectorRegistry(), asyncio.Event()
    for envoy in envoys.runtime:
        envoys.set_runtime(envoy, {CANDIDATE: "2500", BASELINE: "7500"})
    metrics = SteerMetrics(registry)
    loop = SteerLoop(parse_config(CONFIG), store, HeldLease(), lambda _: envoys, kind, metrics)  # type: ignore[arg-type]
    async with asyncio.TaskGroup() as group:
        group.create_task(loop.run(stop))
        yield store, envoys, registry
        stop.set()


def weights(envoys: MemoryActuator, name: str = "chat") -> set[str]:
    return {values.get(f"glidepath.{name}.weight.onprem-or-cloud", "") for values in envoys.runtime.values()}


@pytest.mark.slow
@pytest.mark.parametrize("worse", [False, True])
async def test_the_failure_is_shown_counted_and_announced_once_and_other_workloads_go_on(worse: bool) -> None:
    async with failing(worse) as (store, envoys, registry):

        def ticks() -> float:
            return registry.get_sample_value("glidepath_steer_errors_total", {"workload": "chat"}) or 0

        await eventually(lambda: ticks() > 3)
        status = store.status["chat"]
        assert "internal error, weights stay: ZeroDivisionError" in status.message
        assert "no guard acts" in status.message
        assert "`glidepath rollback chat` and `glidepath abort chat` still work" in status.message
        assert (status.phase, status.percent, status.envoys) == ("baking", 25, 2)
        assert [d.trigger for d in store.logged("tick_failed")] == ["tick_failed"]
        assert weights(envoys) == {"2500"}
        await eventually(lambda: weights(envoys, "mail") == {"0"})
        assert "internal error" not in store.status["mail"].message


@pytest.mark.slow
@pytest.mark.parametrize("worse", [False, True])
@pytest.mark.parametrize("kind", [CommandKind.ROLLBACK, CommandKind.ABORT])
async def test_a_rollback_or_abort_by_a_person_reaches_the_envoys_and_lasts(worse: bool, kind: CommandKind) -> None:
    async with failing(worse) as (store, envoys, _):
        await eventually(lambda: store.logged("tick_failed"))
        store.send(CommandKind.PROMOTE)
        await eventually(lambda: store.logged("refused"))
        assert weights(envoys) == {"2500"}
        store.send(kind)
        await eventually(lambda: weights(envoys) == {"0"})
        assert [d.to_percent for d in store.logged(kind.value)] == [0]
        assert store.stored["ramp"]["percent"] == 0
        envoys.restart("envoy-1")
        await eventually(lambda: weights(envoys) == {"0"})
        await eventually(lambda: store.status["chat"].confirmed == 2)


async def test_a_workload_with_an_unreadable_state_is_held_and_the_envoys_weights_stay() -> None:
    async with steering({**STORED, "ramp": "no state"}, ScriptedEvidenceKind()) as (store, envoys, _):
        await eventually(lambda: store.logged("adopt_weights"))
        hold = store.logged("hold")[0]
        assert (hold.trigger, hold.actor) == ("state_lost", "glidepath")
        assert "the stored state of chat cannot be read" in hold.reason
        assert (store.status["chat"].phase, store.status["chat"].percent) == ("held", 25)
        assert weights(envoys) == {"2500"}
        store.send(CommandKind.ROLLBACK)
        await eventually(lambda: weights(envoys) == {"0"})


@pytest.mark.slow
async def test_a_weight_of_0_that_a_person_sets_is_kept() -> None:
    async with failing(worse=False) as (store, envoys, registry):
        await eventually(lambda: store.logged("tick_failed"))
        for envoy in envoys.runtime:
            envoys.set_runtime(envoy, {CANDIDATE: "0", BASELINE: "10000"})
        before = registry.get_sample_value("glidepath_steer_errors_total", {"workload": "chat"}) or 0
        await eventually(
            lambda: (registry.get_sample_value("glidepath_steer_errors_total", {"workload": "chat"}) or 0) > before + 3
        )
        assert weights(envoys) == {"0"}


@pytest.mark.slow
@pytest.mark.parametrize("stored", [{**STORED, "schema": SCHEMA + 1}, {"ramp": {"phase": "baking", "percent": 25}}])
async def test_a_state_of_another_schema_is_discarded_and_the_workload_starts_at_the_baseline(
    stored: Mapping[str, Any],
) -> None:
    with capture_logs() as logs:
        async with steering(stored, ScriptedEvidenceKind()) as (store, envoys, _):
            await eventually(lambda: weights(envoys) == {"0"})
            await eventually(lambda: store.status["chat"].confirmed == 2)
            envoys.set_runtime("envoy-0", {CANDIDATE: "300", BASELINE: "9700"})  # an override after that is a person's
            await eventually(lambda: store.logged("adopt_weights"))
    (discarded,) = store.logged("state_discarded")
    assert "the state of chat was stored by" in discarded.reason
    assert "the workload starts at the baseline" in discarded.reason
    assert discarded.trigger == "state_schema"
    assert [d.event for d in store.log if d.workload == "chat"] == ["state_discarded", "adopt_weights"]
    assert [line["workload"] for line in logs if line["event"] == "state_discarded"] == ["chat"]


async def test_the_status_says_why_the_workload_starts_at_the_baseline() -> None:
    async with steering({"schema": "other"}, ScriptedEvidenceKind()) as (store, _, _):
        await eventually(lambda: "chat" in store.status)
        status = store.status["chat"]
        assert (status.phase, status.percent) == ("shadow", 0)
        assert status.message.startswith(
            "the state of chat was stored by a checkout with schema 'other'; this one reads"
        )


@pytest.mark.parametrize("kind", [CommandKind.HOLD, CommandKind.ROLLBACK])
def test_a_flush_that_raises_is_passed_over_and_the_commands_beside_it_are_carried_out(
    valid_yaml: str, kind: CommandKind
) -> None:
    chat = SteeredWorkload(parse_config(valid_yaml))
    chat.set_ramp(phase=Phase.BAKING, percent=10)
    poison = Outcomes("chat", "poison", 1, 2000, 2001)
    news = News(outcomes=(poison,), commands=(Command(kind, "ann", id="1-0"),), cursors={"outcomes": "7-0"})
    with pytest.raises(ZeroDivisionError):
        chat.tick(3000, news=news)
    done = safe_mode_tick(failed_state(chat.state, news, "a bug", moment(3000)), {}, TickContext())
    assert [d.event for d in done.decisions] == ["tick_failed", kind.value]
    assert done.state.streams.cursors["outcomes"] == "7-0"
    assert done.state.streams.commands == ()
    assert json.loads(done.record.state or "")["cursors"]["outcomes"] == "7-0"


def test_after_a_failed_tick_the_step_stays_and_guards_act_on_fresh_evidence(valid_yaml: str) -> None:
    chat = SteeredWorkload(parse_config(valid_yaml))
    chat.set_ramp(phase=Phase.BAKING, percent=10)
    news = News(outcomes=(Outcomes("chat", "poison", 1, 2000, 2001),))
    chat.state = safe_mode_tick(failed_state(chat.state, news, "a bug", moment(3000)), {}, TickContext()).state
    ramp = chat.state.ramp
    assert (ramp.percent, ramp.since_ms, chat.state.evidence.requests()) == (10, 3000, 0)
    assert chat.decisions(3250) == ()
    failures = (SideOutcomes(Side.CANDIDATE, Origin.LIVE, requests=5, errors=5),)
    failing = News(outcomes=(Outcomes("chat", "x", 1, 3500, 3501, failures),))
    assert [d.event for d in chat.decisions(3600, news=failing)] == ["rollback"]
    assert chat.state.problem == ""


def news_whose_evidence_raises() -> News:
    flushes = (
        Outcomes("chat", "x", 1, 2000, 2001, coverage={"paired": 5}),
        Outcomes("chat", "poison", 1, 2000, 2001, coverage={"paired": 2}),
        Outcomes("chat", "x", 1, 2000, 2001, coverage={"paired": 5}),  # a repeat
        Outcomes("chat", "x", 2, 2001, 2002, coverage={"paired": 1}),
    )
    ok = AnswerFacts(status=200)
    pair = ScoredPair("p", "chat", PairKind.CROSS, 2000, 2000, scored=True, agreement=0.9, baseline=ok, candidate=ok)
    unscored = replace(pair, pair_id="q", scored=False, agreement=None, unscored_reason="too_long")
    return News(outcomes=flushes, scored=(pair, unscored), cursors={"outcomes": "7-0"}, bad=3)


def test_the_news_of_a_failed_tick_is_counted_once_without_being_evidence(valid_yaml: str) -> None:
    chat = SteeredWorkload(parse_config(valid_yaml))
    chat.set_ramp(phase=Phase.BAKING, percent=10)
    news = news_whose_evidence_raises()
    with pytest.raises(ZeroDivisionError):
        chat.tick(3000, news=news)
    done = safe_mode_tick(failed_state(chat.state, news, "a bug", moment(3000)), {}, TickContext())
    totals = done.state.totals
    assert (totals.coverage, totals.bad_records, totals.pairs_scored) == ({"paired": 8}, 3, 1)
    assert totals.pairs_unscored == {"too_long": 1}
    assert done.state.evidence.requests() == 0
    assert done.state.evidence.agreement() is None
    chat.restore(json.loads(done.record.state or ""), 3250)
    chat.fold(replace(news, outcomes=news.outcomes[2:], scored=(), bad=0))  # flushes that were written again
    assert chat.state.totals == totals


def test_a_failure_in_the_news_of_a_failed_tick_is_not_forgotten(valid_yaml: str) -> None:
    chat = SteeredWorkload(parse_config(valid_yaml))
    failures = (SideOutcomes(Side.CANDIDATE, Origin.SHADOW, requests=5, errors=5),)
    news = News(outcomes=(Outcomes("chat", "poison", 1, 2000, 2001, failures),))
    assert failed_state(chat.state, news, "a bug", moment(3000)).recent.candidate_failed


def test_a_record_that_cannot_be_counted_is_counted_as_a_bad_one_and_the_rest_is_counted(valid_yaml: str) -> None:
    chat = SteeredWorkload(parse_config(valid_yaml))
    broken: Any = "no flush sides"
    flushes = (Outcomes("chat", "x", 1, 2000, 2001, broken), Outcomes("chat", "x", 2, 2000, 2001, coverage={"a": 1}))
    failed = failed_state(chat.state, News(outcomes=flushes, cursors={"outcomes": "7-0"}), "a bug", moment(3000))
    assert (failed.totals.bad_records, failed.totals.coverage) == (1, {"a": 1})
    assert failed.streams.cursors["outcomes"] == "7-0"
