"""A backend with the parts of the OpenAI API that clients use: equal requests get equal answers."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import zlib
from typing import Any

from aiohttp import web

from glidepath.timed_wait import wait_until_set

ERRORS = {
    "bad-request": (400, {"message": "messages: too long", "type": "invalid_request_error", "code": "context_length"}),
    "no-key": (401, {"message": "Incorrect API key", "type": "invalid_request_error", "code": "invalid_api_key"}),
    "busy": (429, {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}),
}


class OpenAIBackend:
    """The backend: ``async with OpenAIBackend() as backend``. The last user message selects errors and delays."""

    def __init__(self) -> None:
        self.calls = 0
        self.port = 0
        self._ending = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> OpenAIBackend:
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/v1/{name:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ending.set()
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.calls += 1
        raw = await request.read()  # aiohttp has decoded a content-encoding
        body = json.loads(raw)
        body.pop("model")  # each side has its own model name
        name = request.match_info["name"]
        if name == "embeddings":
            return self._reply(request, _embeddings(body))
        if name == "responses":
            return self._reply(request, _responses(body))
        said = str(body["messages"][-1]["content"])
        if said in ERRORS:
            status, error = ERRORS[said]
            headers = {"retry-after": "7", "x-ratelimit-remaining-requests": "0", "x-request-id": "req_fixed"}
            return web.json_response({"error": error}, status=status, headers=headers)
        if said == "slow":
            await wait_until_set(self._ending, 3)
        return await self._stream(request, body) if body.get("stream") else self._reply(request, _chat(body))

    def _reply(self, request: web.Request, answer: dict[str, Any]) -> web.Response:
        data, headers = json.dumps(answer).encode(), {"x-backend-region": "eu-1"}
        if "gzip" in request.headers.get("accept-encoding", "") and len(data) > 1000:
            data, headers = gzip.compress(data, mtime=0), {**headers, "content-encoding": "gzip"}
        return web.Response(body=data, content_type="application/json", headers=headers)

    async def _stream(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        text = _text(body)
        deltas = [{"content": text[i : i + 7]} for i in range(0, len(text), 7)]
        for delta in [{"role": "assistant", "content": ""}, *deltas, {}]:
            choice = {"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}
            await response.write(_event({**_FRAME, "object": "chat.completion.chunk", "choices": [choice]}))
        usage = {"prompt_tokens": 5, "completion_tokens": 9, "total_tokens": 14}
        await response.write(_event({**_FRAME, "object": "chat.completion.chunk", "choices": [], "usage": usage}))
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response


_FRAME = {"id": "chatcmpl-1", "created": 1_700_000_000, "model": "the-model"}


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def _text(body: dict[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    return f"I read {len(json.dumps(body))} bytes, {digest[:12]} — naïve ✓."


def _chat(body: dict[str, Any]) -> dict[str, Any]:
    choices = [_choice(body, index) for index in range(body.get("n", 1))]
    usage = {"prompt_tokens": 5, "completion_tokens": 9, "total_tokens": 14}
    return {**_FRAME, "object": "chat.completion", "choices": choices, "usage": usage}


def _choice(body: dict[str, Any], index: int) -> dict[str, Any]:
    if body.get("tools"):
        call = {"name": body["tools"][0]["function"]["name"], "arguments": '{"city": "Zürich"}'}
        calls = [{"id": "call_1", "type": "function", "function": call}]
        message: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": calls}
        return {"index": index, "message": message, "finish_reason": "tool_calls"}
    text = f"{_text(body)} #{index}"
    if body.get("response_format"):
        text = json.dumps({"answer": text})
    if body["messages"][-1]["content"] == "at length":
        text = text + " and so on" * 400
    return {"index": index, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}


def _embeddings(body: dict[str, Any]) -> dict[str, Any]:
    inputs = body["input"] if isinstance(body["input"], list) else [body["input"]]
    vectors = [[zlib.crc32(f"{text}/{i}".encode()) / 2**32 for i in range(64)] for text in inputs]
    data = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)]
    usage = {"prompt_tokens": 2, "total_tokens": 2}
    return {"object": "list", "data": data, "model": "the-model", "usage": usage}


def _responses(body: dict[str, Any]) -> dict[str, Any]:
    part = {"type": "output_text", "text": _text(body), "annotations": []}
    message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": "completed",
        "model": "the-model",
        "output": [message],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }
