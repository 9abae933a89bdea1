"""The part of OpenAI's chat completions API that the demo's backends serve and its clients check.

Source: OpenAI API reference, "Chat completions" and "Streaming".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from glidepath_ops.demo.written_answers import pieces, tokens

DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """The parts of a chat completion request that a demo backend needs."""

    prompt: str
    prompt_tokens: int
    stream: bool
    usage: bool  # stream_options.include_usage


def parse_request(body: bytes) -> ChatRequest:
    """Return the parsed body of a chat completion request. Raises ValueError for an invalid body."""
    try:
        raw = json.loads(body)
        contents = [str(message["content"]) for message in raw["messages"] if message["role"] == "user"]
        options = raw.get("stream_options") or {}
        return ChatRequest(
            prompt=contents[-1],
            prompt_tokens=sum(tokens(content) for content in contents),
            stream=bool(raw.get("stream", False)),
            usage=bool(options.get("include_usage", False)),
        )
    except (KeyError, IndexError, TypeError, AttributeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not a chat completion request: {error!r}") from error


def usage(request: ChatRequest, text: str) -> dict[str, int]:
    """Return the ``usage`` object of an answer, with estimated numbers of tokens."""
    answered = tokens(text)
    return {
        "prompt_tokens": request.prompt_tokens,
        "completion_tokens": answered,
        "total_tokens": request.prompt_tokens + answered,
    }


def completion(answer_id: str, created: int, model: str, request: ChatRequest, text: str) -> bytes:
    """Return the body of an answer with ``text`` that is not streamed: one JSON object."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return json.dumps(
        {
            "id": answer_id,
            "object": "chat.completion",
            "created": created,
            "model": model,
            "choices": [choice],
            "usage": usage(request, text),
        },
        ensure_ascii=False,
    ).encode()


def chunks(answer_id: str, created: int, model: str, request: ChatRequest, text: str) -> Iterator[bytes]:
    """Yield the server-sent events of a streamed answer with ``text``, in the portions in which they are sent.

    The first portion is the event with the role. Each portion after it is an event with a few words. The last portion
    has the finish reason, the usage (if the request asks for it) and ``[DONE]``.
    """
    frame = {"id": answer_id, "object": "chat.completion.chunk", "created": created, "model": model}

    def event(choices: list[dict[str, Any]], **more: Any) -> bytes:
        data = json.dumps({**frame, "choices": choices, **more}, ensure_ascii=False)
        return f"data: {data}\n\n".encode()

    yield event([{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])
    for piece in pieces(text):
        yield event([{"index": 0, "delta": {"content": piece}, "finish_reason": None}])
    end = event([{"index": 0, "delta": {}, "finish_reason": "stop"}])
    yield end + (event([], usage=usage(request, text)) if request.usage else b"") + DONE


def error(message: str, kind: str) -> bytes:
    """Return the body of an error response. ``kind`` is the ``type`` of the error in OpenAI's API."""
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": None}}).encode()


@dataclass(frozen=True, slots=True)
class Read:
    """The result of checking an answer as a client: its text and model, or the problem with the answer."""

    text: str = ""
    model: str = ""
    problem: str = ""


def read_json(body: bytes) -> Read:
    """Check an answer that is not streamed, as a client would. Return its text and model, or the problem with it."""
    try:
        raw = json.loads(body)
        choice = raw["choices"][0]
        text, model = choice["message"]["content"], raw["model"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError) as problem:
        return Read(problem=f"not a completion: {type(problem).__name__}")
    return _read(text, model, choice.get("finish_reason"))


def read_stream(body: bytes) -> Read:
    """Check a streamed answer as a client would. Return its text and model, or the problem with it.

    The stream must end with a finish reason and ``[DONE]``.
    """
    if not body.endswith(DONE):
        return Read(problem="the stream ended without [DONE]")
    text, model, finish = [], "", None
    try:
        for line in body.split(b"\n\n"):
            if not line.startswith(b"data: ") or line == DONE.strip():
                continue
            raw = json.loads(line.removeprefix(b"data: "))
            model = raw["model"]
            for choice in raw["choices"]:
                text.append(choice["delta"].get("content") or "")
                finish = choice.get("finish_reason") or finish
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        return Read(problem=f"not a stream of completions: {type(problem).__name__}")
    return _read("".join(text), model, finish)


def _read(text: object, model: object, finish: object) -> Read:
    if not isinstance(text, str) or not text.strip():
        return Read(problem="the answer is empty")
    if finish not in ("stop", "length"):
        return Read(problem=f"the answer has no end: finish_reason {finish!r}")
    return Read(text=text, model=str(model))
