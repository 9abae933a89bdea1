"""The client's headers that a backend receives, and the redirects of a backend that a client receives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.envoy_with_backends import BODY, PATH, EnvoySetup, Reply, envoy_with_backends

OWN: dict[str, Any] = {"credential": {"env": "ONPREM_KEY"}}
SENT = {
    "authorization": "Bearer client",
    "x-company-token": "secret",
    "x-forwarded-for": "10.1.2.3",
    "forwarded": "for=10.1.2.3",
    "via": "1.1 gateway",
    "x-acme-tenant": "t1",
    "x-acme-team": "red",
    "user-agent": "a client",
    "anthropic-beta": "b1",
    "x-stainless-lang": "python",
}
HARMLESS = ("user-agent", "anthropic-beta", "x-stainless-lang", "content-type", "content-length")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONPREM_KEY", "sk-own")


async def test_a_candidate_with_a_credential_of_its_own_gets_only_harmless_headers(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, onprem={**OWN, "pass_headers": ["x-acme-*"]}) as setup:
        setup.set_share(100)
        await setup.post(headers=SENT)
        got = setup.onprem.last.headers
        assert {name: got[name] for name in HARMLESS[:3]} == {name: SENT[name] for name in HARMLESS[:3]}
        assert got["authorization"] == "Bearer sk-own"
        assert (got["x-acme-tenant"], got["x-acme-team"]) == ("t1", "red")
        assert {"x-company-token", "x-forwarded-for", "forwarded", "via"}.isdisjoint(got)


async def test_the_baseline_gets_all_headers_as_the_client_sent_them(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, onprem=OWN) as setup:
        setup.set_share(0)
        await setup.post(headers=SENT)
        got = setup.cloud.last.headers
        assert {name: got[name] for name in SENT} == SENT


@pytest.mark.parametrize("failure", ["status", "reset"])
async def test_a_rescue_gives_the_baseline_all_headers_although_the_candidate_had_few(
    tmp_path: Path, failure: Any
) -> None:
    async with envoy_with_backends(tmp_path, onprem=OWN) as setup:
        setup.set_share(100)
        setup.onprem.behaviour = failure
        assert (await setup.post(headers=SENT)).status == 200
        assert "x-company-token" not in setup.onprem.last.headers
        got = setup.cloud.last.headers
        assert {name: got[name] for name in SENT} == SENT
        assert not [name for name in got if name.startswith("x-glidepath")]


async def test_a_candidate_without_fallback_gets_few_headers_too(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, onprem=OWN, chat={"fallback": False}) as setup:
        setup.set_share(100)
        await setup.post(headers=SENT)
        assert {"x-company-token", "x-acme-tenant", "via"}.isdisjoint(setup.onprem.last.headers)


async def test_a_candidate_that_gets_the_clients_credential_gets_its_headers(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, onprem={"credential": {"passthrough": True}}) as setup:
        setup.set_share(100)
        await setup.post(headers=SENT)
        got = setup.onprem.last.headers
        assert {name: got[name] for name in SENT} == SENT


async def test_a_baseline_with_a_list_gets_only_the_headers_of_the_list(tmp_path: Path) -> None:
    cloud = {"credential": {"env": "ONPREM_KEY"}, "pass_headers": ["x-acme-team"]}
    async with envoy_with_backends(tmp_path, cloud=cloud) as setup:
        setup.set_share(0)
        await setup.post(headers=SENT)
        assert setup.cloud.last.headers["x-acme-team"] == "red"
        assert {"x-company-token", "x-acme-tenant"}.isdisjoint(setup.cloud.last.headers)


async def redirected(setup: EnvoySetup, location: str) -> Reply:
    setup.cloud.behaviour = setup.onprem.behaviour = "redirect"
    setup.cloud.location = setup.onprem.location = location
    data, headers = json.dumps(BODY).encode(), {"content-type": "application/json"}
    url = setup.envoy.live + PATH
    async with setup.session.post(url, data=data, headers=headers, allow_redirects=False) as response:
        return Reply(response.status, await response.read(), response.headers, 0.0)


LOCATIONS = {
    "http://127.0.0.1:{port}/base/v1/chat/": "/v1/chat/",
    "https://127.0.0.1:{port}/base/v1?a=1#b": "/v1?a=1#b",
    "HTTP://127.0.0.1:{port}/base/v1": "/v1",
    "/base/v1/chat/": "/v1/chat/",
    "/other": "/other",
    "http://127.0.0.1:{port}/other": "http://127.0.0.1:{port}/other",
    "http://127.0.0.1:{port}.evil/base/v1": "http://127.0.0.1:{port}.evil/base/v1",
    "https://login.example/x": "https://login.example/x",
    "//evil/x": "//evil/x",
    "http://127.0.0.1:{port}/base//evil/x": "http://127.0.0.1:{port}/base//evil/x",  # and not //evil/x
    "/base//evil/x": "/base//evil/x",
    "/base/\\evil/x": "/base/\\evil/x",
    "": "",
}


@pytest.mark.parametrize(("location", "wanted"), LOCATIONS.items())
async def test_a_redirect_to_the_backend_leads_through_envoy(shared: EnvoySetup, location: str, wanted: str) -> None:
    port = str(shared.cloud.port)
    reply = await redirected(shared, location.replace("{port}", port))
    assert (reply.status, reply.headers["location"]) == (307, wanted.replace("{port}", port))
    shared.clear_received()


@pytest.fixture
async def shared(tmp_path: Path) -> Any:
    cloud = {"credential": {"env": "ONPREM_KEY"}, "url_path": "/base"}
    async with envoy_with_backends(tmp_path, cloud=cloud) as setup:
        setup.set_share(0)
        yield setup


async def test_a_redirect_of_a_baseline_that_gets_the_request_as_it_is_stays(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path) as setup:
        setup.set_share(0)
        location = f"{setup.cloud.url}/elsewhere"
        assert (await redirected(setup, location)).headers["location"] == location


async def test_a_redirect_of_the_candidate_is_answered_by_the_baseline(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, onprem=OWN) as setup:
        setup.set_share(100)
        setup.onprem.behaviour, setup.onprem.location = "redirect", "https://login.example/"
        assert (await setup.post()).status == 200
        assert len(setup.cloud.received) == len(setup.onprem.received) == 1


@pytest.mark.parametrize("value", ["", None], ids=["empty", "absent"])
async def test_an_empty_sticky_header_is_no_value(tmp_path: Path, value: str | None) -> None:
    headers: Mapping[str, str] = {} if value is None else {"x-user-id": value}
    async with envoy_with_backends(tmp_path, chat={"sticky": {"header": "X-User-Id"}}) as setup:
        setup.set_share(50)
        for _ in range(60):
            await setup.post(headers=headers)
        assert min(len(one.received) for one in (setup.cloud, setup.onprem)) > 5
        for user in range(20):
            setup.clear_received()
            for _ in range(3):
                await setup.post(headers={"x-user-id": f"user-{user}", "x-glidepath-of-12345678": "x"})
            assert sorted(len(one.received) for one in (setup.cloud, setup.onprem)) == [0, 3]
            got = (setup.cloud.received or setup.onprem.received)[0].headers
            assert not [name for name in got if name.startswith("x-glidepath")]
