"""A conversation that changes its side contains reasoning and ids of the other server; no client notices this."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from extproc.access_log_tag_values import stripped_request
from extproc.outcome_classification import RequestOutcome, classify
from extproc.workloads import build_workloads
from glidepath import envoy_names, runtime_keys
from glidepath.sides import Side
from tests.support.envoy_collector import Collector
from tests.support.running_envoy import RunningEnvoy, running_envoy
from tests.support.signing_backend import SigningBackend
from tests.support.waiting import eventually

PATH = "/v1/messages"
USERS, TURNS = 50, 20
STRIP = {"foreign_reasoning": "strip"}


@dataclass
class Setup:
    cloud: SigningBackend
    onprem: SigningBackend
    envoy: RunningEnvoy
    collector: Collector
    session: aiohttp.ClientSession

    def set_share(self, percent: float) -> None:
        config, points = self.envoy.config, round(percent * 100)
        baseline = runtime_keys.FULL_WEIGHT - points
        self.envoy.modify(
            {
                runtime_keys.weight_key("chat", config.candidate_cluster("chat")): points,
                runtime_keys.weight_key("chat", config.baseline_cluster("chat")): baseline,
            }
        )


@asynccontextmanager
async def signing(
    folder: Path,
    *,
    cloud: Mapping[str, Any] = STRIP,
    onprem: Mapping[str, Any] = STRIP,
    url_path: str = "",
    **chat: Any,
) -> AsyncIterator[Setup]:
    socket = folder / "extproc.sock"
    async with (
        SigningBackend("cloud") as one,
        SigningBackend("onprem") as two,
        Collector(socket) as collector,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session,
    ):
        config = {
            "extproc": {"listen": f"unix:{socket}"},
            "backends": {
                "cloud": {"url": one.url + url_path, **cloud},
                "onprem": {"url": two.url, "model": "m", **onprem},
            },
            "workloads": {
                "chat": {"match": {"path": PATH}, "baseline": "cloud", "candidate": "onprem", **chat},
            },
        }
        with running_envoy(yaml.safe_dump(config), folder) as envoy:
            yield Setup(one, two, envoy, collector, session)


@dataclass
class Conversation:
    number: int
    turns: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    sides: list[str] = field(default_factory=list)

    async def turn(self, setup: Setup) -> None:
        self.turns.append({"role": "user", "content": self._next()})
        body = {
            "model": "claude",
            "max_tokens": 2000,
            "thinking": {"type": "enabled", "budget_tokens": 1024},
            "system": f"You help customer {self.number}.",
            "messages": self.turns,
        }
        async with setup.session.post(setup.envoy.live + PATH, json=body) as reply:
            answer = json.loads(await reply.read())
            self.statuses.append(reply.status)
        if reply.status == 200:
            self.sides.append(answer["model"])
            self.turns.append({"role": "assistant", "content": answer["content"]})
        else:
            self.turns.pop()

    def _next(self) -> Any:
        last = self.turns[-1]["content"][-1] if self.turns else {}
        if last.get("type") == "tool_use":
            return [{"type": "tool_result", "tool_use_id": last["id"], "content": "42"}]
        return f"Question {len(self.turns)} of customer {self.number}"


async def play(setup: Setup, conversations: list[Conversation], turns: int) -> None:
    for _ in range(turns):
        await asyncio.gather(*(one.turn(setup) for one in conversations))


async def through_the_ramp(setup: Setup, users: int = USERS) -> list[Conversation]:
    """Return conversations of 20 turns through two steps, a time in which the candidate fails, and a rollback."""
    conversations = [Conversation(number) for number in range(users)]
    for percent, turns in ((0, 3), (50, 4), (100, 3)):
        setup.set_share(percent)
        await play(setup, conversations, turns)
    setup.onprem.fails = True
    await play(setup, conversations, 3)
    setup.onprem.fails = False
    await play(setup, conversations, 3)
    setup.set_share(0)
    await play(setup, conversations, 4)
    return conversations


async def test_twenty_turns_through_a_ramp_a_rescue_and_a_rollback_have_no_client_error(tmp_path: Path) -> None:
    async with signing(tmp_path) as setup:
        conversations = await through_the_ramp(setup)
        assert {status for one in conversations for status in one.statuses} == {200}
        assert all(len(one.statuses) == TURNS for one in conversations)
        for one in conversations:
            assert set(one.sides[:3]) == set(one.sides[10:13]) == set(one.sides[16:]) == {"cloud"}
            assert set(one.sides[7:10]) == {"onprem"}
            assert len(set(one.sides[3:7])) == 1  # no change within a step
            assert one.sides[13:16] == ["onprem"] * 3  # after the rescue, each is back at its side
        assert setup.cloud.refusals  # the first attempt after the rollback had the candidate's reasoning
        assert setup.onprem.refusals == []
        texts = json.dumps(setup.cloud.bodies[-1]["messages"])
        assert "Answer" in texts  # the conversation itself stays


async def test_without_the_declaration_the_baseline_refuses_the_conversations_after_the_rollback(
    tmp_path: Path,
) -> None:
    accepts = {"foreign_reasoning": "accepts"}
    async with signing(tmp_path, cloud=accepts, onprem=STRIP) as setup:
        conversations = await through_the_ramp(setup, users=5)
    assert {status for one in conversations for status in one.statuses[16:]} == {400}


async def test_the_baseline_keeps_its_own_reasoning_while_nothing_moves(tmp_path: Path) -> None:
    async with signing(tmp_path) as setup:
        setup.set_share(0)
        conversations = [Conversation(number) for number in range(3)]
        await play(setup, conversations, 6)
        assert {status for one in conversations for status in one.statuses} == {200}
        assert (setup.cloud.refusals, setup.onprem.bodies) == ([], [])
        assert all("thinking" in body for body in setup.cloud.bodies)
        assert "cloud-1" in json.dumps(setup.cloud.bodies[-1]["messages"])


async def test_a_candidate_without_fallback_is_asked_again_too(tmp_path: Path) -> None:
    async with signing(tmp_path, fallback=False) as setup:
        conversations = [Conversation(number) for number in range(4)]
        for percent in (0, 100, 0):
            setup.set_share(percent)
            await play(setup, conversations, 3)
        assert {status for one in conversations for status in one.statuses} == {200}


@pytest.mark.parametrize("prefix", ["", "/base"])
async def test_a_second_attempt_has_the_path_and_the_length_of_the_first(tmp_path: Path, prefix: str) -> None:
    async with signing(tmp_path, url_path=prefix) as setup:
        turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": [THOUGHT, TEXT]}]
        body = {"model": "claude", "messages": [*turns, {"role": "user", "content": "b"}]}
        setup.set_share(0)
        async with setup.session.post(setup.envoy.live + PATH, json=body) as reply:
            assert reply.status == 200
        assert len(setup.cloud.refusals) == 1
        assert setup.cloud.paths == [prefix + PATH] * 2
        assert setup.cloud.bodies[-1]["messages"][1]["content"] == [TEXT]
        workloads = build_workloads(setup.envoy.config)
        log = setup.collector.entries.setdefault(envoy_names.LIVE_LOG, [])
        await eventually(lambda: bool(log))
        (entry,) = log
        assert stripped_request(entry, workloads) == ("chat", "cloud")
        outcome = classify(entry, workloads, shadow=False)
        assert isinstance(outcome, RequestOutcome)
        assert (outcome.side, outcome.error, outcome.refused) == (Side.BASELINE, "", False)


THOUGHT = {"type": "thinking", "thinking": "Hm", "signature": "onprem-1"}
TEXT = {"type": "text", "text": "Hi"}


async def test_a_request_that_is_faulty_for_another_reason_is_refused(tmp_path: Path) -> None:
    async with signing(tmp_path) as setup:
        setup.set_share(0)
        turns = [{"role": "assistant", "content": [THOUGHT, TEXT]}, {"role": "user", "content": []}]
        async with setup.session.post(setup.envoy.live + PATH, json={"model": "claude", "messages": turns}) as reply:
            assert reply.status == 400
        assert setup.cloud.refusals[-1] == "all messages must have non-empty content"
