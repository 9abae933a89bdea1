"""Tests that conversations keep their side in a real Envoy although no header names their user."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.envoy_with_backends import EnvoySetup, envoy_with_backends

USERS, TURNS = 50, 20
DEFAULT = {"sticky": None}  # the file declares nothing


def message(role: str, content: Any) -> dict[str, Any]:
    return {"role": role, "content": content}


class Conversation:
    """One user's chat: each turn repeats all turns before it, as clients of chat APIs do."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.system = [] if number % 3 else [message("system", "You are a helpful assistant. " * 40)]
        self.turns: list[dict[str, Any]] = []
        self.sides: list[str] = []

    def _question(self) -> Any:
        text = f"Question {len(self.turns)} of customer {self.number}"
        return [{"type": "text", "text": text}] if self.number % 2 else text

    async def turn(self, setup: EnvoySetup) -> None:
        self.turns.append(message("user", self._question()))
        messages = [*self.system, *self.turns]
        if self.number % 2:  # Anthropic's clients mark the newest message, so the bytes of the older ones change
            last = messages[-1]
            marked = [{**last["content"][0], "cache_control": {"type": "ephemeral"}}]
            messages = [*messages[:-1], {**last, "content": marked}]
        body = {"model": "m", "messages": messages, "temperature": len(self.turns) / 100}
        reply = await setup.post(json.dumps(body, indent=self.number % 4 or None).encode())
        assert reply.status == 200
        self.sides.append(json.loads(reply.body)["model"])
        self.turns.append(message("assistant", f"Answer {len(self.turns)}"))


async def turns(setup: EnvoySetup, conversations: list[Conversation], count: int) -> None:
    for _ in range(count):
        await asyncio.gather(*(one.turn(setup) for one in conversations))


async def test_a_conversation_changes_its_side_only_at_a_step_and_at_a_retreat(tmp_path: Path) -> None:
    conversations = [Conversation(number) for number in range(USERS)]
    async with envoy_with_backends(tmp_path, chat=DEFAULT) as setup:
        for percent in (0, 25, 50):
            setup.set_share(percent)
            await turns(setup, conversations, 4)
        sides = [one.sides[-1] for one in conversations]
        setup.onprem.behaviour = "status"  # the candidate fails: each request is rescued
        await turns(setup, conversations, 2)
        assert {side for one in conversations for side in one.sides[-2:]} == {"cloud"}
        setup.onprem.behaviour = "json"
        await turns(setup, conversations, 2)
        assert [one.sides[-1] for one in conversations] == [one.sides[-2] for one in conversations] == sides
        setup.set_share(0)
        await turns(setup, conversations, 4)
    for one in conversations:
        assert len(one.sides) == TURNS
        ramp = [one.sides[0:4], one.sides[4:8], one.sides[8:12]]
        assert all(len(set(step)) == 1 for step in ramp)  # no change within a step
        steps = [step[0] for step in ramp]
        assert steps == sorted(steps)  # cloud, then onprem: a growing share moves nobody back
        assert set(one.sides[16:]) == {"cloud"}
    at_25, at_50 = (sum(one.sides[turn] == "onprem" for one in conversations) for turn in (4, 8))
    assert 4 <= at_25 <= 22
    assert at_25 <= at_50
    assert 14 <= at_50 <= 36


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("user", {"user": "{}"}),
        ("metadata.user_id", {"metadata": {"x": 1, "user_id": "{}"}}),
        ("prompt_cache_key", {"prompt_cache_key": "{}"}),
    ],
)
async def test_a_key_of_the_body_is_sticky_whatever_is_asked(tmp_path: Path, key: str, values: dict[str, Any]) -> None:
    async def side(user: int, question: str) -> str:
        body = json.loads(json.dumps(values).replace("{}", f"user-{user}"))
        reply = await setup.post({**body, "messages": [message("user", question)]})
        return str(json.loads(reply.body)["model"])

    async with envoy_with_backends(tmp_path, chat={"sticky": {"body": key}}) as setup:
        setup.set_share(50)
        first = [await side(user, "a") for user in range(40)]
        assert first == [await side(user, "b") for user in range(40)]
        assert {*first} == {"cloud", "onprem"}


@pytest.mark.parametrize("value", [{}, {"user": ""}, {"user": None}])
async def test_an_empty_value_is_none_so_the_conversation_decides(tmp_path: Path, value: dict[str, Any]) -> None:
    async with envoy_with_backends(tmp_path, chat={"sticky": {"body": "user"}}) as setup:
        setup.set_share(50)
        for _ in range(40):
            await setup.post({**value, "messages": [message("user", "one")]})
        assert sorted(len(one.received) for one in (setup.cloud, setup.onprem)) == [0, 40]
        for number in range(40):
            await setup.post({**value, "messages": [message("user", f"other {number}")]})
        assert all(len(one.received) > 5 for one in (setup.cloud, setup.onprem))


async def test_a_client_cannot_choose_its_side(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, chat=DEFAULT) as setup:
        setup.set_share(50)
        for number in range(30):
            await setup.post({"messages": [message("user", "x")]}, headers={"x-glidepath-conversation": f"{number}"})
        assert sorted(len(one.received) for one in (setup.cloud, setup.onprem)) == [0, 30]
        assert not [
            name
            for one in (setup.cloud, setup.onprem)
            for got in one.received
            for name in got.headers
            if name.startswith("x-glidepath")
        ]


def _openai(picture: str) -> dict[str, Any]:
    parts = [{"type": "text", "text": "Extract."}, {"type": "image_url", "image_url": {"url": picture}}]
    return {"messages": [message("user", parts)]}


def _responses(picture: str) -> dict[str, Any]:
    parts = [{"type": "input_text", "text": "Extract."}, {"type": "input_image", "image_url": picture}]
    return {"input": [message("user", parts)]}


def _anthropic(picture: str) -> dict[str, Any]:
    source = {"type": "base64", "media_type": "image/png", "data": picture}
    return {"messages": [message("user", [{"type": "image", "source": source}, {"type": "text", "text": "Extract."}])]}


def _gemini(picture: str) -> dict[str, Any]:
    inline = {"inlineData": {"mimeType": "image/png", "data": picture}}
    return {"contents": [{"role": "user", "parts": [{"text": "Extract."}, inline]}]}


def _ollama(picture: str) -> dict[str, Any]:
    return {"messages": [{**message("user", "Extract."), "images": [picture]}]}


def _ollama_generate(picture: str) -> dict[str, Any]:
    return {"prompt": "Extract.", "images": [picture]}


@pytest.mark.parametrize("form", [_openai, _responses, _anthropic, _gemini, _ollama, _ollama_generate])
async def test_requests_with_the_same_words_and_different_pictures_are_split(
    tmp_path: Path, form: Callable[[str], dict[str, Any]]
) -> None:
    async with envoy_with_backends(tmp_path, chat=DEFAULT) as setup:
        setup.set_share(50)
        for number in range(60):
            await setup.post(form("iVBORw0KGgo" * 300 + f"{number:04}" + "AAAA" * 3))
        assert 10 < len(setup.onprem.received) < 50
        setup.clear_received()
        for turn in range(10):  # the address of a picture is signed anew at each turn
            await setup.post(form(f"https://pictures/one.png?signature={turn}"))
        assert len(setup.onprem.received) in (0, 10)


@pytest.mark.parametrize("first", [[], [{"role": "CHATBOT", "message": "How can I help?"}]], ids=["", "greeting"])
async def test_a_conversation_of_coheres_first_api_keeps_its_side(tmp_path: Path, first: list[dict[str, str]]) -> None:
    async with envoy_with_backends(tmp_path, chat=DEFAULT) as setup:
        setup.set_share(50)
        sides = set()
        for user in range(12):
            history = list(first)
            setup.clear_received()
            for turn in range(5):
                text = f"question {turn} of {user}"
                await setup.post({"message": text, "chat_history": history})
                history += [{"role": "USER", "message": text}, {"role": "CHATBOT", "message": "x"}]
            sides.add(len(setup.onprem.received))
        assert sides == {0, 5}
