"""The requests that a user's backend and the candidate get on a continued route.

The user's route keeps its effects on requests to the user's backend: rewrites, header rules, retries, stickiness. The
candidate gets the client's own request.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from glidepath import envoy_names
from tests.support.envoy_with_backends import PATH
from tests.support.recording_backend import Received
from tests.support.users_envoy import Json, UsersSetup, UsersTable, to_theirs, users_setup, users_table
from tests.support.waiting import eventually

BODY = json.dumps({"model": "m", "messages": []}).encode()
ID = {"x-request-id": "3b5a9c1e-0000-4000-8000-000000000000"}
CLIENTS = {"authorization": "Bearer the-clients-own"}
SET, DEFAULT = "OVERWRITE_IF_EXISTS_OR_ADD", "ADD_IF_ABSENT"


def adds(name: str, value: str, action: str | None = None) -> Json:
    return {"header": {"key": name, "value": value}, **({"append_action": action} if action else {})}


def rewriting() -> UsersTable:
    """Return a route table that changes the path, the host and headers at every level."""
    wide = to_theirs(
        {"prefix": "/v1/"},
        {"prefix_rewrite": "/api/2/", "host_rewrite_literal": "inner.test"},
        name="api",
        request_headers_to_add=[adds("x-route", "one"), adds("x-model-team", "%REQ(x-team)%", SET)],
        request_headers_to_remove=["x-secret-of-client"],
    )
    host = {
        "request_headers_to_add": [adds("x-host", "all")],
        "include_request_attempt_count": True,
    }
    return users_table(wide, to_theirs(), virtual_host=host, table={"request_headers_to_add": [adds("x-table", "t")]})


async def test_at_a_share_of_zero_the_users_backend_gets_the_same_bytes_of_headers(tmp_path: Path) -> None:
    async with users_setup(tmp_path, rewriting()) as setup:
        with setup.before():
            await _many_requests(setup)
            before = [_head(one) for one in setup.theirs.received]
            assert before[0][1] == "/api/2/chat/completions"
        setup.clear_received()
        with setup.after() as envoy:
            await _many_requests(setup)
            assert [_head(one) for one in setup.theirs.received] == before
            assert setup.served == {"theirs"}
            # only the workload's own method and path are split
            setup.set_share(envoy, 100)
            setup.clear_received()
            await _many_requests(setup)
            assert [_head(one) for one in setup.theirs.received] == before[2:]
            assert {one.path.partition("?")[0] for one in setup.onprem.received} == {PATH}
            await eventually(lambda: len(setup.collector.streams) == 4)
            entries = setup.collector.entries
            await eventually(lambda: len(entries.get(envoy_names.LIVE_LOG, [])) == 2 * len(before))
            names = Counter(entry.common_properties.route_name for entry in entries[envoy_names.LIVE_LOG])
            assert names["api"] == 2 * (len(before) - 1)


async def _many_requests(setup: UsersSetup) -> None:
    """Send two requests of the workload, then requests with other methods and with other paths."""
    await _send(setup, "POST", PATH, {"x-team": "red", "x-secret-of-client": "s"})
    await _send(setup, "POST", PATH + "?a=%20b", {"authorization": "Bearer x"})
    for method in ("GET", "OPTIONS", "PUT", "DELETE"):
        await _send(setup, method, PATH)
    for path in (PATH + "/", PATH + "x", "/v1/models", "/V1/chat/completions"):
        await _send(setup, "POST", path)


def _head(received: Received) -> tuple[str, str, tuple[tuple[bytes, bytes], ...]]:
    return received.method, received.path, received.raw_headers


RULES: dict[str, tuple[UsersTable, Mapping[str, str]]] = {
    "everything rewritten": (rewriting(), {"x-team": "red", "x-secret-of-client": "s", **CLIENTS}),
    "nothing": (users_table(), CLIENTS),
    "credential set": (
        users_table(to_theirs(request_headers_to_add=[adds("authorization", "Bearer of-the-user", SET)])),
        CLIENTS,
    ),
    "credential appended": (
        users_table(to_theirs(request_headers_to_add=[adds("authorization", "Bearer of-the-user")])),
        CLIENTS,
    ),
    "key appended": (
        users_table(to_theirs(request_headers_to_add=[adds("x-api-key", "of-the-user")])),
        {"x-api-key": "the-clients-own"},
    ),
    "credential by default, sent": (
        users_table(to_theirs(request_headers_to_add=[adds("authorization", "Bearer of-the-user", DEFAULT)])),
        CLIENTS,
    ),
    "credential by default, not sent": (
        users_table(to_theirs(request_headers_to_add=[adds("authorization", "Bearer of-the-user", DEFAULT)])),
        {},
    ),
    "credential removed, another one added": (
        users_table(
            to_theirs(request_headers_to_remove=["authorization"]),
            table={"request_headers_to_add": [adds("x-api-key", "key-of-the-user")]},
        ),
        CLIENTS,
    ),
    "the candidate's own header": (
        users_table(to_theirs(request_headers_to_add=[adds("x-pool", "of-the-user", SET)])),
        {"x-pool": "of-the-client"},
    ),
    "a limit on the whole answer": (users_table(to_theirs(action={"timeout": "60s"})), {}),
    "content-length of the client": (users_table(to_theirs({"path": PATH})), {"x-team": "red"}),
}


@pytest.mark.parametrize("name", RULES)
async def test_after_a_failed_candidate_the_users_backend_gets_what_its_route_had_made(
    name: str, tmp_path: Path
) -> None:
    table, sent = RULES[name]
    ours = {"headers": {"x-pool": "of-the-candidate"}, "url_path": "/inference", "credential": {"env": "PATH"}}
    async with users_setup(tmp_path, table, onprem=ours) as setup:
        with setup.before():
            await _send(setup, "POST", PATH + "?lang=de", sent)
        with setup.after() as envoy:
            setup.set_share(envoy, 100)
            for behaviour in ("status", "reset"):
                setup.onprem.behaviour = behaviour
                await _send(setup, "POST", PATH + "?lang=de", sent)
        before, *after = setup.theirs.received
        assert [_as_set(one) for one in after] == [_as_set(before)] * 2
        assert [one.body for one in after] == [BODY] * 2
        for received in setup.onprem.received:
            assert received.path == "/inference" + PATH + "?lang=de"
            assert received.headers["host"] == setup.onprem.url.removeprefix("http://")
            assert received.headers["x-pool"] == "of-the-candidate"
            assert received.model == "onprem-model"
            assert not [
                value for value in received.headers.values() if "of-the-user" in value or "the-clients" in value
            ]


@pytest.mark.parametrize("fallback", [True, False])
async def test_a_candidate_does_not_get_the_clients_credential_in_the_original_path(
    fallback: bool, tmp_path: Path
) -> None:
    async with users_setup(tmp_path, rewriting(), fallback=fallback) as setup:
        with setup.before():
            await _send(setup, "POST", PATH + "?api_key=secret&lang=de")
        with setup.after() as envoy:
            setup.set_share(envoy, 100)
            setup.onprem.behaviour = "status"
            await _send(setup, "POST", PATH + "?api_key=secret&lang=de")
        assert setup.onprem.last.path == setup.onprem.last.headers["x-envoy-original-path"] == PATH + "?lang=de"
        assert [_as_set(one) for one in setup.theirs.received] == [_as_set(setup.theirs.received[0])] * (1 + fallback)


def _as_set(received: Received) -> tuple[str, str, list[tuple[bytes, bytes]]]:
    """Return the request with its headers in alphabetical order, without Envoy's headers about the attempt."""
    of_attempt = (b"x-envoy-attempt-count", b"x-envoy-expected-rq-timeout-ms")  # number, and rest of the time limit
    headers = sorted(one for one in received.raw_headers if one[0] not in of_attempt)
    return received.method, received.path, headers


@pytest.mark.parametrize("rewrites", [False, True])
async def test_a_copy_reaches_the_users_backend_as_its_route_makes_requests(rewrites: bool, tmp_path: Path) -> None:
    async with users_setup(tmp_path, rewriting() if rewrites else users_table()) as setup:
        copy = {"x-glidepath-workload": "chat", "x-glidepath-target": "cloud", "content-type": "application/json"}
        with setup.before():
            await _send(setup, "POST", PATH + "?lang=de")
        with setup.after() as envoy:
            url = URL(envoy.shadow + PATH + "?lang=de", encoded=True)
            async with setup.session.post(url, data=BODY, headers=copy) as response:
                assert response.status == 200
        live, copied = setup.theirs.received
        assert copied.path == live.path
        assert copied.headers["host"] == ("inner.test" if rewrites else "api.test")
        added = ("x-route", "x-host", "x-table")
        assert [copied.headers.get(name) for name in added] == [live.headers.get(name) for name in added]
        assert ("x-route" in copied.headers) is rewrites
        assert not [name for name in copied.headers if name.startswith("x-glidepath")]


@pytest.mark.parametrize(
    "name", ["credential set", "credential appended", "key appended", "credential by default, not sent"]
)
async def test_a_candidate_that_gets_the_clients_credential_gets_no_other(name: str, tmp_path: Path) -> None:
    table, _ = RULES[name]
    async with users_setup(tmp_path, table, onprem={"credential": {"passthrough": True}}) as setup:
        with setup.after() as envoy:
            setup.set_share(envoy, 100)
            await _send(setup, "POST", PATH)
            await _send(setup, "POST", PATH, {**CLIENTS, "x-api-key": "the-clients-own"})
        names = (b"authorization", b"x-api-key")
        found = [sorted(value for key, value in one.raw_headers if key in names) for one in setup.onprem.received]
        assert found == [[], [CLIENTS["authorization"].encode(), b"the-clients-own"]]


@pytest.mark.parametrize("credential", [None, {"passthrough": True}])
async def test_a_candidate_without_fallback_gets_the_clients_path_and_its_own_host(
    credential: Json | None, tmp_path: Path
) -> None:
    ours = {"model": None, **({"credential": credential} if credential else {})}
    async with users_setup(tmp_path, rewriting(), onprem=ours, fallback=False) as setup:
        with setup.after() as envoy:
            setup.set_share(envoy, 100)
            await _send(setup, "POST", PATH + "?lang=de", CLIENTS)
        received = setup.onprem.last
        assert (received.path, received.headers["host"]) == (
            PATH + "?lang=de",
            setup.onprem.url.removeprefix("http://"),
        )
        assert ("authorization" in received.headers) is (credential is not None)


def template(kind: str, **config: str) -> Json:
    """Return the extension that matches or rewrites a path by a template."""
    package, _, message = kind.partition(".")
    url = f"type.googleapis.com/envoy.extensions.path.{package}.uri_template.v3.UriTemplate{message}Config"
    return {"name": package, "typed_config": {"@type": url, **config}}


BY_TEMPLATE = template("match.Match", path_template="/v1/{kind}/{rest=**}")
REWRITE = template("rewrite.Rewrite", path_template_rewrite="/{rest}/of/{kind}")
# by the path condition of the user's route: the route, and the workload's path at the user's backend
PATHS = {
    "path": (to_theirs({"path": PATH}, {"prefix_rewrite": "/x"}), "/x"),
    "prefix": (to_theirs({"prefix": "/v1/ch"}, {"prefix_rewrite": "/x"}), "/xat/completions"),
    "any case": (
        to_theirs({"prefix": "/V1/", "case_sensitive": False}, {"prefix_rewrite": "/x/"}),
        "/x/chat/completions",
    ),
    "separated prefix": (
        to_theirs({"path_separated_prefix": "/v1/chat"}, {"prefix_rewrite": "/x"}),
        "/x/completions",
    ),
    "regex": (
        to_theirs(
            {"safe_regex": {"regex": "/v[0-9]/.*"}},
            {"regex_rewrite": {"pattern": {"regex": "^/v([0-9])"}, "substitution": r"/\1"}},
        ),
        "/1/chat/completions",
    ),
    "template": (
        to_theirs({"path_match_policy": BY_TEMPLATE}, {"path_rewrite_policy": REWRITE}),
        "/completions/of/chat",
    ),
}


@pytest.mark.parametrize("workload", [{"path": PATH}, {"path_prefix": "/v1/chat/"}], ids=["path", "prefix"])
@pytest.mark.parametrize("kind", PATHS)
async def test_every_kind_of_path_condition_is_continued_with_its_rewrite(
    kind: str, workload: Json, tmp_path: Path
) -> None:
    route, rewritten = PATHS[kind]
    others = ["/v1/chat/completionsx", "/v1/chats", "/V1/CHAT/completions", "/v1/chat/completions/x"]
    async with users_setup(tmp_path, users_table(route, to_theirs()), match=workload) as setup:
        with setup.before():
            for path in (PATH + "?lang=de", *others):
                await _send(setup, "POST", path)
            before = [_head(one) for one in setup.theirs.received]
            assert before[0][1] == rewritten + "?lang=de"
        setup.clear_received()
        with setup.after() as envoy:
            for path in (PATH + "?lang=de", *others):
                await _send(setup, "POST", path)
            assert [_head(one) for one in setup.theirs.received] == before
            setup.clear_received()
            setup.set_share(envoy, 100)
            for path in (PATH + "?lang=de", *others):
                await _send(setup, "POST", path)
            assert [one.path for one in setup.onprem.received] == [PATH + "?lang=de"]
            assert len(setup.theirs.received) == len(others)


async def test_a_rescue_of_a_body_without_a_length_has_no_length_either(tmp_path: Path) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield BODY[:10]
        yield BODY[10:]

    async with users_setup(tmp_path, users_table()) as setup:
        setup.onprem.behaviour = "status"
        for running, share in ((setup.before, 0), (setup.after, 100)):
            with running() as envoy:
                if share:
                    setup.set_share(envoy, share)
                sent = {"content-type": "application/json", **ID}
                async with setup.session.post(setup.live + PATH, data=parts(), headers=sent) as response:
                    assert response.status == 200
        before, after = setup.theirs.received
        assert _as_set(before) == _as_set(after)
        assert after.body == BODY
        assert "content-length" not in after.headers
        assert setup.onprem.last.model == "onprem-model"


def by_tenant(tenant: str) -> Json:
    condition = {"name": "x-tenant", "string_match": {"exact": tenant}}
    return to_theirs(
        {"prefix": "/v1/", "headers": [condition]}, request_headers_to_add=[adds("x-route", f"of-{tenant}")]
    )


@pytest.mark.parametrize("failing", [False, True])
@pytest.mark.parametrize("share", [0, 100])
async def test_each_route_with_a_condition_of_its_own_is_continued(share: int, failing: bool, tmp_path: Path) -> None:
    refusing = {"match": {"prefix": "/"}, "direct_response": {"status": 404}}
    async with users_setup(tmp_path, users_table(by_tenant("a"), by_tenant("b"), refusing)) as setup:
        setup.onprem.behaviour = "status" if failing else "json"
        with setup.after() as envoy:
            setup.set_share(envoy, share)
            for tenant in ("a", "b"):
                setup.clear_received()
                assert await _send(setup, "POST", PATH, {"x-tenant": tenant}) == 200
                served = setup.onprem if share == 100 and not failing else setup.theirs
                assert served.last.headers["x-route"] == f"of-{tenant}"
            setup.clear_received()
            assert await _send(setup, "POST", PATH, {"x-tenant": "c"}) == 404
            assert setup.served == set()


async def test_a_users_retry_policy_goes_on_holding_for_the_users_backend_only(tmp_path: Path) -> None:
    retrying = to_theirs(action={"retry_policy": {"retry_on": "5xx", "num_retries": 2}})
    async with users_setup(tmp_path, users_table(retrying)) as setup:
        setup.theirs.behaviour = setup.onprem.behaviour = "status"
        with setup.before():
            assert await _send(setup, "POST", PATH) == 503
            assert len(setup.theirs.received) == 3
        with setup.after() as envoy:
            received = []
            for share in (0, 100):
                setup.clear_received()
                setup.set_share(envoy, share)
                assert await _send(setup, "POST", PATH) == 503
                received.append((len(setup.theirs.received), len(setup.onprem.received)))
            assert received == [(3, 0), (1, 1)]


async def test_a_users_hash_policy_also_keeps_users_on_one_side(tmp_path: Path) -> None:
    hashing = to_theirs(action={"hash_policy": [{"header": {"header_name": "x-session"}}]})
    async with users_setup(tmp_path, users_table(hashing), sticky={"route": True}) as setup:
        with setup.after() as envoy:
            setup.set_share(envoy, 50)
            sides: dict[str, set[str]] = {f"session-{n}": set() for n in range(16)}
            for session in list(sides) * 3:
                setup.clear_received()
                await _send(setup, "POST", PATH, {"x-session": session})
                sides[session] |= setup.served
        assert sorted({*map(tuple, sides.values())}) == [("onprem",), ("theirs",)]


async def test_a_file_without_a_route_for_the_workload_gets_a_complete_one(tmp_path: Path) -> None:
    async with users_setup(tmp_path, users_table(to_theirs({"prefix": "/files"}))) as setup:
        setup.config["backends"]["cloud"] = {"url": setup.theirs.url, "model": "cloud-model"}
        with setup.before():
            expected = [await _send(setup, method, PATH) for method in ("POST", "GET", "OPTIONS")]
            assert expected == [404, 404, 404]
        with setup.after() as envoy:
            assert [await _send(setup, method, PATH) for method in ("POST", "GET", "OPTIONS")] == [200, 404, 404]
            assert setup.theirs.last.model == "cloud-model"
            setup.set_share(envoy, 100)
            assert await _send(setup, "POST", PATH) == 200
            assert setup.onprem.last.model == "onprem-model"


async def _send(setup: UsersSetup, method: str, path: str, headers: Mapping[str, str] | None = None) -> int:
    sent: dict[str, Any] = {"content-type": "application/json", **ID, **(headers or {})}
    body = BODY if method in ("POST", "PUT") else None
    async with setup.session.request(method, URL(setup.live + path, encoded=True), data=body, headers=sent) as response:
        await response.read()
        return response.status
