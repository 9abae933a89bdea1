"""Answers that failed although their status says success, and answers that only look as if they failed."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glidepath.answer_content import TAIL
from glidepath.answer_faults import FAULTS, AnswerFault, Grade
from glidepath.failed_answers import failed_answer
from glidepath.last_events import DOCUMENT
from tests.fuzz.mutated_bytes import mutated
from tests.support.answer_bodies import call, chat, stream

JSON, SSE, NDJSON = "application/json", "text/event-stream", "application/x-ndjson"
PAGE = "<!DOCTYPE html><html><body>Please sign in.</body></html>"
FIXTURES = sorted((Path(__file__).parents[1] / "scorer/scoring/answers/fixtures").glob("*.json"))
DONE = "data: [DONE]\n\n"


def kind_of(body: object, content_type: str = JSON, status: int = 200, **more: Any) -> AnswerFault | None:
    raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    fault = failed_answer(status, content_type, raw, **more)
    return fault.kind if fault else None


def sse(*events: object) -> str:
    """Return a stream of events, each given as data or as (name, data)."""
    named = [event if isinstance(event, tuple) else ("", event) for event in events]
    return "".join(
        (f"event: {name}\n" if name else "") + f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n"
        for name, data in named
    )


def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


ERROR = {"error": {"message": "the engine stopped", "code": 500}}
BEGUN = (chunk({"role": "assistant", "content": ""}), chunk({"content": "The answer is"}))
CLAUDE = (
    {"type": "message_start", "message": {"type": "message", "role": "assistant", "content": []}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Yes"}},
)
COHERE = (
    {"type": "message-start", "delta": {"message": {"role": "assistant", "content": []}}},
    {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Yes"}}}},
)
IN_CHOICE = {"index": 0, "error": {"code": 502, "message": "the provider stopped"}, "finish_reason": None}
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
EMPTY_TEXT = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
RESPONSE = {"object": "response", "status": "completed", "error": None, "output": []}

LONG = RESPONSE | {"output": [{"type": "message", "content": [{"type": "output_text", "text": "x" * 2 * TAIL}]}]}

FAILED: tuple[tuple[AnswerFault, object, str], ...] = (
    (AnswerFault.WEB_PAGE, PAGE, "text/html; charset=utf-8"),
    (AnswerFault.WEB_PAGE, "<p>blocked</p>", "text/html"),
    (AnswerFault.WEB_PAGE, f"\n  {PAGE}", JSON),
    (AnswerFault.WEB_PAGE, PAGE, ""),
    (AnswerFault.WEB_PAGE, PAGE, SSE),
    (AnswerFault.EMPTY_BODY, "", JSON),
    (AnswerFault.EMPTY_BODY, " \r\n\n", SSE),
    (AnswerFault.MALFORMED_BODY, '{"choices": [', JSON),
    (AnswerFault.MALFORMED_BODY, "upstream connect error", JSON),
    (AnswerFault.MALFORMED_BODY, "{}}", "application/json; charset=utf-8"),
    (AnswerFault.MALFORMED_BODY, '{"a": "' + "x" * DOCUMENT, JSON),
    (AnswerFault.ERROR_BODY, ERROR, JSON),
    (AnswerFault.ERROR_BODY, {"error": "overloaded"}, ""),
    (AnswerFault.ERROR_BODY, {"type": "error", "message": "x"}, JSON),
    (AnswerFault.ERROR_BODY, {"object": "error", "message": "x"}, JSON),
    (AnswerFault.ERROR_BODY, [{"candidates": []}, ERROR], JSON),
    (AnswerFault.ERROR_BODY, RESPONSE | {"status": "failed"}, JSON),
    (AnswerFault.ERROR_BODY, chat({"content": "The"}, "error"), JSON),
    (AnswerFault.ERROR_BODY, "\n" * 200 + json.dumps(ERROR), ""),
    (AnswerFault.ERROR_BODY, ERROR, SSE),
    (AnswerFault.ERROR_EVENT, sse(*BEGUN, ERROR), SSE),
    (AnswerFault.ERROR_EVENT, sse(*BEGUN, ERROR), "text/plain; charset=utf-8"),
    (AnswerFault.ERROR_EVENT, sse(*BEGUN, ERROR, "[DONE]"), SSE),
    (AnswerFault.ERROR_EVENT, sse(ERROR, "[DONE]"), JSON),
    (AnswerFault.ERROR_EVENT, sse(*BEGUN, ERROR, *([chunk({"content": "x" * 999})] * 200), "[DONE]"), SSE),
    (AnswerFault.ERROR_EVENT, sse(*BEGUN, ("error", "gone")), SSE),
    (AnswerFault.ERROR_EVENT, "event: error\ndata:\n\n", SSE),
    (AnswerFault.ERROR_EVENT, sse(*BEGUN) + 'error: {"code": 500, "message": "x"}\n\n', SSE),
    (AnswerFault.ERROR_EVENT, sse(*BEGUN, chunk({}, "error"), "[DONE]"), SSE),
    (AnswerFault.ERROR_EVENT, sse(*CLAUDE, ("error", {"type": "error", "error": {"type": "overloaded_error"}})), SSE),
    (AnswerFault.ERROR_EVENT, sse({"type": "response.failed", "response": {"error": None}}), SSE),
    (AnswerFault.ERROR_EVENT, '{"message": {"content": "a"}, "done": false}\n{"error": "out of memory"}\n', NDJSON),
    (AnswerFault.UNFINISHED_STREAM, sse(*BEGUN), SSE),
    (AnswerFault.UNFINISHED_STREAM, sse(*BEGUN) + 'data: {"choices": [{"del', SSE),
    (AnswerFault.UNFINISHED_STREAM, sse(*CLAUDE), SSE),
    (AnswerFault.UNFINISHED_STREAM, sse({"type": "response.created"}, {"type": "response.output_text.delta"}), SSE),
    (AnswerFault.UNFINISHED_STREAM, sse({"candidates": [{"content": {"parts": [{"text": "a"}]}}]}), SSE),
    (AnswerFault.UNFINISHED_STREAM, sse({"content": "a", "stop": False}), SSE),
    (AnswerFault.UNFINISHED_STREAM, '{"message": {"content": "a"}, "done": false}\n' * 3, NDJSON),
    (AnswerFault.UNFINISHED_STREAM, sse(*([chunk({"content": "x" * 999})] * 500)), SSE),
    (AnswerFault.NO_ANSWER, DONE, SSE),
    (AnswerFault.NO_ANSWER, ": keep-alive\n\n", SSE),
    (AnswerFault.NO_ANSWER, {"object": "chat.completion", "choices": []}, JSON),
    (AnswerFault.NO_ANSWER, {"candidates": [], "usageMetadata": {}}, JSON),
    (AnswerFault.EMPTY_ANSWER, chat({"role": "assistant", "content": ""}), JSON),
    (AnswerFault.EMPTY_ANSWER, chat({"role": "assistant", "content": None, "tool_calls": []}), JSON),
    (AnswerFault.EMPTY_ANSWER, sse(chunk({"role": "assistant", "content": ""}), chunk({}, "stop"), "[DONE]"), SSE),
    (AnswerFault.EMPTY_ANSWER, sse(chunk({"role": "assistant"}), "[DONE]"), SSE),
    (AnswerFault.EMPTY_ANSWER, {"type": "message", "content": [], "stop_reason": "end_turn"}, JSON),
    (AnswerFault.EMPTY_ANSWER, RESPONSE | {"output": [{"type": "reasoning", "summary": []}]}, JSON),
    (AnswerFault.EMPTY_ANSWER, {"candidates": [{"content": {"parts": []}, "finishReason": "STOP"}]}, JSON),
    (AnswerFault.EMPTY_ANSWER, {"content": "", "stop": True, "stop_type": "eos"}, JSON),
    (AnswerFault.EMPTY_ANSWER, {"message": {"content": ""}, "done": True, "done_reason": "stop"}, JSON),
    (AnswerFault.EMPTY_ANSWER, chat({"content": None, "reasoning_content": "It is Lima."}), JSON),
    (AnswerFault.EMPTY_ANSWER, chat({"content": "", "reasoning": "It is Lima."}), JSON),
    (AnswerFault.EMPTY_ANSWER, chat({"content": " \n\t "}), JSON),
    (AnswerFault.EMPTY_ANSWER, sse(chunk({"reasoning_content": "Hm."}), chunk({"content": "\n"}, "stop")), SSE),
    (AnswerFault.EMPTY_ANSWER, {"type": "message", "content": [THOUGHT], "stop_reason": "end_turn"}, JSON),
    (AnswerFault.EMPTY_ANSWER, RESPONSE | {"output": [{"type": "message", "content": [EMPTY_TEXT]}]}, JSON),
    (AnswerFault.EMPTY_ANSWER, {"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL"}]}, JSON),
    (AnswerFault.EMPTY_ANSWER, {"output": {"message": {"content": []}}, "stopReason": "malformed_tool_use"}, JSON),
    (AnswerFault.EMPTY_ANSWER, sse(COHERE[0], {"type": "message-end", "delta": {"finish_reason": "COMPLETE"}}), SSE),
    (AnswerFault.UNFINISHED_STREAM, sse(*COHERE), SSE),
    (AnswerFault.UNFINISHED_STREAM, sse({"token": {"text": "a"}, "generated_text": None}), SSE),
    (AnswerFault.UNFINISHED_STREAM, sse({"text": "a", "meta_info": {"finish_reason": None}}), SSE),
    (AnswerFault.ERROR_BODY, {"text": "a", "meta_info": {"finish_reason": {"type": "abort"}}}, "application/json"),
    (AnswerFault.EMPTY_ANSWER, {"text": "", "meta_info": {"finish_reason": {"type": "stop"}}}, "application/json"),
    (AnswerFault.NO_ANSWER, {"object": "chat.completion", "choices": None}, JSON),
    (AnswerFault.NO_ANSWER, {"object": "chat.completion", "usage": {"prompt_tokens": 1}}, JSON),
    (AnswerFault.NO_ANSWER, {"choices": [], "usage": {}}, JSON),
    (AnswerFault.NO_ANSWER, {}, JSON),
    (AnswerFault.NO_ANSWER, "null", JSON),
    (AnswerFault.ERROR_BODY, {"detail": "Internal error"}, JSON),
    (AnswerFault.ERROR_BODY, {"detail": [{"loc": ["body"], "msg": "field required"}]}, JSON),
    (AnswerFault.ERROR_BODY, {"__type": "ThrottlingException", "message": "slow down"}, JSON),
    (AnswerFault.ERROR_BODY, {"success": False, "errors": [{"code": 7003}], "result": None}, JSON),
    (AnswerFault.ERROR_BODY, {"errors": [{"message": "x"}], "data": None}, JSON),
    (AnswerFault.ERROR_BODY, {"status": "error", "message": "overloaded"}, JSON),
    (AnswerFault.ERROR_BODY, {"code": "Throttling", "message": "x", "request_id": "r"}, JSON),
    (AnswerFault.ERROR_BODY, chat({"content": "The cap"}, "abort"), JSON),
    (AnswerFault.ERROR_EVENT, sse(*BEGUN, chunk({}, "abort"), "[DONE]"), SSE),
    (AnswerFault.ERROR_BODY, chat({"content": "The"}, "network_error"), JSON),
    (AnswerFault.ERROR_EVENT, sse(*BEGUN, chunk({}, "insufficient_system_resource"), "[DONE]"), SSE),
    (AnswerFault.ERROR_BODY, {"choices": [IN_CHOICE | {"message": {"content": ""}}]}, JSON),
    (AnswerFault.ERROR_EVENT, sse(*BEGUN, {"choices": [IN_CHOICE | {"delta": {"content": ""}}]}, "[DONE]"), SSE),
    (AnswerFault.ERROR_EVENT, sse(*BEGUN, {"detail": "the engine stopped"}, "[DONE]"), SSE),
    (AnswerFault.ERROR_EVENT, sse({"message": "the engine stopped", "code": 500}, "[DONE]"), SSE),
)


@pytest.mark.parametrize(("kind", "body", "content_type"), FAILED)
def test_an_answer_that_no_client_can_use_failed(kind: AnswerFault, body: object, content_type: str) -> None:
    assert kind_of(body, content_type) is kind
    assert kind.grade is Grade.FAILED


GOOD: tuple[tuple[object, str], ...] = (
    (chat({"content": "Call it with <html> and an error: 500."}), JSON),
    (chat({"content": PAGE}), JSON),
    (chat({"content": json.dumps(ERROR)}), JSON),
    (stream({"content": f"event: error\ndata: {json.dumps(ERROR)}\n\n"}), SSE),
    (chat({"content": "", "tool_calls": [call("f", "{}", 0, "a")]}, "tool_calls"), JSON),
    (chat({"content": None, "refusal": "No."}), JSON),
    (chat({"content": ""}, "length"), JSON),
    (chat({"content": ""}, "content_filter"), JSON),
    (chat({"content": "Yes."}, error=None), JSON),
    (chat({"content": [{"type": "text", "text": "Yes."}]}), JSON),
    (chat({"content": None, "audio": {"data": "UklGRg=="}}), JSON),
    (stream({"content": "Yes."}, done=False), SSE),
    (sse(*BEGUN, "[DONE]"), SSE),
    (sse(*BEGUN, chunk({}, "stop"), {"choices": [], "usage": {"prompt_tokens": 1}}), SSE),
    (sse(*BEGUN, chunk({}, "stop")) + ": done\n\nevent: ping\ndata: ok\n\n", SSE),
    (sse({"choices": [{"index": 0, "delta": {"content": "x" * 2 * TAIL}, "finish_reason": "stop"}]}), SSE),
    (sse({"type": "response.completed", "response": LONG}), SSE),
    (sse(*CLAUDE, {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, {"type": "message_stop"}), SSE),
    (sse("plain words", "and more"), SSE),
    (sse({"token": {"text": "a"}}, {"token": {"text": "b"}, "generated_text": "ab"}), SSE),
    (RESPONSE | {"output": [{"type": "message", "content": [{"type": "output_text", "text": "a"}]}]}, JSON),
    (RESPONSE | {"output": [{"type": "function_call", "name": "f"}]}, JSON),
    (RESPONSE | {"status": "in_progress"}, JSON),
    ({"candidates": [], "promptFeedback": {"blockReason": "SAFETY"}}, JSON),
    ({"candidates": [{"finishReason": "SAFETY"}]}, JSON),
    (
        {"candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "args": {}}}]}, "finishReason": "STOP"}]},
        JSON,
    ),
    ({"results": []}, JSON),
    ({"object": "list", "data": [{"embedding": [0.5]}]}, JSON),
    ({"error": 0.25, "value": 3}, JSON),
    (sse({"content": "a", "stop": False}, {"content": "", "stop": True, "stop_type": "eos"}), SSE),
    ({"content": "", "stop": True, "stop_type": "limit"}, JSON),
    ({"content": "", "stop": True, "stopped_limit": True}, JSON),
    ("[" + "0.25, " * DOCUMENT + "1]", JSON),
    ('"just text"', JSON),
    ("Hello <html>", "text/plain"),
    ("data: three apples\n\nevent: error\ndata: no disk\n\n", "text/plain"),
    ("event: error\n\nis what the server wrote", "text/markdown"),
    (sse(*BEGUN, chunk({}, "stop")), "text/plain"),
    (PAGE, "text/plain"),
    ("{curly} words", "text/plain"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"", "application/grpc"),  # a failed call: its status is in the access log
    ('{"response": "a", "done": false}\n{"response": "", "done": true}\n', NDJSON),
    (chat({"content": "\n\nYes.", "reasoning_content": "Hm."}), JSON),
    (chat({"content": None, "reasoning_content": "Hm."}, "length"), JSON),
    ({"detail": "blue", "answer": "Yes."}, JSON),
    ({"message": "Yes."}, JSON),
    ({"code": 0, "message": "Yes."}, JSON),
    ({"success": True, "message": "Yes."}, JSON),
    ({"errors": [], "data": {"answer": "Yes."}}, JSON),
    ("[]", JSON),
)


@pytest.mark.parametrize(("body", "content_type"), GOOD)
def test_an_answer_that_only_looks_broken_has_not_failed(body: object, content_type: str) -> None:
    assert kind_of(body, content_type) is None


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirection_failed(status: int) -> None:
    assert kind_of("", "", status) is AnswerFault.REDIRECT


@pytest.mark.parametrize("status", [0, 101, 400, 404, 429, 500, 503])
def test_an_answer_with_another_status_has_no_further_fault(status: int) -> None:
    assert kind_of(ERROR, JSON, status) is None


@pytest.mark.parametrize("body", ["", '{"choices": [', sse(*BEGUN)])
def test_an_answer_that_the_capture_cut_is_not_judged_by_its_end(body: str) -> None:
    assert kind_of(body, SSE if body.startswith("data") else JSON, cut=True) is None


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_recorded_answers_are_good_and_recorded_errors_failed(path: Path) -> None:
    raw = json.loads(path.read_text())
    body = base64.b64decode(raw["response_base64"]) if "response_base64" in raw else raw["response"].encode()
    fault = failed_answer(200, raw["content_type"], body)
    if "error" not in path.stem:
        assert fault is None
    elif path.stem.endswith("stream_error") or b'"error"' in body:
        assert fault is not None
        assert fault.kind in {AnswerFault.ERROR_BODY, AnswerFault.ERROR_EVENT}
    else:  # a message alone may be an answer of a custom format
        assert fault is None


@pytest.mark.parametrize("path", [path for path in FIXTURES if path.stem.endswith("_stream")], ids=lambda p: p.stem)
def test_a_stream_cut_anywhere_is_unfinished_or_undecided(path: Path) -> None:
    raw = json.loads(path.read_text())
    body = base64.b64decode(raw["response_base64"]) if "response_base64" in raw else raw["response"].encode()
    allowed = {None, AnswerFault.UNFINISHED_STREAM, AnswerFault.NO_ANSWER, AnswerFault.EMPTY_ANSWER}
    allowed |= {AnswerFault.EMPTY_BODY, AnswerFault.MALFORMED_BODY}
    for end in range(1, len(body), 7):
        assert kind_of(body[:end], raw["content_type"]) in allowed


@settings(max_examples=300)
@given(
    mutated(tuple(str(body).encode() for _, body, _ in FAILED)), st.sampled_from((JSON, SSE, NDJSON, "", "text/plain"))
)
def test_any_bytes_have_a_typed_outcome(body: bytes, content_type: str) -> None:
    fault = failed_answer(200, content_type, body)
    assert fault is None or fault.grade is Grade.FAILED


def test_every_kind_is_described() -> None:
    assert set(FAULTS) == set(AnswerFault)
    text = (Path(__file__).parents[2] / "docs/reference/answer-faults.md").read_text()
    for kind, meaning in FAULTS.items():
        assert f"| `{kind}` | {meaning.grade} | {meaning.meaning} | {meaning.seen_by} |" in text


OWN_API = (
    {"code": 20000, "message": "Lima is sunny.", "request_id": "r"},
    {"code": "SELECT 1", "message": "This query returns one row."},
    {"errors": [{"offset": 3, "rule": "comma"}]},
    {"detail": "Lima is sunny."},
    {"success": False, "label": "spam"},
    {"status": "error", "service": "db"},
    {"__type": "Answer:#Contoso", "Text": "Lima is sunny."},
    {},
    None,
)


@pytest.mark.parametrize("answer", OWN_API, ids=json.dumps)
def test_what_another_api_calls_an_error_may_be_an_answer_of_the_users_own_api(answer: object) -> None:
    assert kind_of(answer, known_api=False) is None
    assert kind_of(answer) in (AnswerFault.ERROR_BODY, AnswerFault.NO_ANSWER)


def test_an_error_without_its_field_may_be_an_event_of_the_users_own_api() -> None:
    assert kind_of(sse({"detail": "Lima"}, {"detail": "is sunny."}), SSE, known_api=False) is None


def test_an_error_with_its_field_is_an_error_of_any_api() -> None:
    assert kind_of(ERROR, known_api=False) is AnswerFault.ERROR_BODY
    assert kind_of({"type": "error", "message": "overloaded"}, known_api=False) is AnswerFault.ERROR_BODY


COMPLETED = (
    {"object": "text_completion", "choices": [{"text": "\n", "index": 0, "finish_reason": "stop"}]},
    {"object": "text_completion", "choices": [{"text": "    ", "index": 0, "finish_reason": "stop"}]},
    {"content": "\n", "stop": True, "stop_type": "word"},  # llama.cpp's /infill
    {"response": " ", "done": True, "done_reason": "stop"},  # Ollama's /api/generate
    {"text": "\n", "meta_info": {"finish_reason": {"type": "stop"}}},  # SGLang's /generate
)


@pytest.mark.parametrize("answer", COMPLETED, ids=json.dumps)
def test_white_space_completes_a_text_or_code(answer: dict[str, Any]) -> None:
    """White space from a chat is an empty answer."""
    assert kind_of(answer) is None
    assert kind_of(sse(answer) + DONE, SSE) is None
    assert kind_of(
        json.loads(json.dumps(answer).replace('"\\n"', '""').replace('" "', '""').replace('"    "', '""'))
    ) is (AnswerFault.EMPTY_ANSWER)
    assert kind_of(chat("\n")) is AnswerFault.EMPTY_ANSWER


@pytest.mark.parametrize(
    "answer",
    [
        {"generation": "Lima.", "prompt_token_count": 3, "generation_token_count": 2, "stop_reason": "stop"},  # Llama
        {
            "type": "completion",
            "completion": " Lima.",
            "stop_reason": "stop_sequence",
            "stop": "\n\nHuman:",
        },  # Claude 2
        {"outputs": [{"text": "Lima.", "stop_reason": "stop"}]},  # Mistral
    ],
    ids=["Llama", "Claude", "Mistral"],
)
def test_answers_of_models_on_bedrock_are_no_failures(answer: dict[str, Any]) -> None:
    assert kind_of(answer) is None
