"""Tests that every kind of call with the google-genai client gets the backend's answer, at 0, 50 and 100 %."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.client_calls import Call
from tests.support.recorded_calls import SHARES, Asked, Provider, Reply, check_equal_calls, dumped, json_reply

genai = pytest.importorskip("google.genai", reason='no client of Gemini: pip install "google-genai>=3"')

FUNCTION = {
    "name": "weather",
    "description": "Weather",
    "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}},
}
TOOLS = {"tools": [{"function_declarations": [FUNCTION]}]}
PICTURE = {"inline_data": {"mime_type": "image/png", "data": bytes(range(256)) * 40}}
TURNS = [
    {"role": "user", "parts": [{"text": "Weather?"}]},
    {"role": "model", "parts": [{"function_call": {"name": "weather", "args": {}}}]},
    {"role": "user", "parts": [{"function_response": {"name": "weather", "response": {"sky": "Sun"}}}]},
]


def client(url: str) -> Any:
    return genai.Client(api_key="k", http_options={"base_url": url, "api_version": "v1beta"}).aio


def generate(contents: Any = "Hello", **config: Any) -> Call:
    return lambda c: c.models.generate_content(model="m", contents=contents, config=config)


def streamed(contents: Any = "Hello", **config: Any) -> Call:
    async def call(client: Any) -> Any:
        parts: AsyncIterator[Any] = await client.models.generate_content_stream(
            model="m", contents=contents, config=config
        )
        found = [dumped(part) async for part in parts]
        assert len(found) > 1
        return found

    return call


def listed(begin: Call) -> Call:
    async def call(client: Any) -> Any:
        items = [dumped(item) async for item in await begin(client)]
        assert len(items) > 1
        return items

    return call


async def a_conversation(client: Any) -> Any:
    """Two turns: the second sends the first answer again."""
    talk = client.chats.create(model="m")
    return [dumped(await talk.send_message(text)) for text in ("Hello", "And then?")]


async def a_streamed_conversation(client: Any) -> Any:
    talk = client.chats.create(model="m")
    return [dumped(part) async for part in await talk.send_message_stream("Hello")]


KINDS: dict[str, Call] = {
    "an answer": generate(),
    "settings": generate(temperature=0.2, top_k=3, seed=1, max_output_tokens=64, stop_sequences=["x"]),
    "a system prompt": generate(system_instruction="Brief."),
    "several choices": generate(candidate_count=2),
    "parts": generate([{"role": "user", "parts": [{"text": "a"}, {"text": "b"}]}]),
    "a picture": generate([{"role": "user", "parts": [PICTURE, {"text": "What is it?"}]}]),
    "a tool": generate("Weather?", **TOOLS),
    "a tool's result": generate(TURNS, **TOOLS),
    "JSON": generate(response_mime_type="application/json"),
    "a schema": generate(
        response_mime_type="application/json",
        response_schema={"type": "OBJECT", "properties": {"answer": {"type": "STRING"}}},
    ),
    "thinking": generate(thinking_config={"include_thoughts": True, "thinking_budget": 100}),
    "safety settings": generate(
        safety_settings=[{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_ONLY_HIGH"}]
    ),
    "a megabyte": generate("x" * 2**20),
    "a stream": streamed(),
    "a stream with a tool": streamed("Weather?", **TOOLS),
    "a conversation": a_conversation,
    "a conversation, streamed": a_streamed_conversation,
    "an embedding": lambda c: c.models.embed_content(model="m", contents="a"),
    "embeddings": lambda c: c.models.embed_content(
        model="m", contents=["a", "b"], config={"output_dimensionality": 4, "task_type": "RETRIEVAL_QUERY"}
    ),
    "a count of tokens": lambda c: c.models.count_tokens(model="m", contents="Hello"),
    "the models": listed(lambda c: c.models.list()),
    "a model": lambda c: c.models.get(model="m"),
    "a removed model": lambda c: c.models.delete(model="m"),
    "a cache": lambda c: c.caches.create(model="m", config={"contents": ["Hello"]}),
    "a stored cache": lambda c: c.caches.get(name="cachedContents/c"),
    "the caches": listed(lambda c: c.caches.list()),
    "a removed cache": lambda c: c.caches.delete(name="cachedContents/c"),
    "the files": listed(lambda c: c.files.list()),
    "a file": lambda c: c.files.get(name="files/f"),
    "a removed file": lambda c: c.files.delete(name="files/f"),
    "a batch": lambda c: c.batches.create(model="m", src=[{"contents": [{"parts": [{"text": "a"}]}]}]),
    "a stored batch": lambda c: c.batches.get(name="batches/b"),
    "the batches": listed(lambda c: c.batches.list()),
    "a cancelled batch": lambda c: c.batches.cancel(name="batches/b"),
    "a removed batch": lambda c: c.batches.delete(name="batches/b"),
    "a faulty request": generate("bad-request"),
    "no key": generate("no-key"),
    "no permission": generate("forbidden"),
    "a model that is not there": generate("not-found"),
    "too many": generate("busy"),
    "a failure": generate("failure"),
    "a failure in a stream": streamed("failure"),
}
_ERRORS = {"bad-request": 400, "no-key": 401, "forbidden": 403, "not-found": 404, "busy": 429, "failure": 500}
_USAGE = {"promptTokenCount": 5, "candidatesTokenCount": 9, "totalTokenCount": 14}


def reply(asked: Asked) -> Reply:
    path = asked.path.partition("?")[0]
    verb = path.rpartition(":")[2] if ":" in path else ""
    if verb in ("generateContent", "streamGenerateContent"):
        return _generated(asked, is_stream=verb.startswith("stream"))
    if verb == "batchEmbedContents":
        vectors = [{"values": [0.5, len(json.dumps(one))]} for one in asked.body["requests"]]
        return json_reply({"embeddings": vectors})
    if verb == "predict":
        return json_reply({"predictions": [{"bytesBase64Encoded": "aGk=", "mimeType": "image/png"}]})
    if verb == "countTokens":
        return json_reply({"totalTokens": int(asked.digest[:6], 16)})
    return _managed(asked, path, verb)


def _managed(asked: Asked, path: str, verb: str) -> Reply:
    if asked.method == "DELETE" or verb == "cancel":
        return json_reply({})
    last = path.rpartition("/")[2]
    if verb == "batchGenerateContent":
        return json_reply(
            {"name": "batches/b", "metadata": {"displayName": asked.digest, "state": "BATCH_STATE_PENDING"}}
        )
    if asked.method == "GET" and last in ("models", "cachedContents", "files", "batches"):
        key = {"batches": "operations"}.get(last, last)
        token = "" if "pageToken" in asked.path else "next"
        name = f"{last}/{'b' if 'pageToken' in asked.path else 'a'}"
        return json_reply({key: [{"name": name, "displayName": "d"}], "nextPageToken": token})
    return json_reply({"name": path.partition("beta/")[2], "displayName": asked.digest})


def _generated(asked: Asked, *, is_stream: bool) -> Reply:
    part = asked.body["contents"][-1]["parts"][-1]
    if part.get("text") in _ERRORS:
        status = _ERRORS[part["text"]]
        return json_reply({"error": {"code": status, "message": part["text"], "status": "X"}}, status)
    text = f"I read {asked.digest} — naïve ✓."
    config = asked.body.get("generationConfig", {})
    parts: list[dict[str, Any]] = [{"text": text}]
    if config.get("responseMimeType"):
        parts = [{"text": json.dumps({"answer": text})}]
    if asked.body.get("tools"):
        parts = [{"functionCall": {"name": "weather", "args": {"city": "Zürich"}}}]
    if config.get("thinkingConfig"):
        parts.insert(0, {"text": "Hm", "thought": True})
    if not is_stream:
        count = config.get("candidateCount", 1)
        return json_reply(_answer([_choice(parts, index, "STOP") for index in range(count)]))
    pieces = [[{"text": text[at : at + 7]}] for at in range(0, len(text), 7)] if "text" in parts[0] else [parts]
    found = [_answer([_choice(piece, 0, None)]) for piece in pieces] + [_answer([_choice([], 0, "STOP")])]
    return Reply([b"data: " + json.dumps(one).encode() + b"\r\n\r\n" for one in found], "text/event-stream")


def _choice(parts: list[dict[str, Any]], index: int, reason: str | None) -> dict[str, Any]:
    return {"content": {"role": "model", "parts": parts}, "index": index, "finishReason": reason}


def _answer(choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {"candidates": choices, "usageMetadata": _USAGE, "modelVersion": "the-model", "responseId": "r"}


def _of_error(error: Any) -> Any:
    return error.code, error.status, error.message


@pytest.mark.parametrize("share", SHARES)
async def test_each_kind_of_call_gets_the_backends_answer(tmp_path: Path, share: int) -> None:
    provider = Provider(client, genai.errors.APIError, _of_error, reply, prefixes=["/v1beta"])
    await check_equal_calls(tmp_path, share, provider, KINDS)
