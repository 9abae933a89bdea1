"""Tests that every kind of call with the anthropic client gets the backend's answer, with a split of 50 %."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anthropic
import pytest
from anthropic import AsyncAnthropic

from glidepath.config import Config
from tests.support.anthropic_backend import AnthropicBackend
from tests.support.client_calls import TIMES, Call, Calls
from tests.support.running_system import System, running_system, system_config
from tests.support.waiting import eventually

MODEL: dict[str, Any] = {"model": "m", "max_tokens": 64}
TOOL = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
IMAGE = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": base64.b64encode(bytes(range(256)) * 40).decode()},
}


def user(content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content}]


def message(**body: Any) -> Call:
    return lambda client: client.messages.create(**{**MODEL, **body})


def streamed(**body: Any) -> Call:
    async def call(client: AsyncAnthropic) -> Any:
        async with client.messages.stream(**{**MODEL, **body}) as stream:
            events = [event.model_dump() async for event in stream]
            return events, (await stream.get_final_message()).model_dump()

    return call


THOUGHT = {"type": "thinking", "thinking": "Hm", "signature": "c2ln"}
TURNS = [
    *user("Weather?"),
    {"role": "assistant", "content": [THOUGHT, {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}]},
    *user([{"type": "tool_result", "tool_use_id": "toolu_1", "content": "Sun"}]),
]
KINDS: dict[str, Call] = {
    "a message": message(messages=user("Hello")),
    "a system prompt with a cache mark": message(
        messages=user("Hello"), system=[{"type": "text", "text": "Brief.", "cache_control": {"type": "ephemeral"}}]
    ),
    "parts": message(messages=user([{"type": "text", "text": "Hello"}])),
    "a picture": message(messages=user([IMAGE, {"type": "text", "text": "What is it?"}])),
    "a tool": message(messages=user("Weather?"), tools=[TOOL]),
    "a tool's result": message(messages=TURNS),
    "thinking": message(messages=user("Hello"), thinking={"type": "enabled", "budget_tokens": 1024}),
    "a user": message(messages=user("Hello"), metadata={"user_id": "u1"}),
    "a megabyte": message(messages=user("x" * 2**20)),
    "a beta header": message(messages=user("Hello"), extra_headers={"anthropic-beta": "b-2025-01-01"}),
    "a stream": streamed(messages=user("Hello")),
    "a stream with a tool": streamed(messages=user("Weather?"), tools=[TOOL]),
    "a stream with thinking": streamed(messages=user("Hello"), thinking={"type": "enabled", "budget_tokens": 1024}),
    "a count of tokens": lambda c: c.messages.count_tokens(model="m", messages=user("Hello")),
    "a batch": lambda c: c.messages.batches.retrieve("msgbatch_1"),
    "the models": lambda c: c.models.list(),
    "a faulty request": message(messages=user("bad-request")),
    "no key": message(messages=user("no-key")),
    "no permission": message(messages=user("forbidden")),
    "too large": message(messages=user("too-large")),
    "too many": message(messages=user("busy")),
}


@pytest.fixture
async def calls(tmp_path: Path) -> AsyncIterator[Calls]:
    async with AnthropicBackend() as cloud, AnthropicBackend() as onprem:
        config = everything_on(system_config(tmp_path, cloud.url, onprem.url))
        async with (
            running_system(config, tmp_path, scorer=False) as system,
            AsyncAnthropic(base_url=cloud.url, api_key="k", max_retries=0) as direct,
            AsyncAnthropic(base_url=system.url, api_key="k", max_retries=0) as through,
        ):
            yield Calls(system, cloud, onprem, anthropic, direct, through)


def everything_on(config: Config) -> Config:
    """Return the configuration with all features: a random split of 50 %, a fallback and copies.

    Calls outside the workload go to the baseline.
    """
    data = config.model_dump(mode="json", exclude_unset=True, by_alias=True)
    more = {"start": 50, "fallback": True, "sticky": {"random": True}, "match": {"path": "/v1/messages"}}
    more |= {"ramp": {"steps": [50, 100], "hold": "1h"}, "shadow": {"sample": 100, "same_side": 50, "timeout": "60s"}}
    data["workloads"] = {"chat": data["workloads"]["chat"] | more}
    data["envoy"]["default_backend"] = data["workloads"]["chat"]["baseline"]
    return Config.model_validate(data)


async def test_each_kind_of_call_gets_the_backends_answer(calls: Calls) -> None:
    for kind, call in KINDS.items():
        (direct, *_) = await calls.same(call)
        assert direct, kind
    assert min(calls.cloud.calls, calls.onprem.calls) > 2 * TIMES
    seen: Counter[str] = Counter()
    coverage: dict[str, int] = {}
    await eventually(
        lambda: _paired(calls.system, seen, coverage),
        what=lambda: f"pairs of messages and of streams alone; seen: {seen}, {coverage}",
    )
    outcomes = await calls.same(message(messages=user("slow"), timeout=0.3))
    assert outcomes[-1] == "APITimeoutError"


async def _paired(system: System, seen: Counter[str], coverage: dict[str, int]) -> bool:
    """Count the content types of the pairs in ``seen``, and why requests have no pair in ``coverage``.

    Return whether the types are those of messages and of streams.
    """
    coverage.update(await system.coverage())
    pairs = [pair for pair in await system.pairs() if not pair.id.endswith("~noise")]
    seen.clear()
    seen.update(pair.first.content_type.partition(";")[0] for pair in pairs)
    return set(seen) == {"application/json", "text/event-stream"}
