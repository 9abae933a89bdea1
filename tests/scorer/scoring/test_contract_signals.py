"""Differences between the sides that a client's program notices, besides the content of the answer."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from glidepath.pairs import Answer, Ending
from glidepath.sides import Origin, Side
from scorer.scoring.answers import expectation, extract
from scorer.scoring.contract_signals import ReadAnswer, contract_signals

CHAT, ANTHROPIC, OLLAMA = "/v1/chat/completions", "/v1/messages", "/api/chat"
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
NO_TOKENS = {"prompt_tokens": 0, "completion_tokens": 0}


def whole(message: dict[str, Any] | None = None, **fields: Any) -> Answer:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Paris.", **(message or {})}}
    body = {"object": "chat.completion", "model": "gpt", "choices": [{**choice, "finish_reason": "stop"}], **fields}
    return Answer(Side.BASELINE, Origin.LIVE, "b", 200, "application/json", json.dumps(body).encode())


def streamed(*deltas: dict[str, Any], usage: dict[str, int] | None = None) -> Answer:
    events: list[dict[str, Any]] = [{"model": "gpt", "choices": [{"index": 0, "delta": one}]} for one in deltas]
    events.append({"model": "gpt", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    if usage:
        events.append({"model": "gpt", "choices": [], "usage": usage})
    body = "".join(f"data: {json.dumps(one)}\n\n" for one in events) + "data: [DONE]\n\n"
    return replace(whole(), content_type="text/event-stream", body=body.encode())


def refused(body: object, status: int = 400) -> Answer:
    return replace(whole(), status=status, body=json.dumps(body).encode())


def signals(baseline: Answer, candidate: Answer, *, path: str = CHAT, asked: str = "gpt") -> dict[str, float]:
    request = json.dumps({"model": asked, "messages": [{"role": "user", "content": "The capital?"}]}).encode()

    def read(answer: Answer) -> ReadAnswer:
        found = extract(
            path=path,
            content_type=answer.content_type,
            status=answer.status,
            request_body=request,
            response_body=answer.body,
        )
        return ReadAnswer(answer, found)

    return contract_signals(expectation(path, request), read(baseline), read(candidate))


def test_equal_answers_differ_in_nothing_and_a_part_that_neither_has_is_not_compared() -> None:
    assert signals(whole(usage=USAGE), whole(usage=USAGE)) == {"contract_model": 0, "contract_usage": 0}
    assert signals(whole(), whole()) == {"contract_model": 0}


@pytest.mark.parametrize(
    ("baseline", "candidate", "asked", "differs"),
    [
        ("gpt-2024-07-18", "llama", "gpt", 1),
        ("gpt-2024-07-18", "", "gpt", 1),
        ("gpt-2024-07-18", "gpt", "gpt", 0),  # the name that the client asked for
        ("gpt-2024-07-18", "gpt-2024-07-18", "gpt", 0),
        ("gpt-2024-07-18", "llama", "", 1),  # an API with the model in the path
    ],
)
def test_a_client_notices_a_name_that_is_neither_the_baselines_nor_the_one_asked_for(
    baseline: str, candidate: str, asked: str, differs: float
) -> None:
    assert signals(whole(model=baseline), whole(model=candidate), asked=asked)["contract_model"] == differs


def test_a_baseline_that_names_no_model_sets_no_expectation() -> None:
    assert signals(whole(model=""), whole(model="llama")) == {}


@pytest.mark.parametrize(
    ("baseline", "candidate", "differs"),
    [
        (whole({"reasoning_content": "Hm."}), whole({"reasoning": "Hm."}), 1),
        (whole({"reasoning_content": "Hm."}), whole({"reasoning_content": "Well."}), 0),
        (whole(), whole({"reasoning": "Hm."}), 1),
        (whole({"reasoning": "Hm."}), whole(), 1),
        (streamed({"reasoning_content": "Hm."}, {"content": "P"}), streamed({"reasoning": "Hm."}, {"content": "P"}), 1),
        (streamed({"reasoning": "Hm."}, {"content": "P"}), whole({"reasoning": "Hm."}), 0),
        (whole({"content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "P"}]}), whole(), 1),
    ],
)
def test_the_reasoning_is_compared_by_the_field_that_has_it(
    baseline: Answer, candidate: Answer, differs: float
) -> None:
    assert signals(baseline, candidate)["contract_reasoning"] == differs


@pytest.mark.parametrize(
    ("baseline", "candidate", "differs"),
    [
        (whole(usage=USAGE), whole(), 1),
        (whole(), whole(usage=USAGE), 1),
        (whole(usage=USAGE), whole(usage=NO_TOKENS), 1),
        (streamed({"content": "P"}, usage=USAGE), streamed({"content": "P"}), 1),
        (streamed({"content": "P"}), streamed({"content": "P"}, usage=USAGE), 1),
        (streamed({"content": "P"}, usage=USAGE), streamed({"content": "P"}, usage=USAGE), 0),
    ],
)
def test_an_answer_with_the_number_of_tokens_differs_from_one_without(
    baseline: Answer, candidate: Answer, differs: float
) -> None:
    assert signals(baseline, candidate)["contract_usage"] == differs


OPENAI_ERROR = {"error": {"message": "no", "type": "invalid_request_error"}}
ANTHROPIC_ERROR = {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}


@pytest.mark.parametrize(
    ("path", "body", "differs"),
    [
        (CHAT, OPENAI_ERROR, 0),
        (CHAT, {"detail": "no"}, 1),
        (CHAT, ANTHROPIC_ERROR, 1),
        (ANTHROPIC, ANTHROPIC_ERROR, 0),
        (ANTHROPIC, OPENAI_ERROR, 1),
        (OLLAMA, {"error": "no"}, 0),
    ],
)
def test_an_error_of_the_candidate_alone_is_compared_with_the_form_of_the_api(
    path: str, body: object, differs: float
) -> None:
    assert signals(whole(), refused(body), path=path) == {"contract_error": differs}


def test_an_error_is_compared_with_the_baselines_if_both_refuse() -> None:
    assert signals(refused({"detail": "no"}), refused({"detail": "never"}, 422)) == {"contract_error": 0}
    assert signals(refused({"detail": "no"}), refused(OPENAI_ERROR)) == {"contract_error": 1}


def test_only_a_complete_error_of_the_candidate_is_compared() -> None:
    error = refused({"detail": "no"})
    assert signals(whole(), replace(error, ending=Ending.ABORTED)) == {}
    assert signals(whole(), replace(error, failed_over=True)) == {}
    assert signals(refused(OPENAI_ERROR), whole()) == {}
    assert signals(whole(), error, path="/unknown") == {}
