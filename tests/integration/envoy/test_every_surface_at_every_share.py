"""A matrix: each API surface, whole and streamed, at each share, with each kind of request.

The client gets the baseline's answer, or the candidate's answer if the split assigned the request to the candidate. One
Envoy serves all cells.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.support.envoy_with_backends import EnvoySetup, envoy_with_backends

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOTH = {"baseline": "cloud", "candidate": "onprem"}
TEXT = "What is the capital of Australia?"
IMAGE = "iVBORw0KGgo" * 20
LONG = "lorem ipsum " * 20_000  # 240 KB


def chat(content: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": content}]}


def openai_parts(text: str) -> list[dict[str, Any]]:
    url = {"url": f"data:image/png;base64,{IMAGE}"}
    return [{"type": "text", "text": text}, {"type": "image_url", "image_url": url}]


def responses_parts(text: str) -> list[dict[str, Any]]:
    picture = {"type": "input_image", "image_url": f"data:image/png;base64,{IMAGE}"}
    return [{"type": "input_text", "text": text}, picture]


def anthropic_parts(text: str) -> list[dict[str, Any]]:
    source = {"type": "base64", "media_type": "image/png", "data": IMAGE}
    return [{"type": "text", "text": text}, {"type": "image", "source": source}]


def gemini(text: str, *more: dict[str, Any]) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": text}, *more]}]}


def converse(part: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [part]}]}


FUNCTION = {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {"model": {}}}}
# by surface: its path, a path of management there, and the bodies by the kinds that the API has
SURFACES: dict[str, tuple[str, str, dict[str, dict[str, Any]]]] = {
    "chat": (
        "/v1/chat/completions",
        "/v1/batches",
        {
            "plain": chat(TEXT),
            "state": {**chat(TEXT), "store": True},
            "tools": {**chat(TEXT), "tools": [{"type": "function", "function": FUNCTION}]},
            "image": chat(openai_parts(TEXT)),
            "long": chat(LONG),
        },
    ),
    "responses": (
        "/v1/responses",
        "/v1/files",
        {
            "plain": {"model": "m", "input": TEXT, "store": False},
            "state": {"model": "m", "input": TEXT, "previous_response_id": "resp_1"},
            "tools": {"model": "m", "input": TEXT, "store": False, "tools": [{"type": "function", **FUNCTION}]},
            "image": {"model": "m", "store": False, "input": chat(responses_parts(TEXT))["messages"]},
            "long": {"model": "m", "input": LONG, "store": False},
        },
    ),
    "messages": (
        "/v1/messages",
        "/v1/messages/batches",
        {
            "plain": {**chat(TEXT), "max_tokens": 9},
            "state": {**chat(TEXT), "max_tokens": 9, "container": "container_1"},
            "tools": {**chat(TEXT), "tools": [{"name": "f", "input_schema": {"type": "object"}}]},
            "image": chat(anthropic_parts(TEXT)),
            "long": {**chat(LONG), "max_tokens": 9},
        },
    ),
    "ollama": (
        "/api/chat",
        "/api/pull",
        {
            "plain": chat(TEXT),
            "tools": {**chat(TEXT), "tools": [{"type": "function", "function": FUNCTION}]},
            "image": {"model": "m", "messages": [{"role": "user", "content": TEXT, "images": [IMAGE]}]},
            "long": chat(LONG),
        },
    ),
    "completions": (
        "/v1/completions",
        "/v1/fine_tuning/jobs",
        {
            "plain": {"model": "m", "prompt": TEXT},
            "state": {"model": "m", "prompt": TEXT, "preset": "support"},
            "long": {"model": "m", "prompt": LONG},
        },
    ),
    "gemini": (
        "/v1beta/models/m:generateContent",
        "/v1beta/cachedContents",
        {
            "plain": gemini(TEXT),
            "state": {**gemini(TEXT), "cachedContent": "cachedContents/1"},
            "tools": {**gemini(TEXT), "tools": [{"functionDeclarations": [FUNCTION]}]},
            "image": gemini(TEXT, {"inlineData": {"mimeType": "image/png", "data": IMAGE}}),
            "long": gemini(LONG),
        },
    ),
    "converse": (
        "/model/m/converse",
        "/model/m/files",
        {
            "plain": converse({"text": TEXT}),
            "state": converse({"image": {"format": "png", "source": {"s3Location": {"uri": "s3://b/k"}}}}),
            "tools": {**converse({"text": TEXT}), "toolConfig": {"tools": [{"toolSpec": {"name": "f"}}]}},
            "image": converse({"image": {"format": "png", "source": {"bytes": IMAGE}}}),
            "long": converse({"text": LONG}),
        },
    ),
    "embeddings": (
        "/v1/embeddings",
        "/v1/uploads",
        {
            "plain": {"model": "m", "input": TEXT},
            "image": {"model": "m", "input": [{"image": IMAGE}]},
            "long": {"model": "m", "input": LONG},
        },
    ),
}
SHARES = (0, 50, 100)
VARIANTS = 16  # requests of one kind at 50 %, which must reach both sides


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def setup(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EnvoySetup]:
    workloads = {
        "responses": {"match": {"path": "/v1/responses"}, **BOTH},
        "openai": {"match": {"path_prefix": "/v1"}, **BOTH},
        "ollama": {"match": {"path_prefix": "/api"}, **BOTH},
        "gemini": {"match": {"path_prefix": "/v1beta"}, **BOTH},
        "bedrock": {"match": {"path_prefix": "/model"}, **BOTH},
    }
    folder = tmp_path_factory.mktemp("matrix")
    async with envoy_with_backends(folder, chat={"sticky": None}, workloads=workloads, cloud={"model": None}) as one:
        yield one


def kinds(surface: str) -> list[str]:
    return [*SURFACES[surface][2], "websocket", "management"]


async def test_the_matrix_has_at_least_300_cells() -> None:
    assert sum(len(kinds(surface)) for surface in SURFACES) * 2 * len(SHARES) >= 300


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("behaviour", ["json", "sse"])
@pytest.mark.parametrize("surface", SURFACES)
async def test_the_client_gets_what_the_baseline_alone_would_give_or_the_candidates_own_answer(
    setup: EnvoySetup, surface: str, behaviour: str, share: int
) -> None:
    path, management, bodies = SURFACES[surface]
    for backend in (setup.cloud, setup.onprem):
        backend.behaviour = behaviour  # type: ignore[assignment]
    for workload in setup.envoy.config.workloads:
        setup.set_share(share, workload)
    for kind in kinds(surface):
        setup.clear_received()
        cell = f"{surface}, {behaviour}, {share} %, {kind}"
        if kind == "websocket":
            await _check_websocket(setup, path)
        elif kind == "management":
            body = {"model": "m", "purpose": "x"}
            assert await _same_as_direct(setup, management, body), cell
            assert setup.onprem.received == [], cell
            assert setup.cloud.received[0].body == setup.cloud.received[1].body, cell
        else:
            body = {**bodies[kind], "stream": behaviour == "sse"}
            sides = [await _check_inference(setup, path, one, cell) for one in variants(body, share)]
            wanted = {False} if kind == "state" or share == 0 else {True} if share == 100 else {True, False}
            assert set(sides) == wanted, cell


async def _check_websocket(setup: EnvoySetup, path: str) -> None:
    async with setup.session.ws_connect(setup.envoy.live + path) as socket:
        await socket.send_str("x")
        assert await socket.receive_str(timeout=60) == "cloud: x"
    assert setup.onprem.received == []


def variants(body: dict[str, Any], share: int) -> list[dict[str, Any]]:
    """Return the body, and at 50 % others of the same form, each of which begins another conversation."""
    text = json.dumps(body)
    number = VARIANTS if share == 50 else 1
    if LONG in text:
        return [json.loads(text.replace(LONG, f"{one} {LONG}")) for one in range(number)]
    return [json.loads(text.replace(TEXT, f"{TEXT} {one}").replace(IMAGE, f"{IMAGE}{one:04}")) for one in range(number)]


async def _check_inference(setup: EnvoySetup, path: str, body: dict[str, Any], cell: str) -> bool:
    """Send a request to both sides and through Envoy, compare the answers, and return whether the candidate got it."""
    direct = await setup.post(body, path=path, to=setup.cloud.url)
    own = await setup.post(body, path=path, to=setup.onprem.url)
    setup.clear_received()
    reply = await setup.post(body, path=path)
    (received,) = [*setup.cloud.received, *setup.onprem.received]
    at_candidate = bool(setup.onprem.received)
    wanted = own if at_candidate else direct
    assert (reply.status, reply.body) == (wanted.status, wanted.body), cell
    assert reply.headers["content-type"] == wanted.headers["content-type"], cell
    named = path.replace("/models/m:", "/models/onprem-model:").replace("/model/m/", "/model/onprem-model/")
    assert received.path == (named if at_candidate else path), cell  # the path may name the model
    sent = {**body, "model": "onprem-model"} if at_candidate and "model" in body else body
    assert json.loads(received.body) == sent, cell
    if not at_candidate:
        assert received.body == json.dumps(body).encode(), cell
    return at_candidate


async def _same_as_direct(setup: EnvoySetup, path: str, body: dict[str, Any]) -> bool:
    direct = await setup.post(body, path=path, to=setup.cloud.url)
    reply = await setup.post(body, path=path)
    return (reply.status, reply.body) == (direct.status, direct.body)
