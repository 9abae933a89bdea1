"""What real servers do beside their references."""

import json

import pytest

from scorer.scoring.answers import CustomSurface, Extracted, FinishReason, Unusable, UnusableReason, extract

ASK = b'{"messages": [{"role": "user", "content": "hi"}]}'


def answer(body, request=ASK, content_type="application/json", path="/v1/chat/completions", **more):
    raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return extract(path=path, content_type=content_type, status=200, request_body=request, response_body=raw, **more)


def chat(message, finish="stop", **more):
    return {"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": finish}], **more}


def stream(*deltas, finish="stop", done=True, ending="\n\n"):
    docs = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    docs.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    return ending.join([f"data: {json.dumps(doc)}" for doc in docs] + (["data: [DONE]"] if done else [])) + ending


def call(name=None, arguments=None, index=None, call_id=None):
    return {"index": index, "id": call_id, "function": {"name": name, "arguments": arguments}}


def test_parallel_tool_calls_are_assembled_by_index():
    deltas = [
        {"tool_calls": [call("a", "", 0, "x"), call("b", '{"n"', 1, "y")]},
        {"tool_calls": [call(None, ": 1}", 1)]},
        {"tool_calls": [call(None, '{"m": 2}', 0)]},
    ]
    calls = answer(stream(*deltas, finish="tool_calls")).tool_calls
    assert [(c.name, c.arguments) for c in calls] == [("a", {"m": 2}), ("b", {"n": 1})]


def test_calls_that_share_an_index_are_told_apart_by_id():
    deltas = [{"tool_calls": [call("a", "{}", 0, "x")]}, {"tool_calls": [call("b", "{}", 0, "y")]}]
    assert [c.name for c in answer(stream(*deltas)).tool_calls] == ["a", "b"]


def test_calls_without_index_and_id_begin_with_a_name():
    deltas = [
        {"tool_calls": [call("a", '{"n"')]},
        {"tool_calls": [call(None, ": 1}")]},
        {"tool_calls": [call("a", '{"n": 2}')]},
    ]
    assert [c.arguments for c in answer(stream(*deltas)).tool_calls] == [{"n": 1}, {"n": 2}]


def test_a_name_repeated_with_every_delta_is_one_name():
    deltas = [{"tool_calls": [call("weather", "{", 0, "x")]}, {"tool_calls": [call("weather", "}", 0, "x")]}]
    assert [(c.name, c.arguments) for c in answer(stream(*deltas)).tool_calls] == [("weather", {})]


def test_arguments_that_are_no_json_are_the_models_fault_and_kept():
    found = answer(chat({"tool_calls": [call("a", '{"n": ')]})).tool_calls[0]
    assert (found.arguments, found.raw) == (None, '{"n": ')
    assert found.error


def test_the_function_call_of_before_tools_is_a_tool_call():
    found = answer(chat({"content": None, "function_call": {"name": "a", "arguments": '{"n": 1}'}}, "function_call"))
    assert [(c.name, c.arguments) for c in found.tool_calls] == [("a", {"n": 1})]
    assert found.finish_reason is FinishReason.TOOL_CALLS


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_is_kept_apart_from_the_text(field):
    found = answer(stream({field: "Let me "}, {field: "see."}, {"content": "42"}))
    assert (found.text, found.reasoning) == ("42", "Let me see.")


def test_content_parts_are_joined_and_thinking_among_them_is_reasoning():
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"type": "text", "text": "4"}, "2"]
    found = answer(chat({"content": parts}))
    assert (found.text, found.reasoning) == ("42", "Hm.")


def test_a_refusal_field_is_a_refusal_and_no_text():
    found = answer(stream({"refusal": "I "}, {"refusal": "can't."}))
    assert (found.text, found.refusal) == ("", "I can't.")


def test_anthropics_refusal_is_one_too(load):
    exchange = load("anthropic_messages")
    found = exchange.answer(response=exchange.response.replace(b"end_turn", b"refusal"))
    assert found.refusal
    assert found.finish_reason is FinishReason.CONTENT_FILTER


def test_all_choices_are_kept_in_index_order():
    choices = [{"index": i, "message": {"content": str(i)}, "finish_reason": "stop"} for i in (1, 0)]
    assert [c.text for c in answer({"choices": choices}).choices] == ["0", "1"]


def test_a_stream_of_two_choices_with_one_unfinished_is_truncated():
    docs = [
        {"choices": [{"index": i, "delta": {"content": "x"}, "finish_reason": f}]} for i, f in ((0, "stop"), (1, None))
    ]
    found = answer("".join(f"data: {json.dumps(doc)}\n\n" for doc in docs))
    assert found.reason is UnusableReason.TRUNCATED


def test_a_stream_of_two_choices_of_which_one_never_began_is_truncated():
    one = stream({"content": "x"}, done=False)
    assert isinstance(answer(one), Extracted)
    assert answer(one, request=b'{"n": 2}').reason is UnusableReason.TRUNCATED


@pytest.mark.parametrize("ending", ["\n\n", "\r\n\r\n", "\r\r", "\r\n\n"])
def test_line_endings_of_a_stream_do_not_matter(ending):
    assert answer(stream({"content": "a"}, {"content": "b"}, ending=ending)).text == "ab"


def test_a_stream_may_end_without_a_blank_line():
    assert answer(stream({"content": "a"}).rstrip()).text == "a"


def test_halves_of_a_character_that_two_events_split_are_joined():
    body = stream({"content": "X"}, {"content": "Y"}).replace('"X"', r'"\ud83d"').replace('"Y"', r'"\ude00"')
    assert answer(body).text == "\U0001f600"


def test_a_lone_half_is_replaced_everywhere():
    body = chat({"content": "X", "tool_calls": [call("X", '{"X": "X"}')]}, model="X")
    found = answer(json.dumps(body).replace("X", r"\ud83d"), request=b'{"response_format": {"type": "json_object"}}')
    assert (found.text, found.model, found.tool_calls[0].name) == ("�", "�", "�")
    assert found.tool_calls[0].arguments == {"�": "�"}


def test_azures_first_event_without_choices_is_fine():
    first = 'data: {"choices": [], "prompt_filter_results": [], "object": ""}\n\n'
    assert answer(first + stream({"content": "a"})).text == "a"
    assert answer(first).reason is UnusableReason.TRUNCATED


def test_an_error_beside_choices_is_an_error():
    chunk = {"error": {"code": 502, "message": "gone"}, "choices": [{"delta": {}, "finish_reason": "error"}]}
    assert (
        answer(stream({"content": "a"}, done=False) + f"data: {json.dumps(chunk)}\n\n").reason
        is UnusableReason.ERROR_BODY
    )
    assert answer(chat({"content": ""}, "error")).reason is UnusableReason.ERROR_BODY


@pytest.mark.parametrize(
    "body",
    [
        'event: error\ndata: {"message": "gone"}\n\n',
        "event: error\ndata: gone\n\n",
        'error: {"code": 500, "message": "gone"}\n\n',
        'data: {"object": "error", "message": "gone"}\n\n',
    ],
)
def test_every_way_to_say_error_in_a_stream(body):
    found = answer(body, content_type="text/event-stream")
    assert found.reason is UnusableReason.ERROR_BODY
    assert "gone" in found.detail


@pytest.mark.parametrize("error", [None, {}, "", False, 0.25])
def test_an_error_field_that_says_nothing_is_none(error):
    assert answer(chat({"content": "a"}, error=error)).text == "a"


def test_json_asked_for_and_given_is_parsed():
    found = answer(chat({"content": '{"n": 1}'}), request=b'{"response_format": {"type": "json_object"}}')
    assert (found.structured, found.structured_error) == ({"n": 1}, "")


def test_json_asked_for_and_not_given_says_why():
    found = answer(chat({"content": "```json\n{}\n```"}), request=b'{"response_format": {"type": "json_object"}}')
    assert found.structured is None
    assert found.structured_error


def test_json_that_nobody_asked_for_is_text():
    found = answer(chat({"content": '{"n": 1}'}))
    assert (found.structured, found.structured_error) == (None, "")


def test_logprobs_of_every_form(load):
    chat_logprobs = load("llamacpp_chat_logprobs").answer().logprobs
    assert len(chat_logprobs) == 4
    assert all(value < 0 for value in chat_logprobs)
    assert load("llamacpp_chat_logprobs_stream").answer().logprobs == chat_logprobs
    assert len(load("llamacpp_completion").answer().logprobs) == 6
    assert load("tgi_generate").answer().logprobs == load("tgi_generate_stream").answer().logprobs == (-0.5, -0.5, -0.5)
    legacy = {"choices": [{"text": "a", "finish_reason": "stop", "logprobs": {"token_logprobs": [None, -0.25]}}]}
    assert answer(legacy).logprobs == (-0.25,)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("length", FinishReason.LENGTH),
        ("MAX_TOKENS", FinishReason.LENGTH),
        ("content_filter", FinishReason.CONTENT_FILTER),
        ("abort", FinishReason.OTHER),
        (None, FinishReason.OTHER),
        (7, FinishReason.OTHER),
    ],
)
def test_finish_reasons_are_normalised(word, reason):
    assert answer(chat({"content": "a"}, word)).finish_reason is reason


def test_a_response_cut_by_its_own_limit_is_an_answer(load):
    exchange = load("openai_responses")
    body = json.loads(exchange.response) | {
        "status": "incomplete",
        "incomplete_details": {"reason": "max_output_tokens"},
    }
    assert exchange.answer(response=json.dumps(body).encode()).finish_reason is FinishReason.LENGTH


def test_a_response_that_is_still_made_is_truncated(load):
    exchange = load("openai_responses")
    body = json.loads(exchange.response) | {"status": "queued", "output": []}
    assert exchange.answer(response=json.dumps(body).encode()).reason is UnusableReason.TRUNCATED


def test_tokens_that_the_prompt_cache_served_are_input():
    usage = {"input_tokens": 1, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 5, "output_tokens": 2}
    body = {"type": "message", "content": [], "stop_reason": "end_turn", "usage": usage}
    assert answer(body).input_tokens == 26


def test_tensors_that_differ_are_not_the_same_content():
    one, other = ({"outputs": [{"name": "n", "datatype": "INT8", "shape": [1], "data": [i]}] * 2} for i in (1, 2))
    assert answer(one).content != answer(other).content


def test_a_piece_of_a_stream_may_say_nothing():
    assert answer('data: {"choices": [{"index": 0, "delta": null}]}\n\n' + stream({"content": "a"})).text == "a"


def test_a_form_with_a_jsonpath_may_name_its_last_event():
    pieces = [{"candidates": [{"content": {"parts": [{"text": t}]}}]} for t in "ab"]
    pieces[1]["candidates"][0]["finishReason"] = "STOP"
    gemini = CustomSurface("$.candidates[0].content.parts[*].text", done="$.candidates[0].finishReason")
    body = [f"data: {json.dumps(piece)}\r\n\r\n" for piece in pieces]
    assert answer("".join(body), custom=gemini).text == "ab"
    assert answer(body[0] + body[0], custom=gemini).reason is UnusableReason.TRUNCATED


def test_kserve_tensors():
    tensors = [
        {"name": "ids", "datatype": "INT64", "shape": [2, 2], "data": [1, 2, 3, 4]},
        {"name": "p", "datatype": "FP32", "shape": [1, 2], "data": [[0.5, 0.25]]},
    ]
    found = answer({"model_name": "m", "outputs": tensors})
    assert found.structured == {"ids": [[1, 2], [3, 4]], "p": [[0.5, 0.25]]}
    assert found.vectors == ((0.5, 0.25),)
    assert answer({"outputs": [tensors[0] | {"shape": [3]}]}).reason is UnusableReason.MALFORMED


def test_a_kserve_label_is_the_only_integer(load):
    assert load("kserve_infer_label").answer().label == "3"
    assert load("kserve_infer_vectors").answer().vectors == ((0.25, 0.5, -1.0), (0.0, 2.0, 4.0))


def test_vectors_come_in_the_order_of_their_index():
    data = [{"index": 1, "embedding": [2.0]}, {"index": 0, "embedding": [1.0]}]
    assert answer({"object": "list", "data": data}).vectors == ((1.0,), (2.0,))


@pytest.mark.parametrize("vector", [[], ["1"], [None], "%%%", "AAA", [1e39], [[1.0], 2]])
def test_what_is_no_vector_is_malformed(vector):
    assert answer({"object": "list", "data": [{"index": 0, "embedding": vector}]}).reason is UnusableReason.MALFORMED


def test_vectors_of_different_lengths_are_malformed():
    assert answer([[1.0], [1.0, 2.0]], path="/embed").reason is UnusableReason.MALFORMED


def test_a_ranking_in_document_order_is_sorted():
    results = [{"index": 0, "relevance_score": 0.1}, {"index": 1, "relevance_score": 0.9}]
    assert answer({"results": results}).ranking == ((1, 0.9), (0, 0.1))


@pytest.mark.parametrize("index", [-1, "0", True, None, 1])
def test_a_ranking_of_no_positions_is_malformed(index):
    results = [{"index": 1, "score": 0.1}, {"index": index, "score": 0.2}]
    assert answer(results, path="/rerank").reason is UnusableReason.MALFORMED


def test_a_batch_of_predictions_has_a_label_a_line():
    rows = [[{"label": "a", "score": 0.1}, {"label": "b", "score": 0.9}], [{"label": "a", "score": 1}]]
    assert answer(rows).label == "b\na"


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        (b"", "application/json", UnusableReason.EMPTY_BODY),
        (b" \r\n", "application/json", UnusableReason.EMPTY_BODY),
        (b"{]", "application/json", UnusableReason.MALFORMED),
        (b'{"choices": [NaN]}', "application/json", UnusableReason.MALFORMED),
        (b'{"a": "\xff\xfe"}', "application/json", UnusableReason.MALFORMED),
        (b'{"choices": []}', "application/json", UnusableReason.MALFORMED),
        (b'{"choices": [5]}', "application/json", UnusableReason.UNSUPPORTED),
        (b'{"choices": [{"message": 5}]}', "application/json", UnusableReason.MALFORMED),
        (b'{"hello": 1}', "application/json", UnusableReason.UNSUPPORTED),
        (b"<html>", "text/html", UnusableReason.UNSUPPORTED),
        (b"\x00\x01", "application/octet-stream", UnusableReason.MALFORMED),
        (b": ping\n\n", "text/event-stream", UnusableReason.TRUNCATED),
        (b"data: {]\n\ndata: [DONE]\n\n", "text/event-stream", UnusableReason.MALFORMED),
        (b'{"done": false}\n{]\n{}\n', "application/x-ndjson", UnusableReason.MALFORMED),
    ],
)
def test_what_is_no_answer_has_a_reason(body, kind, reason):
    found = answer(body, content_type=kind)
    assert isinstance(found, Unusable)
    assert found.reason is reason


def test_text_that_begins_like_json_is_text_when_it_says_so():
    assert answer("[link](https://example.org)", content_type="text/plain").text == "[link](https://example.org)"


def test_a_body_that_the_capture_cut_is_too_large(load):
    exchange = load("openai_chat")
    found = answer(exchange.response, body_cut=True)
    assert found.reason is UnusableReason.TOO_LARGE
