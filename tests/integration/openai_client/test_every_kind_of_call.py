"""Tests that every kind of call with the openai client gets the backend's answer, with a split of 50 %."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import openai
import pytest
from openai import AsyncOpenAI

from glidepath.config import Config
from tests.integration.openai_client.kinds_of_calls import ERRORS, INFERENCE, OTHERS, chat, user
from tests.support.client_calls import TIMES, Calls
from tests.support.openai_backend import OpenAIBackend
from tests.support.running_system import System, running_system, system_config
from tests.support.waiting import eventually

MATCHES = {
    "chat": {"path": "/v1/chat/completions"},
    "embed": {"path": "/v1/embeddings"},
    "responses": {"path": "/v1/responses"},
    "rest": {"path_prefix": "/v1"},
}


def everything_on(config: Config) -> Config:
    """Return the configuration with all features: a split of 50 %, fallback, all copies, redaction."""
    data = config.model_dump(mode="json", exclude_unset=True, by_alias=True)
    shadow = {"sample": 100, "same_side": 50, "timeout": "60s", "budget": {"requests": 1000}}
    more = {"shadow": shadow, "ramp": {"steps": [50, 100], "hold": "1h"}, "start": 50, "fallback": True}
    one = data["workloads"]["chat"] | more
    data["workloads"] = {name: {**one, "match": match} for name, match in MATCHES.items()}
    data["envoy"]["default_backend"] = one["baseline"]
    data["redaction"] = {"builtin": ["email", "card"]}
    return Config.model_validate(data)


def client(url: str, http: httpx.AsyncClient | None = None) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0, http_client=http)


@pytest.fixture
async def calls(tmp_path: Path) -> AsyncIterator[Calls]:
    async with OpenAIBackend() as cloud, OpenAIBackend() as onprem:
        config = everything_on(system_config(tmp_path, cloud.url, onprem.url))
        async with (
            running_system(config, tmp_path, scorer=False) as system,
            client(cloud.url) as direct,
            client(system.url) as through,
        ):
            yield Calls(system, cloud, onprem, openai, direct, through)


class Gzipped(httpx.AsyncHTTPTransport):
    """Sends gzipped bodies, as some clients' gateways do."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = gzip.compress(await request.aread(), mtime=0)
        headers = [(k, v) for k, v in request.headers.raw if k.lower() not in (b"content-length", b"content-encoding")]
        headers += [(b"content-length", str(len(body)).encode()), (b"content-encoding", b"gzip")]
        return await super().handle_async_request(
            httpx.Request(request.method, request.url, headers=headers, content=body, extensions=request.extensions)
        )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # some calls of the client
async def test_each_kind_of_call_gets_the_backends_answer(calls: Calls) -> None:
    found = {kind: (await calls.same(call))[0] for kind, call in INFERENCE.items()}
    assert min(calls.cloud.calls, calls.onprem.calls) > len(INFERENCE)
    await _check_a_gzipped_request(calls)
    await eventually(
        lambda: _paired(calls.system), what="pairs of some of that"
    )  # later, a 429 ends copies for a while
    found |= {kind: (await calls.same(call))[0] for kind, call in (OTHERS | ERRORS).items()}
    assert all(found.values())
    _check_that_answers_are_what_was_asked_for(found)
    await _check_a_conversation_by_websocket(calls)
    await _check_clients_that_leave(calls)


def _check_that_answers_are_what_was_asked_for(found: dict[str, Any]) -> None:
    assert found["a chat"][3]["choices"][0]["message"]["content"].startswith("I read")
    assert len(found["several choices"][3]["choices"]) == 2
    assert found["a tool"][3]["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] == '{"city": "Zürich"}'
    assert found["a long answer, compressed"][1]["content-encoding"] == "gzip"
    assert found["a parsed answer"]["choices"][0]["message"]["parsed"]["answer"].startswith("I read")
    errors = [one for one in found.values() if isinstance(one, tuple) and one[0] in _ERRORS]
    assert [name for name, *_ in errors] == list(_ERRORS)
    assert {headers["retry-after"] for _, _, headers, *_ in errors} == {"7"}  # clients read it


_ERRORS = (
    "BadRequestError",
    "AuthenticationError",
    "PermissionDeniedError",
    "UnprocessableEntityError",
    "RateLimitError",
)


async def _check_a_gzipped_request(calls: Calls) -> None:
    async with (
        client(calls.cloud.url, httpx.AsyncClient(transport=Gzipped())) as direct,
        client(calls.system.url, httpx.AsyncClient(transport=Gzipped())) as through,
    ):
        (first, *_) = await calls.same(chat(messages=user("Hello")), direct, through)
    assert first[3]["choices"][0]["message"]["content"].startswith("I read")


async def _check_a_conversation_by_websocket(calls: Calls) -> None:
    async def talk(url: str) -> list[Any]:
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(f"{url}/v1/realtime?model=m", protocols=("realtime",)) as socket,
        ):
            begun = await socket.receive_json(timeout=60)
            await socket.send_json({"type": "response.create"})
            return [socket.protocol, begun, await socket.receive_json(timeout=60)]

    direct = await talk(calls.cloud.url)
    assert direct[2]["type"] == "response.done"
    assert [await talk(calls.system.url) for _ in range(TIMES)] == [direct] * TIMES


async def _paired(system: System) -> bool:
    return len([pair for pair in await system.pairs() if not pair.id.endswith("~noise")]) >= TIMES


async def _check_clients_that_leave(calls: Calls) -> None:
    """Check that a client's abort is not counted as an error."""
    assert (await calls.same(chat(messages=user("slow"), timeout=0.3)))[-1] == "APITimeoutError"

    async def all_counted() -> bool:
        sides = [side for flush in await calls.system.outcomes() for side in flush.sides if side.origin == "live"]
        return sum(side.client_aborts for side in sides) >= TIMES

    await eventually(all_counted)
    kinds = {kind for flush in await calls.system.outcomes() for side in flush.sides for kind in side.error_kinds}
    assert kinds <= {"http_401", "http_403", "rate_limited", "failover"}  # of the errors that were asked for
