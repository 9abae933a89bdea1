"""Cohere's chat formats v1 and v2. Source: docs.cohere.com/reference/chat and /chat-stream, /v1/reference/chat."""

from __future__ import annotations

from scorer.scoring.answers.answer import Expectation, Extracted, Surface
from scorer.scoring.answers.body_format import Stream
from scorer.scoring.answers.choice_builder import ChoiceBuilder
from scorer.scoring.answers.providers.openai_chat import add_message
from scorer.scoring.answers.strict_json import count, items, mapping, truncated

_EVENTS = ("message-start", "content-start", "content-delta", "tool-call-start", "message-end")
_EVENTS_V1 = ("stream-start", "text-generation", "stream-end")


def is_document(value: object) -> bool:
    if not isinstance(value, dict) or "finish_reason" not in value or "done" in value:
        return False
    return isinstance(value.get("message"), dict) or ("generation_id" in value and isinstance(value.get("text"), str))


def is_event(name: str, doc: dict[str, object]) -> bool:
    return doc.get("type", name) in _EVENTS or doc.get("event_type") in _EVENTS_V1


def document(value: object, expected: Expectation) -> Extracted:
    doc = mapping(value, "body")
    builder = ChoiceBuilder(finish=doc.get("finish_reason"))
    if "message" in doc:
        add_message(builder, mapping(doc["message"], "message"))
    else:
        _add_v1(builder, doc)
    return _answer(builder, doc, expected)


def stream(body: Stream, expected: Expectation) -> Extracted:
    builder = ChoiceBuilder()
    for name, doc in body.objects():
        if doc.get("event_type") == "stream-end":
            response = mapping(doc.get("response"), "response")
            builder.finish = doc.get("finish_reason") or response.get("finish_reason")
            _add_v1(builder, response)
            return _answer(builder, response, expected)
        delta = mapping(doc.get("delta"), "delta")
        if doc.get("type", name) == "message-end":
            builder.finish = delta.get("finish_reason")
            return _answer(builder, delta, expected)
        _add_delta(builder, mapping(delta.get("message"), "message"), doc.get("index"))
    raise truncated("the stream ends before message-end")


def _add_delta(builder: ChoiceBuilder, message: dict[str, object], index: object) -> None:
    content = message.get("content")
    builder.add_content([content] if isinstance(content, dict) else content)
    if call := message.get("tool_calls"):
        function = mapping(mapping(call, "tool_calls").get("function"), "a tool call's function")
        builder.add_call(function, index)


def _add_v1(builder: ChoiceBuilder, doc: dict[str, object]) -> None:
    builder.add_content(doc.get("text"))
    for position, raw in enumerate(items(doc.get("tool_calls"), "tool_calls")):
        call = mapping(raw, "a tool call")
        builder.add_call({"name": call.get("name"), "arguments": call.get("parameters")}, position)


def _answer(builder: ChoiceBuilder, doc: dict[str, object], expected: Expectation) -> Extracted:
    usage = mapping(doc.get("usage") or mapping(doc.get("meta"), "meta"), "usage")
    tokens = mapping(usage.get("tokens") or usage.get("billed_units"), "tokens")
    return Extracted(
        Surface.COHERE_CHAT,
        (builder.build(expected),),
        input_tokens=count(tokens.get("input_tokens")),
        output_tokens=count(tokens.get("output_tokens")),
    )
