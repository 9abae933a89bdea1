"""Anthropic messages: refusals and token counts."""

from scorer.scoring.answers import FinishReason
from tests.support.answer_bodies import answer


def test_a_stop_reason_refusal_is_a_refusal(load):
    exchange = load("anthropic_messages")
    found = exchange.answer(response=exchange.response.replace(b"end_turn", b"refusal"))
    assert found.refusal
    assert found.finish_reason is FinishReason.CONTENT_FILTER


def test_tokens_from_the_prompt_cache_count_as_input():
    usage = {"input_tokens": 1, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 5, "output_tokens": 2}
    body = {"type": "message", "content": [], "stop_reason": "end_turn", "usage": usage}
    assert answer(body).input_tokens == 26
