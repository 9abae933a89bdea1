"""Find tool calls and JSON that do not follow the request's tools and schemas."""

from __future__ import annotations

from collections.abc import Iterator

from glidepath.answer_faults import AnswerFault, FoundFault
from scorer.scoring.answers import Choice, Expectation, FinishReason, ToolCall
from scorer.scoring.compare.structured.json_schema import schema_error

MAX_CALLS = 16  # calls that are checked
_SHOWN = 200


def call_and_schema_faults(choice: Choice, expected: Expectation) -> Iterator[FoundFault]:
    """Yield at most one fault of each kind. An answer that a length limit has cut off is not checked."""
    if choice.finish_reason is FinishReason.LENGTH:
        return
    known: set[AnswerFault] = set()
    for call in choice.tool_calls[:MAX_CALLS]:
        fault = _call_fault(call, expected)
        if fault is not None and fault.kind not in known:
            known.add(fault.kind)
            yield fault
    if expected.json_mode and choice.text and not choice.tool_calls:
        if choice.structured_error:
            yield FoundFault(AnswerFault.INVALID_JSON, choice.structured_error)
        elif error := schema_error(choice.structured, expected.schema):
            yield FoundFault(AnswerFault.SCHEMA_VIOLATION, error[:_SHOWN])


def _call_fault(call: ToolCall, expected: Expectation) -> FoundFault | None:
    """Return the fault of a call, or None. A call of a tool that the provider defines, such as a shell, has none."""
    if call.error:
        return FoundFault(AnswerFault.INVALID_ARGUMENTS, f"{call.name}: {call.error}"[:_SHOWN])
    if not expected.functions:
        return None
    if call.name not in expected.functions:
        offered = call.name in expected.tools or call.name.endswith("_call") or " " in call.name
        return None if offered else FoundFault(AnswerFault.UNKNOWN_TOOL, call.name[:_SHOWN])
    error = schema_error(call.arguments, expected.functions[call.name])
    return FoundFault(AnswerFault.INVALID_ARGUMENTS, f"{call.name}: {error}"[:_SHOWN]) if error else None
