"""Content of a kind that no reader knows makes an answer unusable. A difference in content of a known kind is found."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scorer.scoring.answers import Extracted, UnusableReason
from tests.support.answer_bodies import answer, chat, stream

GEMINI = "/v1beta/models/gemini:generateContent"
BEDROCK = "/model/m/converse"


def anthropic(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "content": list(blocks), "stop_reason": "end_turn"}


def gemini(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": list(parts)}, "finishReason": "STOP"}]}


def bedrock(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"output": {"message": {"content": list(blocks)}}, "stopReason": "end_turn"}


def responses(*items: dict[str, Any]) -> dict[str, Any]:
    return {"object": "response", "status": "completed", "output": list(items)}


def anthropic_delta(delta: dict[str, Any]) -> str:
    events = [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "message_stop"},
    ]
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events)


TEXT = {"type": "text", "text": "See the picture."}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0="}}


@pytest.mark.parametrize(
    "body",
    [
        chat({"content": "See the picture.", "images": [PICTURE]}),
        chat({"content": [{"type": "text", "text": "See the picture."}, PICTURE]}),
        chat({"content": None, "audio": {"id": "a", "data": "UklGRg=="}}),
        stream({"content": "See."}, {"images": [PICTURE]}),
        stream({"audio": {"id": "a"}}, {"audio": {"data": "UklGRg=="}}),
        responses({"type": "image_generation_call", "id": "i", "result": "iVBORw0="}),
        responses({"type": "message", "content": [{"type": "output_audio", "data": "UklGRg=="}]}),
        responses({"type": "some_new_item", "payload": "x"}),
        responses({"type": "web_search_call", "id": "w", "status": "completed"}),
        anthropic(TEXT, {"type": "container_upload", "file_id": "f"}),
        anthropic({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}}),
        anthropic_delta({"type": "picture_delta", "data": "iVBORw0="}),
        gemini({"text": "See."}, {"inlineData": {"mimeType": "image/png", "data": "iVBORw0="}}),
        gemini({"fileData": {"fileUri": "gs://b/o"}}),
        gemini({"executableCode": {"language": "PYTHON", "code": "print(6 * 7)"}}),
        bedrock({"text": "See."}, {"image": {"format": "png", "source": {"bytes": "iVBORw0="}}}),
        bedrock({"document": {"name": "d"}}),
        {"model": "m", "response": "", "done": True, "image": "iVBORw0="},
        {"model": "m", "message": {"role": "assistant", "content": "", "images": ["iVBORw0="]}, "done": True},
        {"finish_reason": "COMPLETE", "message": {"content": [{"type": "video_url", "video_url": {"url": "u"}}]}},
    ],
)
def test_an_answer_of_which_a_part_is_not_read_is_unsupported(body: object) -> None:
    found = answer(body)
    assert found.reason is UnusableReason.UNSUPPORTED
    assert found.detail


@pytest.mark.parametrize("kind", ["audio/mpeg", "image/png", "video/mp4", "multipart/mixed; boundary=b", "text/html"])
def test_a_body_that_is_no_text_is_unsupported(kind: str) -> None:
    assert answer(b"\x00\x01\x02", content_type=kind).reason is UnusableReason.UNSUPPORTED


@pytest.mark.parametrize(
    "body",
    [
        chat({"content": [{"type": "text", "text": "Lima."}, {"type": "reference", "reference_ids": [1]}]}),
        chat({"content": "Lima.", "annotations": [{"type": "url_citation"}], "images": [], "audio": None}),
        responses(
            {"type": "web_search_call", "id": "w", "status": "completed"},
            {"type": "message", "content": [{"type": "output_text", "text": "Lima."}]},
        ),
        responses(
            {"type": "shell_call", "call_id": "c", "action": {"commands": ["ls"]}},
            {"type": "shell_call_output", "call_id": "c", "output": []},
            {"type": "message", "content": [{"type": "output_text", "text": "Lima."}]},
        ),
        anthropic(
            {"type": "redacted_thinking", "data": "x"},
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}},
            {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
            {"type": "text", "text": "Lima."},
        ),
        gemini(
            {"executableCode": {"code": "1"}},
            {"codeExecutionResult": {"output": "1"}},
            {"text": "Lima.", "thoughtSignature": "s"},
        ),
        bedrock({"citationsContent": {"content": [{"text": "Lima."}], "citations": []}}),
    ],
)
def test_what_the_provider_did_itself_needs_no_comparison_if_its_result_is_in_the_text(body: object) -> None:
    found = answer(body)
    assert isinstance(found, Extracted)
    assert (found.text, found.tool_calls) == ("Lima.", ())


CALLS: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
    ({"type": "local_shell_call", "action": {"command": ["ls"]}}, {"action": {"command": ["reboot"]}}),
    ({"type": "shell_call", "action": {"commands": ["ls"]}}, {"action": {"commands": ["reboot"]}}),
    ({"type": "computer_call", "action": {"type": "wait"}}, {"action": {"type": "click", "x": 3, "y": 4}}),
    ({"type": "apply_patch_call", "operation": {"type": "create_file"}}, {"operation": {"type": "delete_file"}}),
    ({"type": "mcp_approval_request", "server_label": "s", "name": "read", "arguments": "{}"}, {"name": "erase"}),
    ({"type": "custom_tool_call", "name": "sql", "input": "SELECT 1"}, {"input": "DROP TABLE t"}),
    ({"type": "some_future_call", "plan": "a"}, {"plan": "b"}),
)


@pytest.mark.parametrize(("item", "change"), CALLS)
def test_calls_that_the_client_runs_are_compared_without_their_ids(
    item: dict[str, Any], change: dict[str, Any]
) -> None:
    ids = {"id": "a", "call_id": "b", "status": "completed"}
    one, same, other = (
        answer(responses(item | ids)),
        answer(responses(item | {"id": "c", "call_id": "d", "status": "in_progress"})),
        answer(responses(item | ids | change)),
    )
    assert one.tool_calls
    assert one.content == same.content
    assert one.content != other.content


def test_the_input_of_a_custom_tool_is_read_whole_and_streamed() -> None:
    whole = {"id": "c", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}
    pieces = [{"index": 0, "custom": {"input": text}} for text in ("SELECT", " 1")]
    first = {"index": 0, "id": "c", "type": "custom", "custom": {"name": "sql", "input": ""}}
    streamed = answer(stream(*({"tool_calls": [piece]} for piece in (first, *pieces)), finish="tool_calls"))
    assert streamed.tool_calls[0].arguments == {"input": "SELECT 1"}
    assert streamed.content == answer(chat({"content": None, "tool_calls": [whole]}, "tool_calls")).content


def test_a_call_of_an_unknown_kind_is_compared_by_all_its_fields() -> None:
    one, other = (
        answer(chat({"content": None, "tool_calls": [{"id": "c", "type": "retrieval", "retrieval": {"query": q}}]}))
        for q in ("cats", "dogs")
    )
    assert one.content != other.content


def test_the_transcript_of_spoken_content_is_the_text() -> None:
    whole = answer(chat({"content": None, "audio": {"id": "a", "data": "UklGRg==", "transcript": "Good day."}}))
    pieces = ({"audio": {"id": "a", "transcript": "Good "}}, {"audio": {"transcript": "day.", "data": "UklGRg=="}})
    assert whole.text == answer(stream(*pieces)).text == "Good day."
