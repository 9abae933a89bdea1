"""A backend with the parts of Anthropic's API that Anthropic's client uses. Equal requests get equal answers."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from aiohttp import web

from tests.support.api_backend import ApiBackend

KINDS_OF_ERRORS = {
    "bad-request": (400, "invalid_request_error"),
    "no-key": (401, "authentication_error"),
    "forbidden": (403, "permission_error"),
    "too-large": (413, "request_too_large"),
    "busy": (429, "rate_limit_error"),
}
HEADERS = {"retry-after": "7", "request-id": "req_1"}


def _error(said: str, kind: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": said}, "request_id": "req_1"}


class AnthropicBackend(ApiBackend):
    """The server. The text of the last user message selects errors and delays."""

    def __init__(self) -> None:
        refusals = {said: (status, _error(said, kind)) for said, (status, kind) in KINDS_OF_ERRORS.items()}
        super().__init__(refusals, HEADERS)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_post("/v1/messages", self._messages)
        router.add_route("*", "/v1/{name:.*}", self._other)

    async def _other(self, request: web.Request) -> web.StreamResponse:
        """Answer the calls that are not inference: count tokens, list models, and serve batches."""
        body = await request.read()
        name = request.match_info["name"]
        if name == "messages/count_tokens":
            return web.json_response({"input_tokens": len(body)})
        if name == "models":
            model = {"id": "the-model", "type": "model", "display_name": "M", "created_at": "2025-01-01T00:00:00Z"}
            return web.json_response({"data": [model], "has_more": False, "first_id": "a", "last_id": "a"})
        counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
        batch = {"id": "msgbatch_1", "type": "message_batch", "processing_status": "ended", "request_counts": counts}
        return web.json_response({**batch, "created_at": "2025-01-01T00:00:00Z", "expires_at": "2025-01-02T00:00:00Z"})

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        self.calls += 1
        body = json.loads(await request.read())
        body.pop("model")  # each side has its own model name
        refused = await self.refusal(str(body["messages"][-1]["content"]))
        if refused is not None:
            return refused
        message = _message(body)
        if not body.get("stream"):
            return web.json_response(message, headers={"request-id": "req_1"})
        return await self._stream(request, message)

    async def _stream(self, request: web.Request, message: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        begun = {**message, "content": [], "stop_reason": None, "usage": {"input_tokens": 5, "output_tokens": 1}}
        await _send(response, "message_start", {"message": begun})
        await _send(response, "ping", {})
        for index, block in enumerate(message["content"]):
            await self._block(response, index, block)
        delta = {"delta": {"stop_reason": message["stop_reason"], "stop_sequence": None}, "usage": {"output_tokens": 9}}
        await _send(response, "message_delta", delta)
        await _send(response, "message_stop", {})
        await response.write_eof()
        return response

    async def _block(self, response: web.StreamResponse, index: int, block: dict[str, Any]) -> None:
        kind = block["type"]
        empty = {"text": {"text": ""}, "thinking": {"thinking": "", "signature": ""}, "tool_use": {"input": {}}}[kind]
        await _send(response, "content_block_start", {"index": index, "content_block": {**block, **empty}})
        deltas = {
            "text": [{"type": "text_delta", "text": block.get("text", "")[at : at + 7]} for at in range(0, 40, 7)],
            "thinking": [
                {"type": "thinking_delta", "thinking": block.get("thinking", "")},
                {"type": "signature_delta", "signature": block.get("signature", "")},
            ],
            "tool_use": [{"type": "input_json_delta", "partial_json": json.dumps(block.get("input"))}],
        }[kind]
        for delta in deltas:
            await _send(response, "content_block_delta", {"index": index, "delta": delta})
        await _send(response, "content_block_stop", {"index": index})


async def _send(response: web.StreamResponse, kind: str, data: dict[str, Any]) -> None:
    await response.write(f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode())


def _message(body: dict[str, Any]) -> dict[str, Any]:
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    content: list[dict[str, Any]] = [{"type": "text", "text": f"I read {digest[:20]} — naïve ✓."}]
    if body.get("thinking"):
        content.insert(0, {"type": "thinking", "thinking": "Hm", "signature": "c2ln"})
    stop = "end_turn"
    if body.get("tools"):
        content, stop = (
            [{"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Zürich"}}],
            "tool_use",
        )
    usage = {"input_tokens": 5, "output_tokens": 9, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 0}
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "the-model",
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": usage,
    }
