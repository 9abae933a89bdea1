"""Tests of the facts that a real Envoy reads from a request's body before it chooses the route, and of their effect."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.envoy_with_backends import PATH, EnvoySetup, Reply, envoy_with_backends

pytestmark = pytest.mark.asyncio(loop_scope="module")

BOTH = {"baseline": "cloud", "candidate": "onprem"}
RESPONSES = "/v1/responses"
WORKLOADS: dict[str, Any] = {
    "small": {"match": {"path": PATH, "model": {"prefix": "small-"}}, **BOTH},
    "dated": {"match": {"path": PATH, "model": {"regex": "gpt-4o-[0-9-]+"}}, **BOTH},
    "responses": {"match": {"path": RESPONSES}, **BOTH},
    "stateless": {"match": {"path": RESPONSES, "headers": {"x-free": "yes"}}, "stateless": True, **BOTH},
}


def show_facts(bootstrap: dict[str, Any]) -> None:
    """Let the live listener add the facts about a request to the answer."""
    listener = bootstrap["static_resources"]["listeners"][0]
    table = listener["filter_chains"][0]["filters"][0]["typed_config"]["route_config"]
    facts = {"key": "x-facts", "value": "%DYNAMIC_METADATA(glidepath.request)%"}
    route = {"key": "x-route", "value": "%ROUTE_NAME%"}
    table["virtual_hosts"][0]["response_headers_to_add"] = [{"header": facts}, {"header": route}]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EnvoySetup]:
    chat = {"match": {"path": PATH, "model": "gpt-4o"}, "sticky": {"body": "metadata.user_id"}}
    async with envoy_with_backends(
        tmp_path_factory.mktemp("setup"),
        chat=chat,
        workloads=WORKLOADS,
        envoy={"default_backend": "cloud", "max_body": "2MiB"},
        edit=show_facts,
    ) as setup:
        for workload in ("chat", *WORKLOADS):
            setup.set_share(100, workload)
        yield setup


@pytest_asyncio.fixture(loop_scope="module")
async def setup(shared: EnvoySetup) -> EnvoySetup:
    shared.clear_received()
    return shared


def facts(reply: Reply) -> dict[str, str]:
    return dict(json.loads(reply.headers["x-facts"]))


def user(content: Any = "hi") -> dict[str, Any]:
    return {"role": "user", "content": content}


@pytest.mark.parametrize(
    ("model", "route", "served"),
    [
        ("gpt-4o", "glidepath/chat", "onprem-model"),
        ("small-7b", "glidepath/small", "onprem-model"),
        ("gpt-4o-2024-08-06", "glidepath/dated", "onprem-model"),
        ("gpt-4o-mini", "default", "gpt-4o-mini"),
        ("o3", "default", "o3"),
        ("", "default", ""),
    ],
)
async def test_a_workload_takes_its_models_and_leaves_the_others_as_they_are(
    setup: EnvoySetup, model: str, route: str, served: str
) -> None:
    body = {"messages": [user('the "model": "gpt-4o"')], "model": model}
    reply = await setup.post(body)
    assert (reply.status, reply.headers["x-route"]) == (200, route)
    (received,) = [*setup.cloud.received, *setup.onprem.received]
    assert received.model == served
    assert not [name for name in received.headers if name.startswith("x-glidepath")]
    if route == "default":
        assert received.body == json.dumps(body).encode()
        assert setup.onprem.received == []


@pytest.mark.parametrize("default", ["cloud", None], ids=["with a default backend", "without"])
async def test_of_five_models_on_one_path_only_that_of_the_workload_is_touched(
    tmp_path: Path, default: str | None
) -> None:
    chat, more = {"match": {"path": PATH, "model": "one"}}, {"envoy": {"default_backend": default}}
    async with envoy_with_backends(tmp_path, chat=chat, **more) as setup:
        setup.set_share(100)
        for model in ("one", "two", "three", "four", "five"):
            setup.clear_received()
            body = json.dumps({"messages": [user()], "model": model}, indent=2).encode()
            reply = await setup.post(body)
            if model == "one":
                assert (setup.onprem.last.model, setup.cloud.received) == ("onprem-model", [])
            else:
                assert reply.status == (200 if default else 404)
                assert [one.body for one in setup.cloud.received] == ([body] if default else [])
                assert setup.onprem.received == []


async def test_signed_reasoning_stays_at_the_baseline_if_the_candidate_refuses_it(tmp_path: Path) -> None:
    thinking = {"role": "assistant", "content": [{"type": "thinking", "thinking": "a", "signature": "s"}]}
    async with envoy_with_backends(tmp_path, onprem={"foreign_reasoning": "refuses"}, chat={"start": 100}) as setup:
        await setup.post({"model": "m", "messages": [user(), thinking, user()]})
        assert (setup.cloud.last.model, setup.onprem.received) == ("cloud-model", [])
        await setup.post({"model": "m", "messages": [user(), {"role": "assistant", "content": "a"}, user()]})
        assert [one.model for one in setup.onprem.received] == ["onprem-model"]


@pytest.mark.parametrize("path", ["/api/generate", "/api/chat"])
async def test_a_request_that_only_unloads_a_model_goes_to_the_baseline_at_every_share(
    tmp_path: Path, path: str
) -> None:
    chat = {"match": {"path": path}, "start": 100, "sticky": {"conversation": True}}
    asked: dict[str, Any] = {"prompt": "hi"} if path == "/api/generate" else {"messages": [user()]}
    async with envoy_with_backends(tmp_path, chat=chat) as setup:
        for body in ({"model": "m", "keep_alive": 0}, {"keep_alive": "0s", "model": "m", "messages": []}):
            assert (await setup.post(body, path=path)).status == 200
            assert (setup.cloud.last.model, setup.onprem.received) == ("cloud-model", [])
        for body in ({"model": "m", "keep_alive": 0, **asked}, {"model": "m", "keep_alive": "5m"}):
            await setup.post(body, path=path)
        assert [one.model for one in setup.onprem.received] == ["onprem-model"] * 2
        assert len(setup.cloud.received) == 2


async def test_a_context_of_ollama_goes_to_the_side_of_its_user(tmp_path: Path) -> None:
    second = {"model": "m", "prompt": "and?", "context": [1, 2, 3]}
    chat = {"match": {"path": "/api/generate"}, "start": 100, "sticky": {"header": "x-user"}}
    async with envoy_with_backends(tmp_path, chat=chat) as setup:
        await setup.post(second, {"x-user": "ann"}, "/api/generate")
        await setup.post({**second, "conversation_id": "c1"}, {"x-user": "ann"}, "/api/generate")
        assert [len(one.received) for one in (setup.onprem, setup.cloud)] == [1, 1]


@pytest.mark.parametrize(
    ("path", "first", "second"),
    [
        ("/api/generate", {"prompt": "hi"}, {"prompt": "and?", "context": [1, 2, 3]}),
        ("/v1/chat", {"message": "hi"}, {"message": "and?", "conversation_id": "c1"}),
        ("/v1beta/interactions", {"input": "hi", "store": False}, {"input": "hi"}),
        (
            "/v1beta/interactions",
            {"input": "hi", "store": False},
            {"input": "and?", "store": False, "previous_interaction_id": "i1"},
        ),
    ],
)
async def test_a_conversation_of_one_server_stays_at_the_baseline_though_nothing_else_needs_the_body(
    tmp_path: Path, path: str, first: dict[str, Any], second: dict[str, Any]
) -> None:
    free = {"match": {"path": path, "headers": {"x-free": "yes"}}, "stateless": True, "start": 100, **BOTH}
    chat = {"match": {"path": path}, "start": 100}
    async with envoy_with_backends(
        tmp_path, chat=chat, workloads={"free": {**free, "sticky": {"random": True}}}
    ) as setup:
        for body, headers, side in (
            (first, {}, "onprem"),
            (second, {}, "cloud"),
            (second, {"x-free": "yes"}, "onprem"),
        ):
            setup.clear_received()
            await setup.post({"model": "m", **body}, headers, path)
            assert [one.name for one in (setup.cloud, setup.onprem) if one.received] == [side]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"model": "m", "messages": [user()]}, {"model": "m", "stream": "false", "tools": "none", "state": "none"}),
        ({"stream": True, "messages": [], "max_tokens": 5}, {"stream": "true", "max_tokens": "5", "model": ""}),
        ({"metadata": {"model": "x"}, "model": "a/b", "x": {"stream": True}}, {"model": "a/b", "stream": "false"}),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, {"tools": "client"}),
        ({"tools": [{"type": "function", "function": {"parameters": {"type": "web"}}}]}, {"tools": "client"}),
        ({"tools": [{"name": "f", "input_schema": {"type": "object"}}]}, {"tools": "client"}),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, {"tools": "client"}),
        ({"tools": [{"type": "function"}, {"type": "web_search"}]}, {"tools": "hosted"}),
        ({"tools": [{"type": "mcp", "server_url": "https://x"}]}, {"tools": "hosted"}),
        ({"tools": [{"googleSearch": {}}]}, {"tools": "hosted"}),
        ({"tools": []}, {"tools": "none"}),
        ({"mcp_servers": [{"type": "url"}], "messages": [user()]}, {"tools": "hosted"}),
        ({"messages": [user([{"type": "text", "text": "a"}])]}, {"modalities": ""}),
        ({"messages": [user([{"type": "image_url", "image_url": {"url": "u"}}])]}, {"modalities": "image"}),
        ({"messages": [user([{"type": "image", "source": {"type": "base64"}}])]}, {"modalities": "image"}),
        ({"messages": [user([{"type": "input_audio", "input_audio": {}}])]}, {"modalities": "audio"}),
        ({"messages": [{**user(), "images": ["x"]}]}, {"modalities": "image"}),
        ({"contents": [{"parts": [{"inlineData": {"mimeType": "image/png"}}]}]}, {"modalities": "image"}),
        ({"messages": [user([{"type": "file", "file": {"file_data": "x"}}])]}, {"modalities": "file"}),
        ({"messages": [user([{"type": "file", "file": {"file_id": "f"}}])]}, {"state": "needs", "why": "file"}),
        ({"modalities": ["text", "audio"], "audio": {"voice": "a"}}, {"modalities": "audio"}),
        ({"store": True}, {"state": "makes", "why": "store"}),
        ({"store": None}, {"state": "none"}),
        ({"container": "c1"}, {"state": "needs", "why": "container"}),
        ({"cachedContent": "c1"}, {"state": "needs"}),
        ({"prompt": "and?", "context": [1, 2]}, {"state": "context", "why": "context"}),
        ({"context": [1, 2], "conversation_id": "c"}, {"state": "needs", "why": "conversation_id"}),
        ({"conversation_id": "c", "context": [1, 2]}, {"state": "needs", "why": "conversation_id"}),
        ({"prompt": "and?", "context": []}, {"state": "none"}),
        ({"prompt": "and?", "context": ["7"], "x": {"context": [1]}}, {"state": "none"}),
        ({"message": "and?", "conversation_id": "c1"}, {"state": "needs", "why": "conversation_id"}),
        ({"message": "and?", "conversation_id": 7}, {"state": "needs", "why": "conversation_id"}),
        ({"message": "and?", "conversation_id": None, "agent_id": "", "session_id": "s"}, {"state": "none"}),
        ({"messages": [user()], "agent_id": "ag:1"}, {"state": "needs", "why": "agent_id"}),
        ({"model": "@preset/support"}, {"state": "needs", "why": "preset", "model": "@preset/support"}),
        ({"model": "a/b@preset/support", "messages": []}, {"state": "needs", "why": "preset"}),
        ({"model": "a/b", "preset": "support"}, {"state": "needs", "why": "preset"}),
        ({"models": ["a/b", "c/d"], "messages": []}, {"state": "none", "model": ""}),
        ({"messages": [user()], "metadata": {"agent_id": "ag:1", "file_id": "f"}}, {"state": "none"}),
        ({"messages": [user()], "deferred": True}, {"state": "makes", "why": "background"}),
        ({"background": True, "deferred": False}, {"state": "makes", "why": "background"}),
        (
            {"messages": [user([{"image": {"source": {"s3Location": {"uri": "s3://b/k"}}}}])]},
            {"state": "needs", "why": "file"},
        ),
        ({"container": {"id": "c1"}}, {"state": "needs", "why": "container"}),
        ({"container": {"skills": [{"type": "custom", "skill_id": "s"}]}}, {"state": "needs", "why": "container"}),
        ({"tools": [{"type": "code_interpreter", "container": "c1"}]}, {"state": "needs", "why": "container"}),
        (
            {"tools": [{"type": "shell", "environment": {"type": "container_reference", "container_id": "c1"}}]},
            {"state": "needs", "why": "container"},
        ),
        (
            {"tools": [{"type": "shell", "environment": {"type": "container_auto", "skills": [{"skill_id": "s"}]}}]},
            {"state": "needs", "why": "container"},
        ),
        (
            {"tools": [{"type": "image_generation", "input_image_mask": {"file_id": "f"}}]},
            {"state": "needs", "why": "file"},
        ),
        (
            {"tools": [{"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["f"]}}]},
            {"state": "needs", "why": "file"},
        ),
        ({"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]}, {"state": "none"}),
        (
            {"tools": [{"type": "file_search", "vector_store_ids": ["vs"]}]},
            {"state": "needs", "why": "vector_store"},
        ),
        ({"vector_store_ids": ["vs"]}, {"state": "needs", "why": "vector_store"}),
        (
            {"tools": [{"type": "function", "function": {"parameters": {"vector_store_ids": ["x"], "context": [1]}}}]},
            {"state": "none"},
        ),
        ({"tools": [{"fileSearch": {"fileSearchStoreNames": ["s"]}}]}, {"state": "needs", "tools": "hosted"}),
        (
            {"messages": [{"role": "assistant", "content": [{"type": "thinking", "signature": "s"}]}]},
            {"signed": "true"},
        ),
    ],
)
async def test_the_facts_of_a_body(setup: EnvoySetup, body: dict[str, Any], expected: dict[str, str]) -> None:
    for text in (json.dumps(body), json.dumps(body, indent=1), json.dumps(body, separators=(",", ":"))):
        found = facts(await setup.post(text.encode()))
        assert found["read"] == "yes"
        assert {name: found[name] for name in expected} == expected
        assert found["bytes"] == str(len(text))


async def test_an_escaped_key_is_read_and_two_different_models_are_not_guessed(setup: EnvoySetup) -> None:
    assert (await setup.post(b'{"mod\\u0065l": "gpt-4o"}')).headers["x-route"] == "glidepath/chat"
    assert (await setup.post(b'{"model": "o3", "model": "o3"}')).headers["x-route"] == "default"
    reply = await setup.post(b'{"model": "o3", "model": "gpt-4o"}')
    assert reply.headers["x-route"] == "glidepath/chat/pinned"
    assert facts(reply)["read"] == "ambiguous"
    assert setup.cloud.received[-1].body == b'{"model": "cloud-model", "model": "cloud-model"}'


@pytest.mark.parametrize(
    ("body", "headers", "reason"),
    [
        ('{"model": "gpt-4o"}'.encode("utf-16"), {}, "unreadable"),
        (b'{"model": "gpt-4o", "x": "' + b"a" * 2**21 + b'"}', {}, "too_long"),
        (b'{"model": "gpt-4o", "x": [' + b"[]," * 40_000 + b"1]}", {}, "too_complex"),
    ],
)
async def test_what_cannot_be_read_goes_to_the_baseline_as_it_was_sent(
    setup: EnvoySetup, body: bytes, headers: dict[str, str], reason: str
) -> None:
    reply = await setup.post(body, headers=headers)
    assert (reply.status, facts(reply)["read"], facts(reply)["state"]) == (200, reason, "unread")
    assert setup.cloud.last.body == body
    assert setup.onprem.received == []


async def test_a_compressed_body_goes_to_the_baseline(setup: EnvoySetup) -> None:
    body = gzip.compress(b'{"model": "gpt-4o"}')
    url, headers = setup.envoy.live + PATH, {"content-encoding": "gzip", "content-type": "application/json"}
    async with setup.session.post(url, data=body, headers=headers, compress=False) as reply:
        assert json.loads(reply.headers["x-facts"])["read"] == "compressed"
    assert setup.cloud.last.model == "gpt-4o"  # the recorder has decompressed it


@pytest.mark.parametrize("body", [b"", b"[1]", b"not json", b'{"model": "gpt-4o"', b"   ", b"\xef\xbb\xbf", b"]", b'"'])
async def test_a_body_that_is_no_json_object_has_no_model(setup: EnvoySetup, body: bytes) -> None:
    reply = await setup.post(body)
    assert (reply.status, reply.headers["x-route"]) == (200, "default")
    assert setup.cloud.last.body == body


@pytest.mark.parametrize(
    ("body", "pinned"),
    [
        ({"input": "hi"}, True),
        ({"input": "hi", "store": False}, False),
        ({"input": "hi", "store": False, "previous_response_id": None}, False),
        ({"input": "hi", "store": False, "previous_response_id": "resp_1"}, True),
        ({"input": "hi", "store": False, "conversation": "conv_1"}, True),
        ({"input": "hi", "store": False, "conversation": {"id": "conv_1"}}, True),
        ({"store": False, "prompt": {"id": "pmpt_1", "variables": {"id": "x"}}}, True),
        ({"input": "hi", "store": False, "prompt": {"id": ""}}, False),
        ({"messages": [{"role": "assistant", "audio": {"id": "audio_1"}}], "store": False}, True),
        ({"messages": [{"role": "user", "id": "m"}], "audio": {"voice": "a"}, "store": False}, False),
        ({"input": "hi", "store": False, "background": True}, True),
        ({"input": [{"type": "item_reference", "id": "x"}], "store": False}, True),
        ({"input": [user([{"type": "input_file", "file_id": "f1"}])], "store": False}, True),
    ],
)
async def test_a_request_that_needs_or_makes_state_stays_at_the_baseline(
    setup: EnvoySetup, body: dict[str, Any], pinned: bool
) -> None:
    await setup.post({"model": "m", **body}, path=RESPONSES)
    assert [len(one.received) for one in (setup.cloud, setup.onprem)] == ([1, 0] if pinned else [0, 1])
    setup.clear_received()
    await setup.post({"model": "m", **body}, path=RESPONSES, headers={"x-free": "yes"})
    assert [len(one.received) for one in (setup.cloud, setup.onprem)] == [0, 1]


@pytest.mark.parametrize("kind", ["application/octet-stream", "multipart/form-data; boundary=x", "audio/wav", "x"])
async def test_a_call_that_takes_json_only_is_read_whatever_its_content_type(setup: EnvoySetup, kind: str) -> None:
    body = {"model": "m", "store": False, "previous_response_id": "resp_1"}
    reply = await setup.post(body, path=RESPONSES, headers={"content-type": kind})
    assert (facts(reply)["state"], facts(reply)["why"]) == ("needs", "previous_response_id")
    assert setup.onprem.received == []


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("application/grpc", "unread"),
        ("Application/gRPC+proto", "unread"),
        ("application/grpc; x=y", "unread"),
        ("application/grpc-web", "unread"),
        ("application/grpcfoo", "needs"),
        ("x-application/grpc", "needs"),
    ],
)
async def test_a_json_call_that_says_it_is_grpc_is_not_held_and_stays_at_the_baseline(
    setup: EnvoySetup, kind: str, state: str
) -> None:
    body = {"model": "m", "store": False, "previous_response_id": "resp_1"}
    reply = await setup.post(body, path=RESPONSES, headers={"content-type": kind})
    assert facts(reply)["state"] == state
    assert setup.cloud.last.body == json.dumps(body).encode() or state == "needs"
    assert setup.onprem.received == []
