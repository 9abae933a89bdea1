"""Tests that every kind of call with the ollama client gets the backend's answer, at 0, 50 and 100 %."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.client_calls import Call
from tests.support.recorded_calls import SHARES, Asked, Provider, Reply, check_equal_calls, dumped, json_reply

ollama = pytest.importorskip("ollama", reason='no client of Ollama: pip install "ollama>=0.6"')

TOOL = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
PICTURE = b"\x89PNG" + bytes(range(256)) * 40
BLOB = "sha256:" + "0" * 64
_USAGE = {"total_duration": 9, "prompt_eval_count": 5, "eval_count": 9, "eval_duration": 7}


def user(content: str, **more: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content, **more}]


TURNS = [
    *user("Weather?"),
    {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "weather", "arguments": {}}}]},
    {"role": "tool", "content": "Sun", "tool_name": "weather"},
]


def chat(**body: Any) -> Call:
    return lambda client: client.chat(**{"model": "m", **body})


def generate(**body: Any) -> Call:
    return lambda client: client.generate(**{"model": "m", "prompt": "Hello", **body})


def streamed(begin: Call) -> Call:
    async def call(client: Any) -> Any:
        parts: AsyncIterator[Any] = await begin(client)
        found = [dumped(part) async for part in parts]
        assert len(found) > 1
        return found

    return call


KINDS: dict[str, Call] = {
    "a chat": chat(messages=user("Hello")),
    "a chat with options": chat(messages=user("Hello"), options={"temperature": 0, "seed": 1}, keep_alive="5m"),
    "a tool": chat(messages=user("Weather?"), tools=[TOOL]),
    "a tool's result": chat(messages=TURNS, tools=[TOOL]),
    "a format": chat(messages=user("JSON"), format="json"),
    "a schema": chat(messages=user("JSON"), format={"type": "object", "properties": {"a": {"type": "string"}}}),
    "a picture": chat(messages=user("What is it?", images=[PICTURE])),
    "thinking": chat(messages=user("Hello"), think=True),
    "a megabyte": chat(messages=user("x" * 2**20)),
    "log probabilities": chat(messages=user("Hello"), logprobs=True, top_logprobs=2),
    "a stream": streamed(chat(messages=user("Hello"), stream=True)),
    "a stream with a tool": streamed(chat(messages=user("Weather?"), tools=[TOOL], stream=True)),
    "a stream with thinking": streamed(chat(messages=user("Hello"), think=True, stream=True)),
    "a completion": generate(),
    "a completion with a suffix": generate(suffix="end", raw=True),
    "a completion of a picture": generate(images=[PICTURE]),
    "a completion, streamed": streamed(generate(stream=True)),
    "embeddings": lambda c: c.embed(model="m", input=["a", "b"]),
    "one embedding": lambda c: c.embed(model="m", input="a", truncate=True, dimensions=4),
    "an embedding of the former call": lambda c: c.embeddings(model="m", prompt="a"),
    "the models": lambda c: c.list(),
    "the running models": lambda c: c.ps(),
    "a model": lambda c: c.show("m"),
    "a new model": lambda c: c.create(model="n", from_="m", system="Brief."),
    "a new model, streamed": streamed(lambda c: c.create(model="n", from_="m", stream=True)),
    "a pulled model": lambda c: c.pull("m"),
    "a pulled model, streamed": streamed(lambda c: c.pull("m", stream=True)),
    "a pushed model": lambda c: c.push("m"),
    "a pushed model, streamed": streamed(lambda c: c.push("m", stream=True)),
    "a copied model": lambda c: c.copy("m", "n"),
    "a removed model": lambda c: c.delete("m"),
    "a file of a model": lambda c: c.create_blob(__file__),
    "a faulty request": chat(messages=user("bad-request")),
    "a model that is not there": chat(messages=user("not-found")),
    "too many": chat(messages=user("busy")),
    "a failure": chat(messages=user("failure")),
    "a failure in a stream": streamed(chat(messages=user("failure"), stream=True)),
    "an error after the first part of a stream": streamed(chat(messages=user("late-failure"), stream=True)),
}
_ERRORS = {"bad-request": 400, "not-found": 404, "busy": 429, "failure": 500}


def reply(asked: Asked) -> Reply:
    name = asked.path.removeprefix("/api/")
    if name in ("chat", "generate"):
        return _answer(name, asked)
    if name == "embed":
        inputs = asked.body["input"] if isinstance(asked.body["input"], list) else [asked.body["input"]]
        return json_reply({"model": "the-model", "embeddings": [[0.5, len(text)] for text in inputs]})
    if name == "embeddings":
        return json_reply({"embedding": [0.25, len(asked.body["prompt"])]})
    if name in ("tags", "ps"):
        return json_reply({"models": [{"model": f"m-{asked.digest}", "size": 9, "digest": "d"}]})
    if name == "show":
        return json_reply(
            {"template": asked.digest, "details": {"family": "f"}, "model_info": {}, "capabilities": ["tools"]}
        )
    if name in ("create", "pull", "push"):
        return _progress(asked)
    if name in ("copy", "delete") or name.startswith("blobs/"):
        return Reply([], status=200)
    return json_reply({"error": f"no such call: {name}"}, 404)


def _progress(asked: Asked) -> Reply:
    parts = [{"status": "begun", "digest": asked.digest}, {"status": "success"}]
    if asked.body.get("stream"):
        return _lines(parts)
    return json_reply(parts[-1])


def _lines(parts: list[dict[str, Any]]) -> Reply:
    return Reply([json.dumps(part).encode() + b"\n" for part in parts], "application/x-ndjson")


def _answer(name: str, asked: Asked) -> Reply:
    said = asked.body["messages"][-1]["content"] if name == "chat" else ""
    if said in _ERRORS:
        return json_reply({"error": said}, _ERRORS[said])
    frame = {"model": "the-model", "created_at": "2026-01-01T00:00:00Z"}
    text = f"I read {asked.digest} — naïve ✓."
    ended = {**frame, **_piece(name, ""), "done": True, "done_reason": "stop", **_USAGE}
    message = _piece(name, text)
    if asked.body.get("tools"):
        call = {"function": {"name": "weather", "arguments": {"city": "Zürich"}}}
        message = {"message": {"role": "assistant", "content": "", "tool_calls": [call]}}
    if asked.body.get("think"):
        message["message"]["thinking"] = "Hm"
    if not asked.body.get("stream"):
        return json_reply({**ended, **message})
    if said == "late-failure":
        return _lines([{**frame, **_piece(name, "I "), "done": False}, {"error": "out of memory"}])
    pieces = [message] if "tool_calls" in str(message) else [_piece(name, text[at : at + 7]) for at in range(0, 30, 7)]
    return _lines([*({**frame, **piece, "done": False} for piece in pieces), ended])


def _piece(name: str, text: str) -> dict[str, Any]:
    return {"message": {"role": "assistant", "content": text}} if name == "chat" else {"response": text}


def _of_error(error: Any) -> Any:
    return error.status_code, error.error


PROVIDER = Provider(lambda url: ollama.AsyncClient(host=url), ollama.ResponseError, _of_error, reply, prefixes=["/api"])


@pytest.mark.parametrize("share", SHARES)
async def test_each_kind_of_call_gets_the_backends_answer(tmp_path: Path, share: int) -> None:
    await check_equal_calls(tmp_path, share, PROVIDER, KINDS)
