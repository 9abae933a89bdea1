"""One answer judged by itself: its body, its calls and its JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from glidepath.answer_faults import AnswerFault, FoundFault
from glidepath.failed_answers import failed_answer
from scorer.scoring.answers import CustomSurface, expectation, extract
from scorer.scoring.judge.judge_answer import has_failed, judge_answer, only_one_side
from tests.support.answer_bodies import call, chat, stream

PATH = "/v1/chat/completions"
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
GEMINI_CITY = {"type": "OBJECT", "properties": {"city": {"type": "STRING", "nullable": True}}, "required": ["city"]}
ASK: dict[str, Any] = {"messages": [{"role": "user", "content": "What is the weather in Lima?"}]}
OPENAI = {"type": "function", "function": {"name": "weather", "parameters": CITY}}
TOOLS = ASK | {"tools": [OPENAI]}
JSON_MODE = ASK | {"response_format": {"type": "json_schema", "json_schema": {"name": "c", "schema": CITY}}}


def judged(
    body: object,
    request: dict[str, Any] = ASK,
    kind: str = "application/json",
    status: int = 200,
    cut: bool = False,
    path: str = PATH,
    declared: bool = False,
) -> tuple[FoundFault, ...]:
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    asked = json.dumps(request).encode()
    custom = CustomSurface("$.detail") if declared else None
    found = extract(
        path=path, content_type=kind, status=status, request_body=asked, response_body=raw, body_cut=cut, custom=custom
    )
    expected = expectation(path, asked)
    return judge_answer(
        status=status, content_type=kind, body=raw, cut=cut, expected=expected, found=found, declared=declared
    )


def kinds(*args: Any, **more: Any) -> list[AnswerFault]:
    return [fault.kind for fault in judged(*args, **more)]


def calling(name: str = "weather", arguments: str = '{"city": "Lima"}') -> dict[str, Any]:
    return chat({"content": None, "tool_calls": [call(name, arguments, 0, "c")]}, "tool_calls")


@pytest.mark.parametrize(
    ("body", "request_", "kind"),
    [
        (calling(), TOOLS, None),
        (calling("forecast"), TOOLS, AnswerFault.UNKNOWN_TOOL),
        (calling(arguments='{"city": 5}'), TOOLS, AnswerFault.INVALID_ARGUMENTS),
        (calling(arguments='{"town": "Lima"}'), TOOLS, AnswerFault.INVALID_ARGUMENTS),
        (calling(arguments='{"city": "Li'), TOOLS, AnswerFault.INVALID_ARGUMENTS),
        (calling(arguments=""), TOOLS, AnswerFault.INVALID_ARGUMENTS),
        (calling("forecast"), ASK, None),
        (calling(arguments="{"), ASK, AnswerFault.INVALID_ARGUMENTS),
        (calling("web_search"), ASK | {"tools": [OPENAI, {"type": "web_search"}]}, None),
        (calling(), ASK | {"tools": [{"name": "weather", "input_schema": CITY}]}, None),
        (chat({"content": '{"city": "Lima"}'}), JSON_MODE, None),
        (chat({"content": '{"city": 5}'}), JSON_MODE, AnswerFault.SCHEMA_VIOLATION),
        (chat({"content": 'Sure: {"city": "Lima"}'}), JSON_MODE, AnswerFault.INVALID_JSON),
        (chat({"content": "Sunny."}), JSON_MODE | {"response_format": {"type": "text"}}, None),
    ],
)
def test_calls_and_json_are_checked_against_the_request(
    body: object, request_: dict[str, Any], kind: AnswerFault | None
) -> None:
    assert kinds(body, request_) == ([kind] if kind else [])


@pytest.mark.parametrize(
    "offer",
    [
        {"tools": [{"type": "function", "name": "weather", "parameters": CITY}]},
        {"tools": [{"name": "weather", "input_schema": CITY}]},
        {"tools": [{"functionDeclarations": [{"name": "weather", "parameters": CITY}]}]},
        {"toolConfig": {"tools": [{"toolSpec": {"name": "weather", "inputSchema": {"json": CITY}}}]}},
        {"functions": [{"name": "weather", "parameters": CITY}]},
        {"tools": [{"functionDeclarations": [{"name": "weather", "parameters": GEMINI_CITY}]}]},
    ],
)
def test_the_schema_of_a_tool_is_found_in_every_format(offer: dict[str, Any]) -> None:
    assert kinds(calling(), ASK | offer) == []
    assert kinds(calling(arguments="{}"), ASK | offer) == [AnswerFault.INVALID_ARGUMENTS]


@pytest.mark.parametrize("schema", [None, {}, {"type": 5}, {"type": "OBJECT"}, 7])
def test_a_tool_without_a_usable_schema_accepts_all_arguments(schema: object) -> None:
    function = {"name": "weather"} | ({} if schema is None else {"parameters": schema})
    assert kinds(calling(arguments="{}"), ASK | {"tools": [{"type": "function", "function": function}]}) == []


@pytest.mark.parametrize("body", [calling(arguments='{"city": "Li'), chat({"content": '{"city": "Li'})])
def test_an_answer_that_a_limit_cut_has_one_defect_and_not_two(body: dict[str, Any]) -> None:
    body["choices"][0]["finish_reason"] = "length"
    assert kinds(body, JSON_MODE | {"tools": [OPENAI]}) == [AnswerFault.CUT]


def test_a_failed_answer_has_its_failure_only() -> None:
    error = 'data: {"error": {"message": "gone"}}\n\n'
    begun = stream({"content": "I'm sorry, but I can't help."}, done=False).rpartition("data: ")[0]
    faults = judged(begun + error, kind="text/event-stream")
    assert [fault.kind for fault in faults] == [AnswerFault.ERROR_EVENT]
    assert has_failed(faults)


TWO = ASK | {"n": 2}
ARRAY = [{"candidates": [{"content": {"parts": [{"text": "a"}], "role": "model"}, "index": 0}]}]
THOUGHT = {"candidates": [{"content": {"parts": [{"text": "Hm.", "thought": True}]}, "finishReason": "STOP"}]}


@pytest.mark.parametrize(
    ("body", "request_", "kind"),
    [
        (stream({"content": "a"}, done=False), TWO, "text/event-stream"),  # one of two choices
        (ARRAY, ASK, "application/json"),  # no finish reason
        (THOUGHT, ASK, "application/json"),  # no content
        ({"generated_text": ""}, ASK, "application/json"),
        ({"error_code": 336003, "error_msg": "too long"}, ASK, "application/json"),  # of no known API
        ("<Error><Code>AccessDenied</Code></Error>", ASK, "application/xml"),
        ("upstream request timeout", ASK, "text/plain"),
    ],
)
def test_an_unusable_answer_that_extproc_takes_for_good_is_a_defect(
    body: object, request_: dict[str, Any], kind: str
) -> None:
    """Extproc has not counted the answer as an error, so only the gate of defects can detect it."""
    assert failed_answer(200, kind, body.encode() if isinstance(body, str) else json.dumps(body).encode()) is None
    faults = judged(body, request_, kind)
    assert [fault.kind for fault in faults] == [AnswerFault.UNUSABLE]
    assert not has_failed(faults)


def test_a_format_that_nobody_knows_is_no_fault_at_a_path_that_nobody_knows() -> None:
    expected = expectation("/ask", b"{}")
    for raw, kind in ((b'{"reply": "Sunny."}', "application/json"), (b"Sunny.", "text/plain"), (b"<a/>", "text/xml")):
        found = extract(path="/ask", content_type=kind, status=200, request_body=b"{}", response_body=raw)
        assert judge_answer(status=200, content_type=kind, body=raw, cut=False, expected=expected, found=found) == ()


def test_plain_text_in_a_file_of_pairs_is_no_fault() -> None:
    assert kinds("It is sunny in Lima today.", kind="") == []


@pytest.mark.parametrize("status", [400, 429, 500, 503])
def test_an_answer_with_an_error_status_has_no_further_fault(status: int) -> None:
    assert kinds({"error": "x"}, status=status) == []


def test_unread_content_and_a_cut_capture_are_no_faults() -> None:
    assert kinds(chat({"content": None, "images": [{"image_url": {"url": "x"}}]})) == []
    assert kinds('{"choices": [', cut=True) == []


def test_only_faults_of_one_side_count_as_a_difference() -> None:
    cut, refusal = FoundFault(AnswerFault.CUT, "a"), FoundFault(AnswerFault.REFUSAL, "b")
    assert only_one_side((cut,), (cut, refusal)) == (frozenset(), {AnswerFault.REFUSAL})
    assert only_one_side((FoundFault(AnswerFault.CUT, "x"),), (cut,)) == (frozenset(), frozenset())


@pytest.mark.parametrize(
    ("path", "declared", "found"),
    [(PATH, False, [AnswerFault.ERROR_BODY]), (PATH, True, []), ("/ask", False, []), ("/ask", True, [])],
)
def test_an_error_without_its_field_may_be_an_answer_of_the_users_own_api(
    path: str, declared: bool, found: list[AnswerFault]
) -> None:
    assert kinds({"detail": "Lima is sunny."}, path=path, declared=declared) == found


@pytest.mark.parametrize("text", ["\n", "    "])
def test_white_space_is_an_answer_where_a_text_or_code_is_completed(text: str) -> None:
    completed = {"object": "text_completion", "choices": [{"text": text, "index": 0, "finish_reason": "stop"}]}
    assert kinds(completed, {"prompt": "def f():"}, path="/v1/completions") == []
    assert kinds(chat(text)) == [AnswerFault.EMPTY_ANSWER]


def test_texts_of_mistrals_models_on_bedrock_are_no_tensors() -> None:
    assert kinds({"outputs": [{"text": "Lima.", "stop_reason": "stop"}]}, path="/model/mistral/invoke") == []
