"""OpenAI responses that are incomplete."""

import json

from scorer.scoring.answers import FinishReason, UnusableReason


def test_a_response_cut_at_its_token_limit_is_an_answer(load):
    exchange = load("openai_responses")
    body = json.loads(exchange.response) | {
        "status": "incomplete",
        "incomplete_details": {"reason": "max_output_tokens"},
    }
    assert exchange.answer(response=json.dumps(body).encode()).finish_reason is FinishReason.LENGTH


def test_a_response_in_progress_is_truncated(load):
    exchange = load("openai_responses")
    body = json.loads(exchange.response) | {"status": "queued", "output": []}
    assert exchange.answer(response=json.dumps(body).encode()).reason is UnusableReason.TRUNCATED
