"""Choices assembled from pieces, with the irregularities of real servers."""

import json

import pytest

from scorer.scoring.answers import Extracted, FinishReason, UnusableReason
from tests.support.answer_bodies import answer, call, chat, stream


def test_tool_calls_are_assembled_by_index():
    deltas = [
        {"tool_calls": [call("a", "", 0, "x"), call("b", '{"n"', 1, "y")]},
        {"tool_calls": [call(None, ": 1}", 1)]},
        {"tool_calls": [call(None, '{"m": 2}', 0)]},
    ]
    calls = answer(stream(*deltas, finish="tool_calls")).tool_calls
    assert [(c.name, c.arguments) for c in calls] == [("a", {"m": 2}), ("b", {"n": 1})]


def test_calls_with_the_same_index_are_distinguished_by_id():
    deltas = [{"tool_calls": [call("a", "{}", 0, "x")]}, {"tool_calls": [call("b", "{}", 0, "y")]}]
    assert [c.name for c in answer(stream(*deltas)).tool_calls] == ["a", "b"]


def test_without_index_and_id_a_name_starts_a_new_call():
    deltas = [
        {"tool_calls": [call("a", '{"n"')]},
        {"tool_calls": [call(None, ": 1}")]},
        {"tool_calls": [call("a", '{"n": 2}')]},
    ]
    assert [c.arguments for c in answer(stream(*deltas)).tool_calls] == [{"n": 1}, {"n": 2}]


def test_a_name_repeated_in_every_delta_is_one_name():
    deltas = [{"tool_calls": [call("weather", "{", 0, "x")]}, {"tool_calls": [call("weather", "}", 0, "x")]}]
    assert [(c.name, c.arguments) for c in answer(stream(*deltas)).tool_calls] == [("weather", {})]


def test_arguments_that_are_not_json_are_kept_with_an_error():
    found = answer(chat({"tool_calls": [call("a", '{"n": ')]})).tool_calls[0]
    assert (found.arguments, found.raw) == (None, '{"n": ')
    assert found.error


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_is_not_part_of_the_text(field):
    found = answer(stream({field: "Let me "}, {field: "see."}, {"content": "42"}))
    assert (found.text, found.reasoning) == ("42", "Let me see.")


def test_content_parts_are_joined_and_thinking_parts_are_reasoning():
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"type": "text", "text": "4"}, "2"]
    found = answer(chat({"content": parts}))
    assert (found.text, found.reasoning) == ("42", "Hm.")


def test_a_refusal_field_is_not_part_of_the_text():
    found = answer(stream({"refusal": "I "}, {"refusal": "can't."}))
    assert (found.text, found.refusal) == ("", "I can't.")


def test_all_choices_are_kept_in_index_order():
    choices = [{"index": i, "message": {"content": str(i)}, "finish_reason": "stop"} for i in (1, 0)]
    assert [c.text for c in answer({"choices": choices}).choices] == ["0", "1"]


def test_a_stream_with_an_unfinished_choice_is_truncated():
    docs = [
        {"choices": [{"index": i, "delta": {"content": "x"}, "finish_reason": f}]} for i, f in ((0, "stop"), (1, None))
    ]
    found = answer("".join(f"data: {json.dumps(doc)}\n\n" for doc in docs))
    assert found.reason is UnusableReason.TRUNCATED


def test_a_stream_with_fewer_choices_than_requested_is_truncated():
    one = stream({"content": "x"}, done=False)
    assert isinstance(answer(one), Extracted)
    assert answer(one, request=b'{"n": 2}').reason is UnusableReason.TRUNCATED


def test_a_surrogate_pair_split_over_two_events_is_joined():
    body = stream({"content": "X"}, {"content": "Y"}).replace('"X"', r'"\ud83d"').replace('"Y"', r'"\ude00"')
    assert answer(body).text == "\U0001f600"


def test_a_lone_surrogate_is_replaced_everywhere():
    body = chat({"content": "X", "tool_calls": [call("X", '{"X": "X"}')]}, model="X")
    found = answer(json.dumps(body).replace("X", r"\ud83d"), request=b'{"response_format": {"type": "json_object"}}')
    assert (found.text, found.model, found.tool_calls[0].name) == ("�", "�", "�")
    assert found.tool_calls[0].arguments == {"�": "�"}


def test_requested_json_is_parsed():
    found = answer(chat({"content": '{"n": 1}'}), request=b'{"response_format": {"type": "json_object"}}')
    assert (found.structured, found.structured_error) == ({"n": 1}, "")


def test_requested_json_that_is_invalid_has_an_error():
    found = answer(chat({"content": "```json\n{}\n```"}), request=b'{"response_format": {"type": "json_object"}}')
    assert found.structured is None
    assert found.structured_error


def test_json_that_was_not_requested_is_text():
    found = answer(chat({"content": '{"n": 1}'}))
    assert (found.structured, found.structured_error) == (None, "")


def test_logprobs_are_read_in_every_format(load):
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


@pytest.mark.parametrize("index", [0, None])
def test_a_call_whose_deltas_have_other_ids_is_one_call(index):
    deltas = [
        {"tool_calls": [call("weather", "", index, "a")]},
        {"tool_calls": [call(None, '{"city": ', index, "b")]},
        {"tool_calls": [call(None, '"Lima"}', index, "c")]},
        {"tool_calls": [call("time", "{}", None if index is None else 1, "d")]},
    ]
    calls = answer(stream(*deltas, finish="tool_calls")).tool_calls
    assert [(c.name, c.arguments) for c in calls] == [("weather", {"city": "Lima"}), ("time", {})]


def test_a_repeated_name_with_another_id_continues_arguments_that_are_incomplete():
    deltas = [
        {"tool_calls": [call("weather", '{"city": ', 0, "a")]},
        {"tool_calls": [call("weather", '"Lima"}', 0, "b")]},
        {"tool_calls": [call("weather", '{"city": "Quito"}', 0, "c")]},
    ]
    calls = answer(stream(*deltas, finish="tool_calls")).tool_calls
    assert [c.arguments for c in calls] == [{"city": "Lima"}, {"city": "Quito"}]


def test_the_whole_message_at_the_end_of_a_stream_adds_only_what_the_deltas_lack():
    deltas = [{"content": "Turn "}, {"content": "left."}]
    whole = {"content": "Turn left.", "reasoning": "Hm.", "tool_calls": [call("go", "{}", 0, "x")]}
    last = {"object": "chat.completion", "choices": [{"index": 0, "message": whole, "finish_reason": "stop"}]}
    start = stream(*deltas, done=False).rpartition("data: ")[0]
    found = answer(f"{start}data: {json.dumps(last)}\n\ndata: [DONE]\n\n")
    assert (found.text, found.reasoning, [c.name for c in found.tool_calls]) == ("Turn left.", "Hm.", ["go"])
    alone = answer(f"data: {json.dumps(last)}\n\ndata: [DONE]\n\n")
    assert (alone.text, alone.reasoning) == ("Turn left.", "Hm.")


def test_a_message_beside_an_empty_delta_is_read():
    chunk = {"choices": [{"index": 0, "delta": {}, "message": {"content": "Left."}, "finish_reason": "stop"}]}
    assert answer(f"data: {json.dumps(chunk)}\n\n").text == "Left."
