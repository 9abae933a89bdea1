"""The facts that the inventory reads from the bodies of a request and its answer."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from extproc.inventory_facts import BodyFacts, RepeatedRequests, SeenMessage, body_facts
from glidepath.token_usage import TokenSource

CHAT, LIMIT = "/v1/chat/completions", 2**20
USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "prompt_tokens_details": {"cached_tokens": 64},
    "completion_tokens_details": {"reasoning_tokens": 8},
}


def request(**more: Any) -> SeenMessage:
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Who are you?"}], **more}
    return SeenMessage(json.dumps(body).encode(), "application/json")


def answer(text: str = "I am a model.", **more: Any) -> SeenMessage:
    document = {"id": "x", "choices": [{"message": {"content": text}}], "usage": USAGE, **more}
    return SeenMessage(json.dumps(document).encode(), "application/json")


def facts(
    asked: SeenMessage, answered: SeenMessage | None = None, path: str = CHAT, repeats: RepeatedRequests | None = None
) -> BodyFacts:
    return body_facts(path, asked, answered, repeats or RepeatedRequests(b"key"), LIMIT)


def test_model_tokens_and_shape_of_a_chat() -> None:
    found = facts(request(max_tokens=500, tools=[{"type": "function", "function": {"name": "f"}}]), answer())
    assert (found.model, found.shape, found.streamed) == ("gpt-4o", "tools", False)
    assert found.request is not None
    assert found.request.tokens > 500
    assert found.usage is not None
    assert (found.usage.input, found.usage.cached_read, found.usage.output, found.usage.reasoning) == (100, 64, 20, 8)


def test_a_picture_is_a_modality_and_no_text() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 400_000}}
    found = facts(request(messages=[{"role": "user", "content": [picture]}]))
    assert found.shape == "image"
    assert found.request is not None
    assert found.request.tokens < 100
    assert found.request.body_bytes > 400_000


def test_encoded_bodies_are_read() -> None:
    asked, answered = request(), answer()
    coded = [SeenMessage(gzip.compress(one.body), one.content_type, "gzip") for one in (asked, answered)]
    assert facts(*coded) == facts(asked, answered)


@pytest.mark.parametrize(
    "asked",
    [
        SeenMessage(b'{"model": "gpt', "application/json", whole=False),
        SeenMessage(b"not gzip", "application/json", "gzip"),
    ],
)
def test_a_body_that_cannot_be_read_is_unread(asked: SeenMessage) -> None:
    found = facts(asked, answer())
    assert (found.request, found.model) == (None, "")


def test_the_model_of_a_path_is_known_although_the_body_is_unread() -> None:
    path = "/openai/deployments/gpt-4o/chat/completions"
    assert facts(SeenMessage(b"", whole=False), path=path).model == "gpt-4o"


def test_the_model_of_a_form_is_read() -> None:
    form = b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--x--\r\n'
    assert facts(SeenMessage(form, "multipart/form-data"), path="/v1/audio/transcriptions").model == "whisper-1"


def test_a_stream_without_a_usage_is_estimated() -> None:
    events = b"".join(b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n' for _ in range(7))
    found = facts(request(stream=True), SeenMessage(events, "text/event-stream"))
    assert found.streamed
    assert found.usage is not None
    assert found.usage.source is TokenSource.ESTIMATED
    assert found.usage.output == 7


def test_needed_state_and_acting_servers_are_found() -> None:
    assert facts(request(previous_response_id="resp_1"), path="/v1/responses").needs_state
    assert facts(request(tools=[{"type": "web_search"}])).acting


def test_a_third_equal_request_shows_whether_the_answers_vary() -> None:
    repeats = RepeatedRequests(b"key")

    def repeated(text: str) -> tuple[bool, bool]:
        found = facts(request(), answer(text, id=text), repeats=repeats)
        return found.repeated, found.same

    assert [repeated(text) for text in ("first", "second", "second", "third")] == [
        (False, False),  # a new request
        (False, False),  # the first repetition: its answer is remembered
        (True, True),
        (True, False),
    ]


def test_other_models_and_other_requests_are_no_repetition() -> None:
    repeats = RepeatedRequests(b"key")
    for number in range(3):
        assert not facts(request(user=str(number)), answer(), repeats=repeats).repeated
        assert not facts(request(model=f"m{number}"), answer(), repeats=repeats).repeated


def test_few_requests_are_remembered() -> None:
    repeats = RepeatedRequests(b"key", most=2)
    for number in (1, 2, 3):
        facts(request(user=str(number)), answer(), repeats=repeats)
    assert repeats.compare("gpt-4o", request(user="1").body, answer().body) is None
    assert repeats.compare("gpt-4o", request(user="1").body, answer().body) is None
    assert repeats.compare("gpt-4o", request(user="1").body, answer().body) is True
