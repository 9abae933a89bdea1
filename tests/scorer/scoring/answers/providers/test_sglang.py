"""The native format of SGLang."""

from __future__ import annotations

import json

import pytest

from scorer.scoring.answers import Extracted, FinishReason, Unusable, UnusableReason, expectation, extract

Answer = dict[str, object]


def read(body: object, *, stream: bool = False, request: bytes = b"{}") -> Extracted | Unusable:
    events = "".join(f"data: {json.dumps(one)}\n\n" for one in body) if isinstance(body, list) and stream else None
    return extract(
        path="/generate",
        content_type="text/event-stream" if stream else "application/json",
        status=200,
        request_body=request,
        response_body=(events + "data: [DONE]\n\n" if events is not None else json.dumps(body)).encode(),
    )


def answer(text: str, reason: object = None, **more: object) -> Answer:
    return {"text": text, "meta_info": {"finish_reason": reason, "prompt_tokens": 5, "completion_tokens": 2}, **more}


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ({"type": "stop", "matched": 2}, FinishReason.STOP),
        ({"type": "length", "length": 8}, FinishReason.LENGTH),
        ("stop", FinishReason.STOP),
    ],
)
def test_the_finish_reason_is_an_object_or_a_word(reason: object, expected: FinishReason) -> None:
    found = read(answer("hello", reason))
    assert isinstance(found, Extracted)
    assert found.finish_reason is expected
    assert (found.input_tokens, found.output_tokens) == (5, 2)


def test_an_answer_that_the_server_gave_up_is_an_error() -> None:
    found = read(answer("hel", {"type": "abort", "message": "out of memory", "status_code": 500}))
    assert found == Unusable(UnusableReason.ERROR_BODY, "out of memory")


@pytest.mark.parametrize(
    "texts",
    [
        ["The", "The cat", "The cat sat.", "The cat sat."],  # the whole text each time
        ["The", " cat", " sat.", ""],  # only the new part
        ["", "The cat sat."],
        ["The", " cat", " ", "sat."],
    ],
)
def test_a_stream_of_whole_texts_equals_a_stream_of_parts(texts: list[str]) -> None:
    events = [answer(one) for one in texts[:-1]] + [answer(texts[-1], {"type": "stop"})]
    found = read(events, stream=True)
    assert isinstance(found, Extracted)
    assert found.text == "The cat sat."


def test_the_answers_of_several_prompts_are_choices_in_order_also_in_a_stream() -> None:
    stop = {"type": "stop"}
    whole = read([answer("one", stop), answer("two", stop)])
    assert isinstance(whole, Extracted)
    assert [choice.text for choice in whole.choices] == ["one", "two"]
    events = [answer("t", index=1), answer("one", stop, index=0), answer("two", stop, index=1)]
    streamed = read(events, stream=True)
    assert isinstance(streamed, Extracted)
    assert streamed.content == whole.content


def test_a_stream_that_lacks_an_answer_or_its_end_is_truncated() -> None:
    half = read([answer("one", {"type": "stop"}, index=0), answer("tw", index=1)], stream=True)
    one_of_two = read([answer("one", {"type": "stop"})], stream=True, request=b'{"sampling_params": {"n": 2}}')
    for found in (half, one_of_two):
        assert isinstance(found, Unusable)
        assert found.reason is UnusableReason.TRUNCATED


def test_log_probabilities_of_the_sampled_tokens_are_read() -> None:
    body = answer("hi", {"type": "stop"})
    body["meta_info"] |= {"output_token_logprobs": [[-0.25, 17, None], [-0.5, 18, None]]}  # type: ignore[operator]
    found = read(body)
    assert isinstance(found, Extracted)
    assert found.first.logprobs == (-0.25, -0.5)


def test_the_limit_and_the_prompt_of_a_request_are_read() -> None:
    asked = expectation("/generate", b'{"text": "Say hi", "sampling_params": {"max_new_tokens": 7, "n": 2}}')
    assert (asked.prompt, asked.max_tokens, asked.choices, asked.task) == ("Say hi", 7, 2, "generation")
