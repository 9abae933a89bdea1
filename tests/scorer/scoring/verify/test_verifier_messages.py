"""The message to a verifier does not reveal the sides, and the reply is assigned to the right sides, or refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.config.comparison import Task
from glidepath.pair_scores import Correctness
from scorer.scoring.answers import Extracted, Surface
from scorer.scoring.answers.answer import Choice, ToolCall
from scorer.scoring.verify.verifier_messages import PairToVerify, correctness_in, message_of

BAD = [
    b"",
    b"1",
    b"[]",
    b"null",
    b"yes",
    b'{"a": 1}',
    b'{"a": 1, "b": 1.01}',
    b'{"a": -0.1, "b": 0}',
    b'{"a": true, "b": 1}',
    b'{"a": "1", "b": 1}',
    b'{"a": NaN, "b": 1}',
    b'{"a": 1, "b": Infinity}',
    b'{"baseline": 1, "candidate": 1}',
    b"[" * 100_000,
    b"\xff\xfe",
    b'{"a": 1, "b": ' + b"9" * 5000 + b"}",
]


def extracted(text: str, **changes: object) -> Extracted:
    return Extracted(Surface.OPENAI_CHAT, (Choice(text, **changes),), model=f"model of {text}")  # type: ignore[arg-type]


def pair(name: str = "p", left: str = "Paris", right: str = "Rome", task: Task = "chat") -> PairToVerify:
    return PairToVerify(name, task, '{"messages": []}', extracted(left), extracted(right))


@given(st.text(max_size=20), st.text(max_size=20).filter(lambda text: text != "Paris"))
def test_a_reply_about_a_and_b_is_read_for_the_sides_that_a_and_b_are(name: str, right: str) -> None:
    answers = json.loads(message_of(pair(name, "Paris", right), blind=True))["answers"]
    assert sorted(answers) == ["a", "b"]
    reply = json.dumps({key: 1 if answer["text"] == "Paris" else 0.25 for key, answer in answers.items()}).encode()
    assert correctness_in(reply, name, blind=True) == Correctness(baseline=1, candidate=0.25)


def test_a_blind_message_has_no_side_and_no_model_and_each_side_is_a_about_equally_often() -> None:
    texts = [message_of(pair(f"pair-{i}"), blind=True) for i in range(400)]
    assert not [text for text in texts if "baseline" in text or "candidate" in text or "model of" in text]
    first = sum(json.loads(text)["answers"]["a"]["text"] == "Paris" for text in texts)
    assert 160 < first < 240
    assert message_of(pair("pair-7"), blind=True) == texts[7]


@pytest.mark.parametrize("key", ["model", "models", "modelId", "model_id"])
def test_a_request_keeps_its_model_only_if_the_verifier_is_not_blind(key: str) -> None:
    request = {key: "gpt-5", "messages": [{"content": "Which model?", "model": "a word of the client's data"}]}
    one = PairToVerify("p", "chat", json.dumps(request), extracted("Paris"), extracted("Rome"))
    assert json.loads(message_of(one, blind=False))["request"] == request
    assert json.loads(message_of(one, blind=True))["request"] == {"messages": request["messages"]}


@pytest.mark.parametrize("request_body", ['["model"]', '"model"', "3", "model=x"])
def test_a_request_that_is_no_object_is_passed_on_whole(request_body: str) -> None:
    one = PairToVerify("p", "chat", request_body, extracted("Paris"), extracted("Rome"))
    assert message_of(one, blind=True).count("model") == request_body.count("model")


def test_a_verifier_that_is_told_the_sides_gets_and_uses_their_names() -> None:
    message = json.loads(message_of(pair(), blind=False))
    assert (message["id"], message["task"], message["request"]) == ("p", "chat", {"messages": []})
    assert {side: answer["text"] for side, answer in message["answers"].items()} == {
        "baseline": "Paris",
        "candidate": "Rome",
    }
    assert correctness_in(b'{"candidate": 0, "baseline": 1, "why": "x"}', "p", blind=False) == Correctness(1.0, 0.0)


@pytest.mark.parametrize("reply", BAD, ids=[str(i) for i in range(len(BAD))])
def test_any_other_reply_is_refused(reply: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        correctness_in(reply, "p", blind=True)


def test_calls_labels_rankings_and_vectors_are_in_the_message_and_a_request_that_is_no_json_is_a_text() -> None:
    call, broken = ToolCall("pay", {"sum": 4}, raw='{"sum":4}'), ToolCall("pay", None, "bad JSON", "{sum")
    left = extracted("", tool_calls=(call, broken))
    right = Extracted(Surface.UNKNOWN, ranking=((2, 0.5),), vectors=((1.0, 0.0),), label="fraud")
    found = json.loads(message_of(PairToVerify("p", "tools", "plain {", left, right), blind=False))
    assert found["request"] == "plain {"
    assert found["answers"]["baseline"]["tool_calls"] == [
        {"name": "pay", "arguments": {"sum": 4}},
        {"name": "pay", "arguments": "{sum"},
    ]
    answer = found["answers"]["candidate"]
    assert (answer["ranking"], answer["vectors"], answer["label"]) == ([[2, 0.5]], [[1.0, 0.0]], "fraud")


def test_a_message_is_one_line_even_with_lone_surrogates() -> None:
    text = message_of(pair("\ud800", "a\nb\ud83d", "c"), blind=True)
    assert "\n" not in text
    assert text.encode("ascii")
