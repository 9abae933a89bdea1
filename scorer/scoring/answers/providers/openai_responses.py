"""OpenAI's responses format. Source: platform.openai.com/docs/api-reference/responses and /responses-streaming.

The last event of a stream repeats the whole response. Some servers leave the output out of this event. Therefore the
output is also assembled from the other events (``responses_stream.py``). The assembled output is used if the last event
has no output. A stream without the last event is truncated.
"""

from __future__ import annotations

from scorer.scoring.answers.answer import Expectation, Extracted, Surface
from scorer.scoring.answers.body_format import Stream
from scorer.scoring.answers.choice_builder import ChoiceBuilder
from scorer.scoring.answers.providers.responses_stream import StreamedOutput
from scorer.scoring.answers.shared_fields import model_of, usage_of
from scorer.scoring.answers.strict_json import clean, items, malformed, mapping, string, truncated, unsupported

_TERMINAL = ("response.completed", "response.incomplete")
_RUN_BY_PROVIDER = frozenset(
    {"web_search_call", "file_search_call", "code_interpreter_call", "mcp_call", "mcp_list_tools", "tool_search_call"}
)
_NO_ARGUMENTS = frozenset({"id", "call_id", "type", "status", "name", "arguments"})


def is_document(value: object) -> bool:
    return isinstance(value, dict) and value.get("object") == "response"


def is_event(name: str, doc: dict[str, object]) -> bool:
    kind = doc.get("type", name)
    return isinstance(kind, str) and kind.startswith("response.")


def document(value: object, expected: Expectation) -> Extracted:
    doc = mapping(value, "body")
    return _answer(doc, items(doc.get("output"), "output"), expected)


def stream(body: Stream, expected: Expectation) -> Extracted:
    streamed = StreamedOutput()
    for name, doc in body.objects():
        kind = doc.get("type", name)
        if kind in _TERMINAL:
            response = mapping(doc.get("response"), "response")
            output = items(response.get("output"), "output")
            return _answer(response, output if any(map(_is_answer, output)) else streamed.items() or output, expected)
        if isinstance(kind, str):
            streamed.add(kind, doc)
    raise truncated("the stream ends before response.completed")


def _is_answer(item: object) -> bool:
    """Return whether an output item is a message with content, or a call."""
    return (
        not isinstance(item, dict)
        or item.get("type") not in ("message", "reasoning")
        or (item["type"] == "message" and bool(item.get("content")))
    )


def _answer(doc: dict[str, object], output: list[object], expected: Expectation) -> Extracted:
    builder = ChoiceBuilder(finish=_finish(doc))
    found = [mapping(raw, "an output item") for raw in output]
    finished = {_call_id(item) for item in found if str(item.get("type")).endswith("_output")} - {""}
    for position, item in enumerate(found):
        if _call_id(item) in finished:  # the provider ran the call itself
            builder.leave_out("calls of the provider's own tools")
        else:
            _add_item(builder, item, position)
    input_tokens, output_tokens = usage_of(doc.get("usage"))
    return Extracted(
        Surface.OPENAI_RESPONSES,
        (builder.build(expected),),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        model=model_of(doc),
    )


def _call_id(item: dict[str, object]) -> str:
    return string(item.get("call_id"), "call_id")


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
            _add_message(builder, item)
        case "function_call":
            builder.add_call({"name": item.get("name"), "arguments": item.get("arguments")}, position)
        case "custom_tool_call":
            text = string(item.get("input"), "a tool call's input")
            builder.add_call({"name": item.get("name"), "input": text}, position)
        case "reasoning":
            builder.add_reasoning(item.get("content") or item.get("summary"))
        case str(kind) if kind in _RUN_BY_PROVIDER:
            builder.leave_out("calls of the provider's own tools")
        case "mcp_approval_request":
            builder.add_call({"name": _approval(item), "arguments": item.get("arguments")}, position)
        case str(kind) if kind.endswith("_call") and kind != "image_generation_call":  # the client runs it
            arguments = {key: value for key, value in item.items() if key not in _NO_ARGUMENTS}
            builder.add_call({"name": kind, "arguments": arguments}, position)
        case kind:
            raise unsupported(f"an output item of type {clean(str(kind)[:80])}")


def _add_message(builder: ChoiceBuilder, item: dict[str, object]) -> None:
    content = items(item.get("content"), "content")
    builder.add_content(content)
    for part in content:
        found = part.get("logprobs") if isinstance(part, dict) else None
        builder.add_logprobs(items(found, "logprobs"))


def _approval(item: dict[str, object]) -> str:
    """Return the name of the remote tool that an item asks the user to approve. The name is compared like a call."""
    server, name = string(item.get("server_label"), "server_label"), string(item.get("name"), "name")
    return f"mcp_approval_request {server} {name}"
