"""OpenAI's responses format. Source: platform.openai.com/docs/api-reference/responses and /responses-streaming.

The last event of a stream repeats the whole response, so the events with deltas are not read. A stream without that
last event is truncated.
"""

from __future__ import annotations

from scorer.scoring.answers.answer import Expectation, Extracted, Surface
from scorer.scoring.answers.body_format import Stream
from scorer.scoring.answers.choice_builder import ChoiceBuilder
from scorer.scoring.answers.shared_fields import model_of, usage_of
from scorer.scoring.answers.strict_json import items, malformed, mapping, string, truncated

_TERMINAL = ("response.completed", "response.incomplete")


def is_document(value: object) -> bool:
    return isinstance(value, dict) and value.get("object") == "response"


def is_event(name: str, doc: dict[str, object]) -> bool:
    kind = doc.get("type", name)
    return isinstance(kind, str) and kind.startswith("response.")


def document(value: object, expected: Expectation) -> Extracted:
    doc = mapping(value, "body")
    return _answer(doc, items(doc.get("output"), "output"), expected)


def stream(body: Stream, expected: Expectation) -> Extracted:
    done: list[object] = []
    for name, doc in body.objects():
        kind = doc.get("type", name)
        if kind == "response.output_item.done":
            done.append(doc.get("item"))
        elif kind in _TERMINAL:
            response = mapping(doc.get("response"), "response")
            return _answer(response, items(response.get("output"), "output") or done, expected)
    raise truncated("the stream ends before response.completed")


def _answer(doc: dict[str, object], output: list[object], expected: Expectation) -> Extracted:
    builder = ChoiceBuilder(finish=_finish(doc))
    for position, raw in enumerate(output):
        _add_item(builder, mapping(raw, "an output item"), position)
    input_tokens, output_tokens = usage_of(doc.get("usage"))
    return Extracted(
        Surface.OPENAI_RESPONSES,
        (builder.build(expected),),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        model=model_of(doc),
    )


def _finish(doc: dict[str, object]) -> object:
    status = doc.get("status")
    if status == "incomplete":
        return mapping(doc.get("incomplete_details"), "incomplete_details").get("reason", "other")
    if status in ("queued", "in_progress"):  # a background response, whose answer the client fetches later
        raise truncated(f"the response is {status}")
    if status not in ("completed", None):
        raise malformed(f"status is {str(status)[:40]!r}")
    return "completed"


def _add_item(builder: ChoiceBuilder, item: dict[str, object], position: int) -> None:
    match item.get("type"):
        case "message":
            content = items(item.get("content"), "content")
            builder.add_content(content)
            for part in content:
                found = part.get("logprobs") if isinstance(part, dict) else None
                builder.add_logprobs(items(found, "logprobs"))
        case "function_call":
            builder.add_call(item, position)
        case "custom_tool_call":
            text = string(item.get("input"), "a tool call's input")
            builder.add_call({"name": item.get("name"), "arguments": {"input": text}}, position)
        case "reasoning":
            builder.add_reasoning(item.get("content") or item.get("summary"))
        case _:  # calls of tools that the provider runs itself (web search, ...); their results are in the message
            return
