"""Tests that every kind of call with the openai client gets the backend's answer, with a split in halves."""

from __future__ import annotations

import base64
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI

from glidepath.config import Config
from tests.support.openai_backend import OpenAIBackend
from tests.support.running_system import System, running_system, system_config
from tests.support.waiting import eventually

TOOL = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
PIXEL = "data:image/png;base64," + base64.b64encode(bytes(range(256)) * 40).decode()
TIMES = 6  # with a split in halves, all six calls go to one side with probability 1 in 32, which is harmless
PATHS = {"chat": "/v1/chat/completions", "embed": "/v1/embeddings", "responses": "/v1/responses"}

Call = Callable[[AsyncOpenAI], Awaitable[Any]]


def user(content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content}]


@dataclass(slots=True)
class Calls:
    system: System
    cloud: OpenAIBackend
    onprem: OpenAIBackend

    async def same(
        self, call: Call, transport: type[httpx.AsyncHTTPTransport] | None = None, **client: Any
    ) -> list[Any]:
        """Return the outcome of the call, made directly and several times through Glidepath; all must be equal."""
        outcomes = []
        for url in (self.cloud.url, *[self.system.url] * TIMES):
            if transport is not None:
                client["http_client"] = httpx.AsyncClient(transport=transport())
            async with AsyncOpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0, **client) as openai_client:
                outcomes.append(await outcome(call, openai_client))
        assert outcomes[1:] == outcomes[:1] * TIMES
        return outcomes


async def outcome(call: Call, client: AsyncOpenAI) -> Any:
    """Return the status, the headers that clients read, and the body; or the client's error with the same."""
    try:
        response = await call(client)
    except openai.APIStatusError as error:
        return type(error).__name__, error.status_code, headers_of(error.response), error.body, error.message
    except openai.APITimeoutError as error:
        return type(error).__name__
    return response.status_code, headers_of(response), response.content, response.parse()


def headers_of(response: Any) -> dict[str, str]:
    # Each hop sets the first four itself. Envoy returns the id of a request to which the backend has given none.
    own = ("date", "server", "transfer-encoding", "content-length", "x-request-id")
    return {name.lower(): value for name, value in response.headers.items() if name.lower() not in own}


def everything_on(config: Config) -> Config:
    """Return the configuration with all features: a split in halves, fallback, stickiness, all copies, redaction."""
    data = config.model_dump(mode="json", exclude_unset=True, by_alias=True)
    shadow = {"sample": 100, "same_side": 50, "timeout": "5s", "budget": {"requests": 1000}}
    more = {"shadow": shadow, "ramp": {"steps": [50, 100], "hold": "1h"}, "start": 50, "fallback": True}
    chat = data["workloads"]["chat"] | more
    data["workloads"] = {name: {**chat, "match": {"path": path}} for name, path in PATHS.items()}
    data["redaction"] = {"builtin": ["email", "card"]}
    return Config.model_validate(data)


@pytest.fixture
async def calls(tmp_path: Path) -> AsyncIterator[Calls]:
    async with OpenAIBackend() as cloud, OpenAIBackend() as onprem:
        config = everything_on(system_config(tmp_path, cloud.url, onprem.url))
        async with running_system(config, tmp_path, scorer=False) as system:
            yield Calls(system, cloud, onprem)


class Gzipped(httpx.AsyncHTTPTransport):
    """Sends gzipped bodies, as some clients' gateways do."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = gzip.compress(await request.aread(), mtime=0)
        headers = [(k, v) for k, v in request.headers.raw if k.lower() not in (b"content-length", b"content-encoding")]
        headers += [(b"content-length", str(len(body)).encode()), (b"content-encoding", b"gzip")]
        return await super().handle_async_request(
            httpx.Request(request.method, request.url, headers=headers, content=body, extensions=request.extensions)
        )


async def test_each_kind_of_call_gets_the_backends_answer(calls: Calls) -> None:
    def chat(**body: Any) -> Call:
        return lambda c: c.chat.completions.with_raw_response.create(model="m", **body)

    plain = await calls.same(chat(messages=user("Hello")))
    assert plain[0][3].choices[0].message.content.startswith("I read")
    twice = await calls.same(chat(messages=user("Hello"), n=2))
    assert len(twice[0][3].choices) == 2
    tool = await calls.same(chat(messages=user("Weather?"), tools=[TOOL]))
    assert tool[0][3].choices[0].message.tool_calls[0].function.arguments == '{"city": "Zürich"}'
    await calls.same(chat(messages=user("JSON"), response_format={"type": "json_object"}))
    image = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    await calls.same(chat(messages=user(image)))
    await calls.same(chat(messages=user("x" * 2**20)))
    long = await calls.same(chat(messages=user("at length")))
    assert long[0][1]["content-encoding"] == "gzip"
    await calls.same(lambda c: c.embeddings.with_raw_response.create(model="m", input=["a", "b"]))
    answer = await calls.same(lambda c: c.responses.with_raw_response.create(model="m", input="Hello"))
    assert answer[0][3].output_text.startswith("I read")
    assert min(calls.cloud.calls, calls.onprem.calls) > 9
    await eventually(lambda: _paired(calls.system), what="pairs of all of that")


async def _paired(system: System) -> bool:
    return len([pair for pair in await system.pairs() if not pair.id.endswith("~noise")]) >= 7 * TIMES


async def test_a_stream_has_the_same_events(calls: Calls) -> None:
    async def stream(client: AsyncOpenAI) -> Any:
        options = {"stream": True, "stream_options": {"include_usage": True}}
        create = client.chat.completions.with_streaming_response.create
        async with create(model="m", messages=user("Hello"), **options) as response:
            whole = b"".join([piece async for piece in response.iter_bytes()])
        return Streamed(response, whole)

    (first, *_) = await calls.same(stream)
    assert first[2].endswith(b"data: [DONE]\n\n")


class Streamed:
    """A streamed response with the interface that ``outcome`` uses."""

    def __init__(self, response: Any, whole: bytes) -> None:
        self.status_code, self.headers, self.content = response.status_code, response.headers, whole

    def parse(self) -> None:
        return None


@pytest.mark.parametrize(
    ("said", "error", "status"),
    [("bad-request", "BadRequestError", 400), ("no-key", "AuthenticationError", 401), ("busy", "RateLimitError", 429)],
)
async def test_errors_pass_unchanged_with_the_headers_that_clients_read(
    calls: Calls, said: str, error: str, status: int
) -> None:
    outcomes = await calls.same(lambda c: c.chat.completions.with_raw_response.create(model="m", messages=user(said)))
    assert outcomes[0][:2] == (error, status)
    assert outcomes[-1][2]["retry-after"] == "7"


async def test_a_gzipped_request_gets_the_same_answer(calls: Calls) -> None:
    (first, *_) = await calls.same(
        lambda c: c.chat.completions.with_raw_response.create(model="m", messages=user("Hello")), Gzipped
    )
    assert first[3].choices[0].message.content.startswith("I read")


async def test_a_client_abort_is_not_counted_as_an_error(calls: Calls) -> None:
    outcomes = await calls.same(
        lambda c: c.chat.completions.with_raw_response.create(model="m", messages=user("slow")), timeout=0.3
    )
    assert outcomes[-1] == "APITimeoutError"

    async def aborts() -> int:
        sides = [side for flush in await calls.system.outcomes() for side in flush.sides]
        assert not any(side.errors for side in sides if side.origin == "live")
        return sum(side.client_aborts for side in sides if side.origin == "live")

    async def all_counted() -> bool:
        return await aborts() >= TIMES

    await eventually(all_counted)
