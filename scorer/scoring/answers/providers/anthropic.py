"""Anthropic's messages format. Source: docs.anthropic.com/en/api/messages and /messages-streaming."""

from __future__ import annotations

from scorer.scoring.answers.answer import Expectation, Extracted, Surface
from scorer.scoring.answers.body_format import Stream
from scorer.scoring.answers.choice_builder import ChoiceBuilder
from scorer.scoring.answers.shared_fields import model_of, usage_of
from scorer.scoring.answers.strict_json import items, malformed, mapping, string, truncated, unsupported

_EVENTS = ("message_start", "content_block_start", "content_block_delta", "message_delta", "message_stop")


def is_document(value: object) -> bool:
    return isinstance(value, dict) and value.get("type") == "message" and isinstance(value.get("content"), list)


def is_event(name: str, doc: dict[str, object]) -> bool:
    return doc.get("type", name) in _EVENTS


def document(value: object, expected: Expectation) -> Extracted:
    doc = mapping(value, "body")
    builder = ChoiceBuilder(finish=doc.get("stop_reason"))
    for index, block in enumerate(items(doc.get("content"), "content")):
        _add_block(builder, mapping(block, "a content block"), index)
    return _answer(builder, doc, mapping(doc.get("usage"), "usage"), expected)


def stream(body: Stream, expected: Expectation) -> Extracted:
    builder, stopped = ChoiceBuilder(), False
    message: dict[str, object] = {}
    usage: dict[str, object] = {}
    for name, doc in body.objects():
        match doc.get("type", name):
            case "message_start":
                message = mapping(doc.get("message"), "message")
                usage = dict(mapping(message.get("usage"), "usage"))
            case "content_block_start":
                _add_block(builder, mapping(doc.get("content_block"), "content_block"), doc.get("index"))
            case "content_block_delta":
                _add_delta(builder, mapping(doc.get("delta"), "delta"), doc.get("index"))
            case "message_delta":
                builder.finish = mapping(doc.get("delta"), "delta").get("stop_reason") or builder.finish
                usage |= {k: v for k, v in mapping(doc.get("usage"), "usage").items() if v}
            case "message_stop":
                stopped = True
    if not stopped and not builder.finished:
        raise truncated("the stream ends before message_stop")
    return _answer(builder, message, usage, expected)


def _answer(
    builder: ChoiceBuilder, message: dict[str, object], usage: dict[str, object], expected: Expectation
) -> Extracted:
    if builder.finish == "refusal" and not builder.refusal:
        builder.refusal.append("stop_reason: refusal")
    input_tokens, output_tokens = usage_of(usage)
    return Extracted(
        Surface.ANTHROPIC_MESSAGES,
        (builder.build(expected),),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        model=model_of(message),
    )


def _add_block(builder: ChoiceBuilder, block: dict[str, object], index: object) -> None:
    """Add a content block to the choice: a complete block, or the empty block with which a streamed block begins."""
    match block.get("type"):
        case "text":
            builder.add_content(block.get("text"))
        case "thinking":
            builder.add_reasoning(block.get("thinking"))
        case "tool_use":
            arguments = block.get("input") or None
            builder.add_call({"name": block.get("name"), "arguments": arguments}, index)
        case "redacted_thinking":
            return
        case "server_tool_use" | "mcp_tool_use":  # the provider runs the tool, and the text repeats the result
            builder.leave_out("calls of the provider's own tools")
        case str(kind) if kind.endswith("_tool_result"):
            builder.leave_out("results of the provider's own tools")
        case None:
            raise malformed("a content block has no type")
        case kind:
            raise unsupported(f"a content block of type {str(kind)[:80]}")


def _add_delta(builder: ChoiceBuilder, delta: dict[str, object], index: object) -> None:
    match delta.get("type"):
        case "text_delta":
            builder.add_content(delta.get("text"))
        case "thinking_delta":
            builder.add_reasoning(delta.get("thinking"))
        case "input_json_delta" if builder.calls.has(index):
            builder.add_call({"arguments": string(delta.get("partial_json"), "partial_json")}, index)
        case "input_json_delta" | "signature_delta" | "citations_delta":  # input of the provider's own tools
            return
        case kind:
            raise unsupported(f"a delta of type {str(kind)[:80]}")
