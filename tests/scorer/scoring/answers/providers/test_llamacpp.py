"""The native format of llama.cpp's server."""

from __future__ import annotations

import json

import pytest

from scorer.scoring.answers import Extracted, FinishReason, extract


def answered(**members: object) -> Extracted:
    body = json.dumps({"content": "hello", "stop": True, **members}).encode()
    found = extract(
        path="/infill", content_type="application/json", status=200, request_body=b"{}", response_body=body, custom=None
    )
    assert isinstance(found, Extracted)
    return found


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"stop_type": "eos"}, FinishReason.STOP),
        ({"stop_type": "word", "stopping_word": "."}, FinishReason.STOP),
        ({"stop_type": "limit"}, FinishReason.LENGTH),
        ({"stop_type": "none"}, FinishReason.OTHER),
        ({"stopped_eos": False, "stopped_limit": True}, FinishReason.LENGTH),
        ({"stopped_word": True}, FinishReason.STOP),
        ({}, FinishReason.OTHER),
    ],
)
def test_the_finish_reason_of_new_and_old_servers_is_read(members: dict[str, object], reason: FinishReason) -> None:
    assert answered(**members).finish_reason is reason


def test_the_counts_the_model_and_the_probabilities_are_read() -> None:
    tokens = [{"id": 1, "token": "hello", "logprob": -0.25, "top_logprobs": []}]
    found = answered(tokens_evaluated=6, tokens_predicted=1, model="m.gguf", completion_probabilities=tokens)
    assert (found.input_tokens, found.output_tokens, found.model, found.logprobs) == (6, 1, "m.gguf", (-0.25,))
