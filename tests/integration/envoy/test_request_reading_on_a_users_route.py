"""Tests of the reading of requests in a user's Envoy: the user's settings keep their effect on every route."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.envoy_with_backends import PATH
from tests.support.users_envoy import TYPE, UsersSetup, to_theirs, users_setup, users_table

WORKLOAD = {"match": {"path": PATH, "model": "gpt-4o"}}
MUTATION = TYPE + "extensions.filters.http.header_mutation.v3.HeaderMutation"


async def send(setup: UsersSetup, model: str, path: str = PATH, body: dict[str, Any] | None = None) -> int:
    text = json.dumps({"model": model, "messages": [], **(body or {})})
    async with setup.session.post(setup.live + path, data=text, headers={"content-type": "application/json"}) as reply:
        await reply.read()
        return reply.status


async def test_only_the_models_of_the_workload_are_split(tmp_path: Path) -> None:
    own = to_theirs({"prefix": "/v1/"}, {"prefix_rewrite": "/api/"}, request_headers_to_remove=["x-drop"])
    async with users_setup(tmp_path, users_table(own, to_theirs()), **WORKLOAD) as setup:
        with setup.before():
            await send(setup, "o3")
            before = setup.theirs.last
        with setup.after() as envoy:
            setup.set_share(envoy, 100)
            setup.clear_received()
            assert await send(setup, "gpt-4o") == 200
            assert [one.model for one in setup.onprem.received] == ["onprem-model"]
            assert setup.theirs.received == []
            assert await send(setup, "o3") == 200
            (after,) = setup.theirs.received
            assert (after.path, after.body) == (before.path, before.body)
            assert {*after.headers} == {*before.headers}
            assert await send(setup, "gpt-4o", "/v1/embeddings") == 200
            assert setup.theirs.last.path == "/api/embeddings"
            assert len(setup.onprem.received) == 1


async def test_state_stays_with_the_users_cluster(tmp_path: Path) -> None:
    async with users_setup(tmp_path, users_table(), match={"path": "/v1/responses"}) as setup:
        with setup.after() as envoy:
            setup.set_share(envoy, 100)
            await send(setup, "m", "/v1/responses", {"previous_response_id": "resp_1", "store": False})
            assert (setup.theirs.last.model, setup.onprem.received) == ("m", [])
            await send(setup, "m", "/v1/responses", {"store": False})
            assert [one.model for one in setup.onprem.received] == ["onprem-model"]


@pytest.mark.parametrize("model", ["gpt-4o", "o3"])
async def test_a_header_that_a_filter_adds_leads_to_no_other_route(model: str, tmp_path: Path) -> None:
    """The open route takes requests with a header that one of the user's filters adds after the route was chosen."""
    header = {"name": "x-internal", "string_match": {"exact": "yes"}}
    internal = to_theirs({"prefix": "/", "headers": [header]}, {"prefix_rewrite": "/internal/"})
    append = {"header": {"key": "x-internal", "value": "yes"}}
    mutation = {"@type": MUTATION, "mutations": {"request_mutations": [{"append": append}]}}
    table = users_table(internal, to_theirs(), filters=[{"name": "theirs.mutation", "typed_config": mutation}])
    async with users_setup(tmp_path, table, **WORKLOAD) as setup:
        with setup.before():
            await send(setup, model)
            assert setup.theirs.last.path == PATH
        setup.clear_received()
        with setup.after() as envoy:
            for share in (0, 100):
                setup.set_share(envoy, share)
                assert await send(setup, model) == 200
            received = [*setup.theirs.received, *setup.onprem.received]
            assert [one.path for one in received] == [PATH, PATH]
            assert len(setup.onprem.received) == (model == "gpt-4o")


SIGNED = {"messages": [{"role": "assistant", "content": [{"type": "thinking", "thinking": "a", "signature": "s"}]}]}


@pytest.mark.parametrize(
    ("declared", "body"),
    [
        ({"tools": False}, {"tools": [{"type": "function", "function": {"name": "f"}}]}),
        ({"max_body": "300B"}, {"padding": "x" * 400}),
        ({"foreign_reasoning": "refuses"}, SIGNED),
    ],
)
async def test_what_the_candidate_declares_that_it_cannot_serve_stays_with_the_users_cluster(
    declared: dict[str, Any], body: dict[str, Any], tmp_path: Path
) -> None:
    async with users_setup(tmp_path, users_table(), onprem=declared) as setup:
        with setup.after() as envoy:
            setup.set_share(envoy, 100)
            await send(setup, "m", body=body)
            assert (setup.theirs.last.model, setup.onprem.received) == ("m", [])
            await send(setup, "m")
            assert [one.model for one in setup.onprem.received] == ["onprem-model"]
