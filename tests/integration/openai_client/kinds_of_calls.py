"""The kinds of calls that the openai client offers: name → call, which is a function of a client."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterable, Callable
from typing import Any

from openai import AsyncOpenAI
from pydantic import BaseModel

from tests.support.client_calls import Call, dumped

TOOL = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
PIXEL = "data:image/png;base64," + base64.b64encode(bytes(range(256)) * 40).decode()
SOUND = {"data": base64.b64encode(bytes(range(256)) * 40).decode(), "format": "wav"}
FILE = ("a.wav", bytes(range(256)) * 400, "audio/wav")
PICTURE = ("a.png", bytes(range(256)) * 40, "image/png")


class Answer(BaseModel):
    answer: str


def user(content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content}]


def chat(**body: Any) -> Call:
    """Return a chat whose outcome has the status, the headers and the bytes of the answer."""
    return lambda c: c.chat.completions.with_raw_response.create(**{"model": "m", **body})


def response(**body: Any) -> Call:
    return lambda c: c.responses.with_raw_response.create(**{"model": "m", "input": "Hello", **body})


async def _all(items: AsyncIterable[Any]) -> list[Any]:
    return [dumped(item) async for item in items]


def events(begin: Call) -> Call:
    """Return a call whose outcome is the list of all events of a stream."""

    async def call(client: AsyncOpenAI) -> Any:
        return await _all(await begin(client))

    return call


def pages(list_of: Callable[[AsyncOpenAI], Any]) -> Call:
    """Return a call whose outcome is all items of a list that has several pages."""

    async def call(client: AsyncOpenAI) -> Any:
        items = await _all(list_of(client))
        assert len(items) >= 2
        return items

    return call


async def bytes_of_a_stream(client: AsyncOpenAI) -> Any:
    create = client.chat.completions.with_streaming_response.create
    options = {"stream": True, "stream_options": {"include_usage": True}}
    async with create(model="m", messages=user("Hello"), **options) as streamed:  # type: ignore[call-overload]
        whole = b"".join([piece async for piece in streamed.iter_bytes()])
    assert whole.endswith(b"data: [DONE]\n\n")
    return whole


async def streamed_chat(client: AsyncOpenAI) -> Any:
    async with client.chat.completions.stream(model="m", messages=user("Hello")) as stream:  # type: ignore[arg-type]
        found = await _all(stream)
        return found, dumped(await stream.get_final_completion())


async def streamed_speech(client: AsyncOpenAI) -> Any:
    create = client.audio.speech.with_streaming_response.create
    async with create(model="m", input="Hello", voice="alloy") as spoken:
        return b"".join([piece async for piece in spoken.iter_bytes()])


async def speech(client: AsyncOpenAI) -> Any:
    return (await client.audio.speech.create(model="m", input="Hello", voice="alloy")).content


async def content_of_a_file(client: AsyncOpenAI) -> Any:
    return (await client.files.content("file_1")).content


TURNS = [
    *user("Weather?"),
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "Sun"},
]
FUNCTION = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}
ITEM = {"type": "message", "role": "user", "content": "Hello"}

INFERENCE: dict[str, Call] = {
    "a chat": chat(messages=user("Hello")),
    "several choices": chat(messages=user("Hello"), n=2),
    "a tool": chat(messages=user("Weather?"), tools=[TOOL]),
    "a tool's result": chat(messages=TURNS, tools=[TOOL]),
    "JSON mode": chat(messages=user("JSON"), response_format={"type": "json_object"}),
    "a parsed answer": lambda c: c.chat.completions.parse(model="m", messages=user("Hello"), response_format=Answer),
    "a picture": chat(messages=user([{"type": "image_url", "image_url": {"url": PIXEL}}])),
    "sound in": chat(messages=user([{"type": "input_audio", "input_audio": SOUND}])),
    "sound out": chat(messages=user("Hello"), modalities=["text", "audio"], audio={"voice": "alloy", "format": "wav"}),
    "a megabyte": chat(messages=user("x" * 2**20)),
    "a long answer, compressed": chat(messages=user("at length")),
    "a user and an own header": chat(messages=user("Hello"), user="u1", extra_headers={"x-team": "a"}),
    "an unknown key and a query": chat(messages=user("Hello"), extra_body={"top_k": 3}, extra_query={"a": "b"}),
    "a stream, byte by byte": bytes_of_a_stream,
    "a stream": events(lambda c: c.chat.completions.create(model="m", messages=user("Hello"), stream=True)),
    "a stream with a tool": events(
        lambda c: c.chat.completions.create(model="m", messages=user("Weather?"), tools=[TOOL], stream=True)
    ),
    "the helper for streams": streamed_chat,
    "a completion": lambda c: c.completions.with_raw_response.create(model="m", prompt="Hello"),
    "a completion, streamed": events(lambda c: c.completions.create(model="m", prompt="Hello", stream=True)),
    "embeddings": lambda c: c.embeddings.with_raw_response.create(model="m", input=["a", "b"]),
    "a response": response(store=False),
    "a response with a tool": response(store=False, tools=[FUNCTION]),
    "a parsed response": lambda c: c.responses.parse(model="m", input="Hello", text_format=Answer, store=False),
    "a response, streamed": events(lambda c: c.responses.create(model="m", input="Hello", store=False, stream=True)),
    "a moderation": lambda c: c.moderations.create(model="m", input="Hello"),
    "a new picture": lambda c: c.images.generate(model="m", prompt="Hello"),
    "a new picture, streamed": events(
        lambda c: c.images.generate(model="m", prompt="Hello", stream=True, partial_images=1)
    ),
    "speech": speech,
    "speech, streamed": streamed_speech,
}
# Envoy does not split these, or leaves them to the baseline: forms, state, files and what a server keeps.
OTHERS: dict[str, Call] = {
    "a transcription": lambda c: c.audio.transcriptions.create(model="m", file=FILE),
    "a transcription, streamed": events(lambda c: c.audio.transcriptions.create(model="m", file=FILE, stream=True)),
    "a translation": lambda c: c.audio.translations.create(model="m", file=FILE),
    "an edited picture": lambda c: c.images.edit(model="m", image=PICTURE, prompt="Hello"),
    "a variation": lambda c: c.images.create_variation(model="m", image=PICTURE),
    "a response that is stored": response(),
    "the next response": response(previous_response_id="resp_1"),
    "a response in the background": response(background=True),
    "a stored response": lambda c: c.responses.retrieve("resp_1"),
    "its input": pages(lambda c: c.responses.input_items.list("resp_1")),
    "its end": lambda c: c.responses.cancel("resp_1"),
    "its removal": lambda c: c.responses.with_raw_response.delete("resp_1"),
    "a conversation": lambda c: c.conversations.create(items=[ITEM]),
    "its items": pages(lambda c: c.conversations.items.list("conv_1")),
    "stored chats": pages(lambda c: c.chat.completions.list()),
    "the models": pages(lambda c: c.models.list()),
    "a model": lambda c: c.models.retrieve("gpt_4o"),
    "a removed model": lambda c: c.models.delete("gpt_4o"),
    "a new file": lambda c: c.files.create(file=FILE, purpose="batch"),
    "the files, page by page": pages(lambda c: c.files.list()),
    "a file": lambda c: c.files.retrieve("file_1"),
    "the content of a file": content_of_a_file,
    "a removed file": lambda c: c.files.delete("file_1"),
    "an upload": lambda c: c.uploads.create(bytes=9, filename="a", mime_type="text/plain", purpose="batch"),
    "a part of an upload": lambda c: c.uploads.parts.create("upload_1", data=FILE),
    "a whole upload": lambda c: c.uploads.complete("upload_1", part_ids=["part_1"]),
    "a new batch": lambda c: c.batches.create(
        completion_window="24h", endpoint="/v1/chat/completions", input_file_id="file_1"
    ),
    "the batches": pages(lambda c: c.batches.list()),
    "a stopped batch": lambda c: c.batches.cancel("batch_1"),
    "a training": lambda c: c.fine_tuning.jobs.create(model="m", training_file="file_1"),
    "the events of a training": pages(lambda c: c.fine_tuning.jobs.list_events("ftjob_1")),
    "a vector store": lambda c: c.vector_stores.create(name="v"),
    "a search in it": pages(lambda c: c.vector_stores.files.list("vs_1")),
    "an assistant": lambda c: c.beta.assistants.create(model="m"),
    "a thread": lambda c: c.beta.threads.create(messages=user("Hello")),
    "a run": lambda c: c.beta.threads.runs.create("thread_1", assistant_id="asst_1"),
    "the messages of a thread": pages(lambda c: c.beta.threads.messages.list("thread_1")),
    "a key for a conversation by WebSocket": lambda c: c.realtime.client_secrets.create(),
}
ERRORS: dict[str, Call] = {
    "a faulty request": chat(messages=user("bad-request")),
    "no key": chat(messages=user("no-key")),
    "no permission": chat(messages=user("forbidden")),
    "a request that cannot be processed": chat(messages=user("unprocessable")),
    "too many": chat(messages=user("busy")),
}
