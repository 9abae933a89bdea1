"""Streams of OpenAI's responses format whose last event leaves out the output."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from tests.support.answer_bodies import answer

PIECES = ("Take the ", "second ", "exit.")
WHOLE = "".join(PIECES)
ENDS: tuple[dict[str, Any], ...] = (
    {"status": "completed", "output": []},
    {"status": "completed"},
    {"status": "completed", "output": [{"type": "message", "content": []}]},
    {"status": "completed", "output": [{"type": "reasoning", "summary": []}]},
)
PLACES: tuple[dict[str, Any], ...] = (
    {},
    {"output_index": 0, "content_index": 0},
    {"item_id": "m", "output_index": 0, "content_index": 0},
    {"item_id": "m"},
)


def events(*docs: dict[str, Any], end: dict[str, Any]) -> str:
    last = {"type": "response.completed", "response": end}
    return "".join(f"event: {doc['type']}\ndata: {json.dumps(doc)}\n\n" for doc in (*docs, last))


def deltas(kind: str, pieces: tuple[str, ...], **more: Any) -> list[dict[str, Any]]:
    return [{"type": f"response.{kind}.delta", "delta": piece, **more} for piece in pieces]


def done(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}.done", **more}


@pytest.mark.parametrize(("end", "place"), list(itertools.product(ENDS, PLACES)))
def test_the_text_is_read_from_whichever_events_have_it(end: dict[str, Any], place: dict[str, Any]) -> None:
    by_delta = deltas("output_text", PIECES, **place)
    by_text = done("output_text", text=WHOLE, **place)
    by_part = done("content_part", part={"type": "output_text", "text": WHOLE}, **place)
    added = {"type": "response.output_item.added", "item": {"type": "message", "id": "m", "content": []}, **place}
    item = {"type": "message", "id": "m", "content": [{"type": "output_text", "text": WHOLE}]}
    by_item = done("output_item", item=item, **place)
    for docs in (by_delta, [by_text], [by_part], [by_item], [*by_delta, by_text, by_part, by_item]):
        assert answer(events(*docs, end=end)).text == WHOLE
        assert answer(events(added, *docs, end=end)).text == WHOLE


def test_the_output_of_the_last_event_counts_before_all_others() -> None:
    end = {"output": [{"type": "message", "content": [{"type": "output_text", "text": WHOLE}]}]}
    assert answer(events(*deltas("output_text", ("something else",)), end=end)).text == WHOLE


@pytest.mark.parametrize("end", ENDS)
def test_calls_are_read_in_the_order_of_their_index(end: dict[str, Any]) -> None:
    def call(index: int, name: str, arguments: tuple[str, ...]) -> list[dict[str, Any]]:
        item = {"type": "function_call", "id": f"f{index}", "call_id": f"c{index}", "name": name, "arguments": ""}
        added = {"type": "response.output_item.added", "output_index": index, "item": item}
        return [added, *deltas("function_call_arguments", arguments, item_id=f"f{index}", output_index=index)]

    found = answer(events(*call(1, "b", ('{"n"', ": 2}")), *call(0, "a", ('{"n": ', "1}")), end=end)).tool_calls
    assert [(one.name, one.arguments) for one in found] == [("a", {"n": 1}), ("b", {"n": 2})]


def test_a_custom_tool_and_a_refusal_are_read_from_deltas() -> None:
    added = {"type": "response.output_item.added", "item": {"type": "custom_tool_call", "name": "sql", "input": ""}}
    called = answer(events(added, *deltas("custom_tool_call_input", ("SELECT", " 1")), end={"output": []}))
    assert called.tool_calls[0].arguments == {"input": "SELECT 1"}
    refused = answer(events(*deltas("refusal", ("I ", "won't.")), end={"output": []}))
    assert (refused.text, refused.refusal) == ("", "I won't.")


def test_the_reasoning_is_kept_apart_from_the_text() -> None:
    reasoning = deltas("reasoning_summary_text", ("Left or ", "right?"), output_index=0, summary_index=0)
    found = answer(events(*reasoning, *deltas("output_text", PIECES, output_index=1), end={"output": []}))
    assert (found.text, found.reasoning) == (WHOLE, "Left or right?")


def test_items_with_other_ids_are_other_items() -> None:
    docs = [done("output_text", text=text, item_id=text) for text in ("One.", "Two.")]
    assert answer(events(*docs, end={"output": []})).text == "One.Two."
