"""A backend with the parts of the OpenAI API that clients use. Equal requests get equal answers."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Sequence
from typing import Any

from aiohttp import BodyPartReader, WSMsgType, web

from tests.support.api_backend import ApiBackend

REFUSALS: dict[str, Any] = {
    "bad-request": (400, {"message": "messages: too long", "type": "invalid_request_error", "code": "context_length"}),
    "no-key": (401, {"message": "Incorrect API key", "type": "invalid_request_error", "code": "invalid_api_key"}),
    "forbidden": (403, {"message": "Country not supported", "type": "request_forbidden", "code": "region"}),
    "unprocessable": (422, {"message": "No such tool", "type": "invalid_request_error", "code": None}),
    "busy": (429, {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}),
}
HEADERS = {"retry-after": "7", "x-ratelimit-remaining-requests": "0", "x-request-id": "req_fixed"}
PIECE = 7  # characters of a delta
_FRAME = {"id": "chatcmpl-1", "created": 1_700_000_000, "model": "the-model"}
_USAGE = {"prompt_tokens": 5, "completion_tokens": 9, "total_tokens": 14}


class OpenAIBackend(ApiBackend):
    """The server. The text of the last user message selects errors and delays."""

    def __init__(self) -> None:
        super().__init__({said: (status, {"error": error}) for said, (status, error) in REFUSALS.items()}, HEADERS)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_route("*", "/v1/{name:.*}", self._handle)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if request.headers.get("upgrade", "").lower() == "websocket":
            return await _talk(request)
        body = await _body(request)
        made = _INFERENCE.get(name) if request.method == "POST" else None
        if made is None:
            return _managed(request, name, body)
        self.calls += 1
        messages = body.get("messages") or [{"content": body.get("input") or body.get("prompt")}]
        refused = await self.refusal(str(messages[-1]["content"]))
        if refused is not None:
            return refused
        if name == "audio/speech":
            return web.Response(body=_digest(body).encode() * 900, content_type="audio/mpeg")
        events = _EVENTS.get(name)
        if body.get("stream") and events is not None:
            return await _stream(request, events(body), done=name not in ("responses", "audio/transcriptions"))
        return _reply(request, made(body))


async def _body(request: web.Request) -> dict[str, Any]:
    """Return a JSON body, or the parts of a form. The model is left out, because each side has its own name for it."""
    if request.content_type.startswith("multipart/") and request.content_length != 0:
        parts = {}
        async for part in await request.multipart():
            assert isinstance(part, BodyPartReader)
            parts[f"{part.name} {part.filename or ''}".strip()] = (await part.read()).decode("latin-1")
        parts.pop("model", None)
        return {name: True if value == "true" else value for name, value in parts.items()}
    raw = await request.read()  # aiohttp has decoded a content-encoding
    body: dict[str, Any] = json.loads(raw) if raw else {}
    body.pop("model", None)
    return body


async def _talk(request: web.Request) -> web.StreamResponse:
    """Answer each event of a WebSocket, as the Realtime API does."""
    socket = web.WebSocketResponse(protocols=("realtime",))
    await socket.prepare(request)
    await socket.send_json({"type": "session.created", "query": request.query_string})
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_json({"type": "response.done", "read": _digest(message.json())})
    return socket


def _managed(request: web.Request, name: str, body: Any) -> web.Response:
    """Answer a call that is not inference with the parts of the request. A list has two pages of two items."""
    last = name.rpartition("/")[2]
    if last == "content":
        return web.Response(body=bytes(range(256)) * 40, content_type="application/octet-stream")
    read = {"method": request.method, "path": request.path_qs, "read": _digest(body)}
    if request.method == "GET" and "_" not in last.removeprefix("vector_stores").removeprefix("input_items"):
        page = "2" if "after" in request.query else "1"
        data = [{"id": f"{last}_{page}{item}", "object": "item", "created_at": 1, **read} for item in "ab"]
        return web.json_response(
            {"object": "list", "data": data, "has_more": page == "1", "last_id": f"{last}_{page}b"}
        )
    one = {"id": last, "object": "item", "created_at": 1, "status": "processed", **read}
    return web.json_response({**one, "deleted": True} if request.method == "DELETE" else one)


def _reply(request: web.Request, answer: dict[str, Any]) -> web.Response:
    data, headers = json.dumps(answer).encode(), {"x-backend-region": "eu-1"}
    if "gzip" in request.headers.get("accept-encoding", "") and len(data) > 1000:
        data, headers = gzip.compress(data, mtime=0), {**headers, "content-encoding": "gzip"}
    return web.Response(body=data, content_type="application/json", headers=headers)


async def _stream(request: web.Request, events: Sequence[dict[str, Any]], *, done: bool) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
    await response.prepare(request)
    for event in events:
        named = f"event: {event['type']}\n".encode() if "type" in event else b""
        await response.write(named + b"data: " + json.dumps(event).encode() + b"\n\n")
    if done:
        await response.write(b"data: [DONE]\n\n")
    await response.write_eof()
    return response


def _digest(body: Any) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:12]


def _text(body: dict[str, Any]) -> str:
    return f"I read {len(json.dumps(body))} bytes, {_digest(body)} — naïve ✓."


def _pieces(text: str) -> list[str]:
    return [text[at : at + PIECE] for at in range(0, len(text), PIECE)]


def _chat(body: dict[str, Any]) -> dict[str, Any]:
    choices = [_choice(body, index) for index in range(body.get("n") or 1)]
    return {**_FRAME, "object": "chat.completion", "choices": choices, "usage": _USAGE}


def _choice(body: dict[str, Any], index: int) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None}
    if body.get("tools"):
        call = {"name": body["tools"][0]["function"]["name"], "arguments": '{"city": "Zürich"}'}
        message["tool_calls"] = [{"id": "call_1", "type": "function", "function": call}]
        return {"index": index, "message": message, "finish_reason": "tool_calls"}
    message["content"] = text = f"{_text(body)} #{index}"
    if body.get("response_format"):
        message["content"] = json.dumps({"answer": text})
    if body["messages"][-1]["content"] == "at length":
        message["content"] = text + " and so on" * 400
    if body.get("modalities"):
        message["audio"] = {"id": "audio_1", "data": "UklGRg==", "expires_at": 1, "transcript": text}
    return {"index": index, "message": message, "finish_reason": "stop"}


def _chat_events(body: dict[str, Any]) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]] = [
        {"content": piece} for piece in _pieces(_choice(body, 0)["message"]["content"] or "")
    ]
    if body.get("tools"):
        (call,) = _choice(body, 0)["message"]["tool_calls"]
        begun = {**call, "function": {**call["function"], "arguments": ""}}
        pieces = ({"function": {"arguments": piece}} for piece in _pieces(call["function"]["arguments"]))
        deltas = [{"tool_calls": [{"index": 0, **part}]} for part in (begun, *pieces)]
    reason = "tool_calls" if body.get("tools") else "stop"
    found = [
        {"index": 0, "delta": delta, "finish_reason": None if delta else reason}
        for delta in [{"role": "assistant", "content": ""}, *deltas, {}]
    ]
    chunk = {**_FRAME, "object": "chat.completion.chunk"}
    return [*({**chunk, "choices": [choice]} for choice in found), {**chunk, "choices": [], "usage": _USAGE}]


def _completion(body: dict[str, Any]) -> dict[str, Any]:
    choice = {"index": 0, "text": _text(body), "finish_reason": "stop", "logprobs": None}
    return {**_FRAME, "object": "text_completion", "choices": [choice], "usage": _USAGE}


def _completion_events(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {**_FRAME, "object": "text_completion", "choices": [{"index": 0, "text": piece, "finish_reason": None}]}
        for piece in _pieces(_text(body))
    ]


def _embeddings(body: dict[str, Any]) -> dict[str, Any]:
    inputs = body["input"] if isinstance(body["input"], list) else [body["input"]]
    vectors = [[zlib.crc32(f"{text}/{i}".encode()) / 2**32 for i in range(64)] for text in inputs]
    data = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)]
    usage = {"prompt_tokens": 2, "total_tokens": 2}
    return {"object": "list", "data": data, "model": "the-model", "usage": usage}


def _responses(body: dict[str, Any]) -> dict[str, Any]:
    text = _text(body)
    if "format" in (body.get("text") or {}):
        text = json.dumps({"answer": text})
    item: dict[str, Any] = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
    item["content"] = [{"type": "output_text", "text": text, "annotations": []}]
    if body.get("tools"):
        call = {"name": body["tools"][0]["name"], "arguments": '{"city": "Zürich"}', "call_id": "call_1"}
        item = {"type": "function_call", "id": "fc_1", "status": "completed", **call}
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": "completed",
        "model": "the-model",
        "output": [item],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }


def _response_events(body: dict[str, Any]) -> list[dict[str, Any]]:
    whole, place = _responses(body), {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    begun = {**whole, "status": "in_progress", "output": []}
    events: list[dict[str, Any]] = [{"type": "response.created", "response": begun}]
    events += [{"type": "response.output_text.delta", "delta": piece, **place} for piece in _pieces(_text(body))]
    events.append({"type": "response.completed", "response": whole})
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def _moderation(body: dict[str, Any]) -> dict[str, Any]:
    result = {"flagged": False, "categories": {}, "category_scores": {}, "read": _digest(body)}
    return {"id": "modr_1", "model": "the-model", "results": [result]}


def _picture(body: dict[str, Any]) -> dict[str, Any]:
    return {"created": 1_700_000_000, "data": [{"b64_json": _digest(body) * 200}], "usage": _USAGE}


def _picture_events(body: dict[str, Any]) -> list[dict[str, Any]]:
    part = {"type": "image_generation.partial_image", "b64_json": _digest(body), "partial_image_index": 0}
    return [part, {"type": "image_generation.completed", "b64_json": _digest(body) * 200, "usage": _USAGE}]


def _transcript(body: dict[str, Any]) -> dict[str, Any]:
    return {"text": _text(body)}


def _transcript_events(body: dict[str, Any]) -> list[dict[str, Any]]:
    deltas = [{"type": "transcript.text.delta", "delta": piece} for piece in _pieces(_text(body))]
    return [*deltas, {"type": "transcript.text.done", "text": _text(body)}]


_INFERENCE = {
    "chat/completions": _chat,
    "completions": _completion,
    "embeddings": _embeddings,
    "responses": _responses,
    "moderations": _moderation,
    "images/generations": _picture,
    "images/edits": _picture,
    "images/variations": _picture,
    "audio/speech": _picture,
    "audio/transcriptions": _transcript,
    "audio/translations": _transcript,
}
_EVENTS = {
    "chat/completions": _chat_events,
    "completions": _completion_events,
    "responses": _response_events,
    "images/generations": _picture_events,
    "audio/transcriptions": _transcript_events,
}
