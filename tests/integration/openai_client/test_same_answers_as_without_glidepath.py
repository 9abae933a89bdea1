"""Tests that the openai client gets the same bytes through Glidepath and directly from the backend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from openai import AsyncOpenAI, OpenAI

from tests.support.client_traffic import has_pairs
from tests.support.recording_backend import Recorder
from tests.support.running_system import System, running_system, system_config
from tests.support.waiting import eventually

MESSAGES = [{"role": "user", "content": "Who are you?"}]


@dataclass(slots=True)
class Sides:
    """The two servers for the same question: Envoy with Glidepath, and the backend itself."""

    system: System
    cloud: Recorder
    onprem: Recorder

    @property
    def urls(self) -> tuple[str, str]:
        return f"{self.system.url}/v1", f"{self.cloud.url}/v1"


@pytest.fixture
async def sides(tmp_path: Path) -> AsyncIterator[Sides]:
    async with Recorder("cloud") as cloud, Recorder("onprem") as onprem:
        config = system_config(tmp_path, cloud.url, onprem.url)
        async with running_system(config, tmp_path, scorer=False) as system:
            yield Sides(system, cloud, onprem)


async def test_an_async_answer_is_the_same_with_and_without_glidepath(sides: Sides) -> None:
    raw = []
    for url in sides.urls:
        async with AsyncOpenAI(base_url=url, api_key="k", max_retries=0) as client:
            response = await client.chat.completions.with_raw_response.create(model="m", messages=MESSAGES)
            assert response.parse().choices[0].message.content == "I am cloud."
            raw.append(response.content)
    assert raw[0] == raw[1]


async def test_a_stream_is_the_same_with_and_without_glidepath(sides: Sides) -> None:
    sides.cloud.behaviour = sides.onprem.behaviour = "sse"
    raw = []
    for url in sides.urls:
        async with AsyncOpenAI(base_url=url, api_key="k", max_retries=0) as client:
            stream = await client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
            assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == "I am cloud. Truly."
            create = client.chat.completions.with_streaming_response.create
            async with create(model="m", messages=MESSAGES, stream=True) as response:
                raw.append(await response.read())
    assert raw[0] == raw[1]


async def test_a_sync_answer_is_the_same_with_and_without_glidepath(sides: Sides) -> None:
    def ask(url: str) -> bytes:
        with OpenAI(base_url=url, api_key="k", max_retries=0) as client:
            response = client.chat.completions.with_raw_response.create(model="m", messages=MESSAGES)
            assert response.parse().choices[0].message.content == "I am cloud."
            return response.content

    raw = [await asyncio.to_thread(ask, url) for url in sides.urls]
    assert raw[0] == raw[1]


async def test_each_side_gets_its_own_model_and_the_pair_holds_both_answers(sides: Sides) -> None:
    async with AsyncOpenAI(base_url=sides.urls[0], api_key="clients-own", max_retries=0) as client:
        await client.chat.completions.create(model="whatever", messages=MESSAGES)
    await eventually(lambda: has_pairs(sides.system, 1))
    (pair,) = await sides.system.pairs()
    assert (sides.cloud.last.model, sides.onprem.last.model) == ("m-cloud", "m-on")
    assert b"I am cloud." in pair.baseline.body
    assert b"I am onprem." in pair.candidate.body
    assert pair.baseline.status == pair.candidate.status == 200
    assert pair.baseline.total_ms > 0
    assert pair.candidate.total_ms > 0
    assert sides.cloud.last.headers["authorization"] == "Bearer clients-own"
    assert "authorization" not in sides.onprem.last.headers
    assert b"clients-own" not in repr(pair).encode()
