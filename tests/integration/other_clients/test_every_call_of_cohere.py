"""Tests that every kind of call with the cohere client gets the backend's answer, at 0, 50 and 100 %."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.client_calls import Call
from tests.support.recorded_calls import SHARES, Asked, Provider, Reply, check_equal_calls, dumped, json_reply

cohere = pytest.importorskip("cohere", reason='no client of Cohere: pip install "cohere>=7"')
core = pytest.importorskip("cohere.core")

TOOL = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
FORMER_TOOL = {"name": "weather", "description": "Weather", "parameter_definitions": {"city": {"type": "str"}}}
DOCUMENTS = ["Canberra is the capital.", "Sydney is not."]
PICTURE = "data:image/png;base64,iVBORw0KGgo="


@dataclass(frozen=True, slots=True)
class Clients:
    """The clients of the present and of the former API."""

    v2: Any
    v1: Any


def clients(url: str) -> Clients:
    made = {"api_key": "k", "base_url": url, "max_retries": 0}
    return Clients(cohere.AsyncClientV2(**made), cohere.AsyncClient(**made))


def user(content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content}]


CALLED = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
TURNS = [
    *user("Weather?"),
    {"role": "assistant", "tool_plan": "I ask.", "tool_calls": [CALLED]},
    {"role": "tool", "tool_call_id": "call_1", "content": "Sun"},
]


def chat(**body: Any) -> Call:
    return lambda c: c.v2.chat(**{"model": "m", **body})


def former(**body: Any) -> Call:
    return lambda c: c.v1.chat(**{"model": "m", "message": "Hello", **body})


def streamed(begin: Callable[[Clients], Any]) -> Call:
    async def call(client: Clients) -> Any:
        found = [dumped(part) async for part in begin(client)]
        assert len(found) > 1
        return found

    return call


def listed(begin: Call) -> Call:
    """Return a call whose outcome is all items of a list, even if the client asks for the list page by page."""

    async def call(client: Clients) -> Any:
        found = await begin(client)
        return [dumped(item) async for item in found] if hasattr(found, "__aiter__") else dumped(found)

    return call


KINDS: dict[str, Call] = {
    "a chat": chat(messages=user("Hello")),
    "settings": chat(messages=user("Hello"), temperature=0.2, seed=1, stop_sequences=["x"], safety_mode="STRICT"),
    "parts": chat(messages=user([{"type": "text", "text": "Hello"}])),
    "a picture": chat(messages=user([{"type": "image_url", "image_url": {"url": PICTURE}}])),
    "a tool": chat(messages=user("Weather?"), tools=[TOOL], strict_tools=True),
    "a tool's result": chat(messages=TURNS, tools=[TOOL]),
    "documents": chat(messages=user("Capital?"), documents=DOCUMENTS, citation_options={"mode": "FAST"}),
    "JSON": chat(messages=user("JSON"), response_format={"type": "json_object"}),
    "thinking": chat(messages=user("Hello"), thinking={"type": "enabled", "token_budget": 100}),
    "log probabilities": chat(messages=user("Hello"), logprobs=True),
    "a megabyte": chat(messages=user("x" * 2**20)),
    "a stream": streamed(lambda c: c.v2.chat_stream(model="m", messages=user("Hello"))),
    "a stream with a tool": streamed(lambda c: c.v2.chat_stream(model="m", messages=user("Weather?"), tools=[TOOL])),
    "embeddings": lambda c: c.v2.embed(
        model="m", input_type="search_query", texts=["a", "b"], embedding_types=["float"]
    ),
    "embeddings of a picture": lambda c: c.v2.embed(
        model="m", input_type="image", images=[PICTURE], embedding_types=["float"]
    ),
    "a ranking": lambda c: c.v2.rerank(model="m", query="Capital?", documents=DOCUMENTS, top_n=1),
    "a chat of the former API": former(),
    "a history": former(chat_history=[{"role": "USER", "message": "Hi"}, {"role": "CHATBOT", "message": "Hello"}]),
    "a tool of the former API": former(tools=[FORMER_TOOL]),
    "a connector": former(connectors=[{"id": "web-search"}]),
    "a stream of the former API": streamed(lambda c: c.v1.chat_stream(model="m", message="Hello")),
    "embeddings of the former API": lambda c: c.v1.embed(
        model="m", input_type="classification", texts=["a"], embedding_types=["float"]
    ),
    "a ranking of the former API": lambda c: c.v1.rerank(model="m", query="Capital?", documents=DOCUMENTS),
    "a classification": lambda c: c.v1.classify(model="m", inputs=["a"], examples=[{"text": "b", "label": "B"}]),
    "a completion": lambda c: c.v1.generate(model="m", prompt="Hello"),
    "a completion, streamed": streamed(lambda c: c.v1.generate_stream(model="m", prompt="Hello")),
    "a summary": lambda c: c.v1.summarize(text="long"),
    "tokens": lambda c: c.v1.tokenize(model="m", text="Hello", offline=False),
    "a text of tokens": lambda c: c.v1.detokenize(model="m", tokens=[1, 2], offline=False),
    "the models": listed(lambda c: c.v1.models.list()),
    "a model": lambda c: c.v1.models.get("m"),
    "the data sets": listed(lambda c: c.v1.datasets.list()),
    "a data set": lambda c: c.v1.datasets.get("d"),
    "a new data set": lambda c: c.v1.datasets.create(name="d", type="embed-input", data=("a.jsonl", b"{}\n")),
    "a removed data set": lambda c: c.v1.datasets.delete("d"),
    "the jobs": listed(lambda c: c.v1.embed_jobs.list()),
    "a job": lambda c: c.v1.embed_jobs.create(model="m", dataset_id="d", input_type="search_document"),
    "a cancelled job": lambda c: c.v1.embed_jobs.cancel("j"),
    "the connectors": listed(lambda c: c.v1.connectors.list()),
    "the trained models": listed(lambda c: c.v1.finetuning.list_finetuned_models()),
    "a removed model": lambda c: c.v1.finetuning.delete_finetuned_model("f"),
    "the batches": listed(lambda c: c.v2.batches.list()),
    "a cancelled batch": lambda c: c.v2.batches.cancel("b"),
    "a faulty request": chat(messages=user("bad-request")),
    "no key": chat(messages=user("no-key")),
    "a model that is not there": chat(messages=user("not-found")),
    "a request that cannot be processed": chat(messages=user("unprocessable")),
    "too many": chat(messages=user("busy")),
    "a failure": chat(messages=user("failure")),
    "a failure in a stream": streamed(lambda c: c.v2.chat_stream(model="m", messages=user("failure"))),
}
_ERRORS = {"bad-request": 400, "no-key": 401, "not-found": 404, "unprocessable": 422, "busy": 429, "failure": 500}
_USAGE = {"billed_units": {"input_tokens": 5, "output_tokens": 9}, "tokens": {"input_tokens": 5, "output_tokens": 9}}


def reply(asked: Asked) -> Reply:
    path = asked.path.partition("?")[0]
    answers: dict[str, Callable[[Asked], Reply]] = {
        "/v2/chat": _chat,
        "/v1/chat": _former_chat,
        "/v1/generate": _generated,
        "/v1/embed": _embeddings,
        "/v2/embed": _embeddings,
        "/v1/rerank": _ranking,
        "/v2/rerank": _ranking,
        "/v1/classify": _classes,
        "/v1/tokenize": lambda a: json_reply({"tokens": [1, 2], "token_strings": [a.digest, "b"]}),
        "/v1/detokenize": lambda a: json_reply({"text": a.digest}),
        "/v1/summarize": lambda a: json_reply({"id": "s", "summary": a.digest}),
    }
    return answers.get(path, _managed)(asked)


def _managed(asked: Asked) -> Reply:
    last = asked.path.partition("?")[0].rpartition("/")[2]
    one = {"id": last, "name": asked.digest, "valid": True, "method": asked.method}
    lists = {"models": "models", "datasets": "datasets", "embed-jobs": "embed_jobs", "connectors": "connectors"}
    named = lists.get(last, {"finetuned-models": "finetuned_models", "batches": "batches"}.get(last, "items"))
    return json_reply({**one, named: [one, {**one, "id": "other"}]})


def _chat(asked: Asked) -> Reply:
    said = asked.body["messages"][-1]["content"]
    if isinstance(said, str) and said in _ERRORS:
        return json_reply({"id": "e", "message": said}, _ERRORS[said])
    text = f"I read {asked.digest} — naïve ✓."
    message: dict[str, Any] = {"role": "assistant", "content": [{"type": "text", "text": text}]}
    if asked.body.get("tools"):
        message = {"role": "assistant", "tool_plan": "I ask.", "tool_calls": [CALLED]}
    if asked.body.get("thinking"):
        message["content"].insert(0, {"type": "thinking", "thinking": "Hm"})
    if not asked.body.get("stream"):
        return json_reply({"id": "c", "finish_reason": "COMPLETE", "message": message, "usage": _USAGE})
    return _events(text, has_tool=bool(asked.body.get("tools")))


def _events(text: str, *, has_tool: bool) -> Reply:
    begun = {"type": "message-start", "id": "c", "delta": {"message": {"role": "assistant", "content": []}}}
    found: list[dict[str, Any]] = [begun]
    if has_tool:
        found.append({"type": "tool-call-start", "index": 0, "delta": {"message": {"tool_calls": CALLED}}})
        found.append({"type": "tool-call-end", "index": 0})
    else:
        empty = {"message": {"content": {"type": "text", "text": ""}}}
        found.append({"type": "content-start", "index": 0, "delta": empty})
        pieces = [text[at : at + 7] for at in range(0, len(text), 7)]
        deltas = [{"message": {"content": {"text": piece}}} for piece in pieces]
        found += [{"type": "content-delta", "index": 0, "delta": delta} for delta in deltas]
        found.append({"type": "content-end", "index": 0})
    found.append({"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": _USAGE}})
    return Reply([f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in found], "text/event-stream")


def _former_chat(asked: Asked) -> Reply:
    whole: dict[str, Any] = {
        "text": f"I read {asked.digest}",
        "generation_id": "g",
        "finish_reason": "COMPLETE",
        "meta": _USAGE,
    }
    if asked.body.get("tools"):
        whole["tool_calls"] = [{"name": "weather", "parameters": {"city": "Zürich"}}]
    if not asked.body.get("stream"):
        return json_reply(whole)
    text = str(whole["text"])
    parts: list[dict[str, Any]] = [{"event_type": "stream-start", "generation_id": "g", "is_finished": False}]
    parts += [{"event_type": "text-generation", "text": text[at : at + 7], "is_finished": False} for at in (0, 7, 14)]
    parts.append({"event_type": "stream-end", "response": whole, "finish_reason": "COMPLETE", "is_finished": True})
    return _lines(parts)


def _generated(asked: Asked) -> Reply:
    whole = {"id": "g", "prompt": "Hello", "generations": [{"id": "g", "text": f"I read {asked.digest}"}]}
    if not asked.body.get("stream"):
        return json_reply(whole)
    texts = [
        {"event_type": "text-generation", "text": text, "is_finished": False} for text in ("I read ", asked.digest)
    ]
    ended = {"event_type": "stream-end", "is_finished": True, "finish_reason": "COMPLETE", "response": whole}
    return _lines([*texts, ended])


def _lines(parts: list[dict[str, Any]]) -> Reply:
    return Reply([json.dumps(part).encode() + b"\n" for part in parts], "application/stream+json")


def _embeddings(asked: Asked) -> Reply:
    texts = asked.body.get("texts") or asked.body.get("images")
    vectors = {"float": [[0.5, float(len(text))] for text in texts]}
    return json_reply(
        {"id": asked.digest, "response_type": "embeddings_by_type", "embeddings": vectors, "texts": texts}
    )


def _ranking(asked: Asked) -> Reply:
    count = asked.body.get("top_n") or len(asked.body["documents"])
    results = [{"index": index, "relevance_score": 0.9 - index / 10} for index in range(count)]
    return json_reply({"id": asked.digest, "results": results})


def _classes(asked: Asked) -> Reply:
    found = {"id": "x", "input": "a", "prediction": "B", "predictions": ["B"], "confidence": 0.9, "confidences": [0.9]}
    return json_reply({"id": asked.digest, "classifications": [{**found, "labels": {"B": {"confidence": 0.9}}}]})


def _of_error(error: Any) -> Any:
    return error.status_code, dumped(error.body)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the client
@pytest.mark.parametrize("share", SHARES)
async def test_each_kind_of_call_gets_the_backends_answer(tmp_path: Path, share: int) -> None:
    provider = Provider(clients, core.ApiError, _of_error, reply, prefixes=["/v1", "/v2"])
    await check_equal_calls(tmp_path, share, provider, KINDS)
