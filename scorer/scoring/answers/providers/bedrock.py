"""The formats of Amazon Bedrock's Converse and ConverseStream.

Source: docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html and _ConverseStream.html.
"""

from __future__ import annotations

from scorer.scoring.answers.answer import Expectation, Extracted, Surface
from scorer.scoring.answers.body_format import Stream
from scorer.scoring.answers.choice_builder import ChoiceBuilder
from scorer.scoring.answers.strict_json import clean, count, items, mapping, truncated, unsupported

_EVENTS = ("messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata")

_WITHOUT_CONTENT = frozenset({"cachePoint", "citation", "guardContent"})


def is_document(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("output"), dict) and "message" in value["output"]


def is_event(name: str, _: dict[str, object]) -> bool:
    return name in _EVENTS


def document(value: object, expected: Expectation) -> Extracted:
    doc = mapping(value, "body")
    builder = ChoiceBuilder(finish=doc.get("stopReason"))
    message = mapping(mapping(doc.get("output"), "output").get("message"), "message")
    for index, raw in enumerate(items(message.get("content"), "content")):
        _add_block(builder, mapping(raw, "a content block"), index)
    return _answer(builder, mapping(doc.get("usage"), "usage"), expected)


def stream(body: Stream, expected: Expectation) -> Extracted:
    builder, usage = ChoiceBuilder(), {}  # type: ChoiceBuilder, dict[str, object]
    for name, doc in body.objects():
        match name:
            case "contentBlockStart":
                _start_block(builder, mapping(doc.get("start"), "start"), doc.get("contentBlockIndex"))
            case "contentBlockDelta":
                _add_delta(builder, mapping(doc.get("delta"), "delta"), doc.get("contentBlockIndex"))
            case "messageStop":
                builder.finish = doc.get("stopReason")
            case "metadata":
                usage = mapping(doc.get("usage"), "usage")
    if not builder.finished:
        raise truncated("the stream ends before messageStop")
    return _answer(builder, usage, expected)


def _start_block(builder: ChoiceBuilder, start: dict[str, object], index: object) -> None:
    if call := mapping(start.get("toolUse"), "toolUse"):
        builder.add_call({"name": call.get("name")}, index)
    elif "toolResult" in start:
        builder.leave_out("results of the provider's own tools")
    elif start:
        raise unsupported(f"a content block with {clean(', '.join(sorted(start)))[:80]}")


def _add_block(builder: ChoiceBuilder, block: dict[str, object], index: int) -> None:
    if "text" in block:
        builder.add_content(block["text"])
    elif "toolUse" in block:
        call = mapping(block["toolUse"], "toolUse")
        builder.add_call({"name": call.get("name"), "arguments": call.get("input")}, index)
    elif "reasoningContent" in block:
        thought = mapping(block["reasoningContent"], "reasoningContent").get("reasoningText")
        builder.add_reasoning(mapping(thought, "reasoningText").get("text"))
    elif "citationsContent" in block:
        builder.add_content(mapping(block["citationsContent"], "citationsContent").get("content"))
    elif "toolResult" in block:  # of a tool that Bedrock runs itself
        builder.leave_out("results of the provider's own tools")
    elif not block.keys() <= _WITHOUT_CONTENT:
        raise unsupported(f"a content block with {clean(', '.join(sorted(block)))[:80]}")


def _add_delta(builder: ChoiceBuilder, delta: dict[str, object], index: object) -> None:
    if "text" in delta:
        builder.add_content(delta["text"])
    elif "toolUse" in delta:
        builder.add_call({"arguments": mapping(delta["toolUse"], "toolUse").get("input")}, index)
    elif "reasoningContent" in delta:
        builder.add_reasoning(mapping(delta["reasoningContent"], "reasoningContent").get("text"))
    elif "toolResult" in delta:
        builder.leave_out("results of the provider's own tools")
    elif not delta.keys() <= _WITHOUT_CONTENT:
        raise unsupported(f"a delta with {clean(', '.join(sorted(delta)))[:80]}")


def _answer(builder: ChoiceBuilder, usage: dict[str, object], expected: Expectation) -> Extracted:
    return Extracted(
        Surface.BEDROCK_CONVERSE,
        (builder.build(expected),),
        input_tokens=count(usage.get("inputTokens")) + count(usage.get("cacheReadInputTokens")),
        output_tokens=count(usage.get("outputTokens")),
    )
