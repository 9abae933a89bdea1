"""What of a body tells conversations apart."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.lua_in_process import RequestFacts

FACTS = RequestFacts()


def conversation(body: Any) -> object:
    found = FACTS.of(json.dumps(body).encode())
    assert not isinstance(found, str)
    return found["conversation"]


def _chat(part: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "Extract."}, part]}]}


FORMS = {
    "OpenAI's picture": lambda file: _chat({"type": "image_url", "image_url": {"url": file}}),
    "OpenAI's file": lambda file: _chat({"type": "file", "file": {"file_data": file}}),
    "OpenAI's sound": lambda file: _chat({"type": "input_audio", "input_audio": {"data": file, "format": "wav"}}),
    "the address of a file in Responses": lambda file: {
        "input": [{"role": "user", "content": [{"type": "input_file", "file_url": file}]}]
    },
    "Mistral's document": lambda file: _chat({"type": "document_url", "document_url": file}),
    "Mistral's sound": lambda file: _chat({"type": "input_audio", "input_audio": file}),
    "vLLM's video": lambda file: _chat({"type": "video_url", "video_url": {"url": file}}),
    "Anthropic's document": lambda file: _chat({"type": "document", "source": {"type": "base64", "data": file}}),
    "Bedrock's picture": lambda file: _chat({"image": {"format": "png", "source": {"bytes": file}}}),
    "Bedrock's document": lambda file: _chat({"document": {"name": "a", "source": {"bytes": file}}}),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_file_tells_conversations_apart_by_its_bytes_and_its_length(form: str) -> None:
    make = FORMS[form]
    long = "A" * 3000
    files = (
        "iVBORw0KGgo1",
        "iVBORw0KGgo2",
        long,
        long + "A",
        "https://files.example/1.png",
        "https://files.example/2.png",
    )
    assert len({conversation(make(file)) for file in files}) == len(files)
    assert conversation(make(files[0])) == conversation(make(files[0]))


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("?id=7", "?id=8", False),
        ("?design=7", "?design=8", False),
        ("", "?id=8", False),
        ("?sig=a", "?sig=bb", True),
        ("?sv=1&se=2026&sig=a", "?sv=1&se=2027&sig=bb", True),
        ("?X-Amz-Date=1&X-Amz-Signature=a", "?X-Amz-Date=2&X-Amz-Signature=bb", True),
        ("?X-Goog-Expires=1", "?X-Goog-Expires=22", True),
        ("?Expires=1&Signature=a", "?Expires=2&Signature=bb", True),
        ("?id=7&access_token=a", "?id=7&access_token=bb", True),
    ],
)
def test_the_query_of_an_address_counts_unless_it_is_signed_anew_at_each_turn(
    first: str, second: str, *, same: bool
) -> None:
    make = FORMS["OpenAI's picture"]
    one, two = (conversation(make("https://files.example/get" + query)) for query in (first, second))
    assert (one == two) is same


@pytest.mark.parametrize(("user", "bot"), [("USER", "CHATBOT"), ("User", "Chatbot"), ("user", "assistant")])
def test_a_conversation_is_known_by_its_first_question_in_whatever_letters_its_roles_are(user: str, bot: str) -> None:
    first = {"message": "How do I start?", "chat_history": [{"role": bot, "message": "Hello"}]}
    history = [*first["chat_history"], {"role": user, "message": "How do I start?"}, {"role": bot, "message": "So."}]
    assert conversation(first) == conversation({"message": "And then?", "chat_history": history})


@pytest.mark.parametrize("user", ["human", "Human", "user"])
def test_later_turns_do_not_change_a_conversation(user: str) -> None:
    turns = [{"role": "system", "content": "Be kind."}, {"role": user, "content": "Hello"}]
    later = [*turns, {"role": "assistant", "content": "Yes?"}, {"role": user, "content": "Why?"}]
    assert conversation({"messages": turns}) == conversation({"messages": later})
