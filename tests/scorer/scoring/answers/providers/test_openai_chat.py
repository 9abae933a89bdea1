"""OpenAI chat completions, with the irregularities of real servers."""

from scorer.scoring.answers import FinishReason, UnusableReason
from tests.support.answer_bodies import answer, chat, stream


def test_a_function_call_in_the_old_format_is_a_tool_call():
    found = answer(chat({"content": None, "function_call": {"name": "a", "arguments": '{"n": 1}'}}, "function_call"))
    assert [(c.name, c.arguments) for c in found.tool_calls] == [("a", {"n": 1})]
    assert found.finish_reason is FinishReason.TOOL_CALLS


def test_azures_first_event_without_choices_is_accepted():
    first = 'data: {"choices": [], "prompt_filter_results": [], "object": ""}\n\n'
    assert answer(first + stream({"content": "a"})).text == "a"
    assert answer(first).reason is UnusableReason.TRUNCATED


def test_an_empty_delta_is_accepted():
    assert answer('data: {"choices": [{"index": 0, "delta": null}]}\n\n' + stream({"content": "a"})).text == "a"
