"""Tests that a user's Envoy refuses and allows the same requests after Glidepath is inserted, at every share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.envoy_with_backends import PATH
from tests.support.ext_authz_server import authorizer
from tests.support.users_envoy import UsersSetup, UsersTable, to_theirs, users_setup, users_table
from tests.support.users_protections import CORS, MOST, PROTECTIONS, Protection

PLACES = ("route", "virtual host")
SHARES = {0: {"theirs"}, 50: {"theirs", "onprem"}, 100: {"onprem"}}
USERS = [f"user-{n}" for n in range(MOST // len(SHARES))]  # at 50 %, some of them are on each side
STICKY = {"header": "x-user"}
CREDENTIALS = {"authorization", "x-api-key"}
BODY = json.dumps({"model": "m", "messages": []})


@pytest.mark.parametrize("match", [{"path": PATH}, {"path": PATH, "model": "m"}], ids=["by path", "by model"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", PROTECTIONS)
async def test_a_protection_refuses_and_allows_as_before(
    name: str, place: str, match: dict[str, str], tmp_path: Path
) -> None:
    protection = PROTECTIONS[name]
    async with (
        authorizer(refusal=451) as port,
        users_setup(tmp_path, protected(protection, place, {"authz": port}), sticky=STICKY, match=match) as setup,
    ):
        with setup.before():
            for user in USERS * len(SHARES):
                assert await _post(setup, user, protection.allowed) == 200
            assert await _post(setup, "x", protection.refused, protection.refused_from) == protection.status
            assert (len(setup.theirs.received), setup.onprem.received) == (MOST, [])
        with setup.after() as envoy:
            for share, served in SHARES.items():
                setup.clear_received()
                setup.set_share(envoy, share)
                for user in USERS:
                    assert await _post(setup, user, protection.allowed) == 200
                assert setup.served == served
                assert not any(CREDENTIALS & {*one.headers} for one in setup.onprem.received)
                passed_on = CREDENTIALS & {*protection.allowed}
                assert all(passed_on <= {*one.headers} for one in setup.theirs.received)
            setup.clear_received()
            for share in SHARES:
                setup.set_share(envoy, share)
                assert await _post(setup, "x", protection.refused, protection.refused_from) == protection.status
            assert setup.served == set()


@pytest.mark.parametrize("place", PLACES)
async def test_browsers_of_other_origins_are_refused_as_before(place: str, tmp_path: Path) -> None:
    async with users_setup(tmp_path, protected(CORS, place, {}), sticky=STICKY) as setup:
        with setup.before():
            expected = [await _preflight(setup, CORS.allowed), await _preflight(setup, CORS.refused)]
            assert expected[0] == (200, CORS.allowed["origin"], "POST", "x-user", [])
            assert expected[1][1] is None
            assert expected[1][-1] == [("OPTIONS", PATH)]
        with setup.after() as envoy:
            for share, served in SHARES.items():
                setup.set_share(envoy, share)
                assert [await _preflight(setup, CORS.allowed), await _preflight(setup, CORS.refused)] == expected
                assert not setup.onprem.received
                setup.clear_received()
                for user in USERS:
                    assert await _origin_of_answer(setup, user, CORS.allowed) == CORS.allowed["origin"]
                    assert await _origin_of_answer(setup, user, CORS.refused) is None
                assert setup.served == served


@pytest.mark.parametrize(
    ("place", "expected"), [("route", [200, 200, 200, 200]), ("virtual host", [200, 200, 429, 429])]
)
async def test_a_local_rate_limit_of_a_route_counts_the_workload_apart_from_the_rest(
    place: str, expected: list[int], tmp_path: Path
) -> None:
    limit = PROTECTIONS["rate limit"]
    two = {**limit.here, "token_bucket": {"max_tokens": 2, "tokens_per_fill": 2, "fill_interval": "3600s"}}
    table = protected(replace(limit, here=two), place, {})
    async with users_setup(tmp_path, table) as setup:
        with setup.after():
            found = [await _post(setup, "x", {}) for _ in range(2)]
            for _ in range(2):
                async with setup.session.get(setup.live + PATH) as response:
                    found.append(response.status)
            assert found == expected
            assert await _post(setup, "x", {}) == 429


def protected(protection: Protection, place: str, clusters: Mapping[str, int]) -> UsersTable:
    """Return a route table in which ``protection`` holds for a wide route, or for the whole virtual host."""
    here = {"typed_per_filter_config": protection.per_filter}
    wide = to_theirs({"prefix": "/v1/"}, **(here if place == "route" else {}))
    return users_table(
        wide,
        to_theirs(),
        virtual_host=here if place == "virtual host" else {},
        filters=[protection.filter],
        clusters=clusters,
    )


async def _post(setup: UsersSetup, user: str, headers: Mapping[str, str], address: str | None = None) -> int:
    """Send a request of the workload from the client's ``address``, and return the status."""
    sent = {"content-type": "application/json", "x-user": user, **headers}
    connector = aiohttp.TCPConnector(local_addr=(address, 0)) if address else None
    if connector is None:
        async with setup.session.post(setup.live + PATH, data=BODY, headers=sent) as response:
            return response.status
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.post(setup.live + PATH, data=BODY, headers=sent) as response,
    ):
        return response.status


async def _preflight(setup: UsersSetup, headers: Mapping[str, str]) -> tuple[Any, ...]:
    """Return the status, the CORS headers and the requests that reached a backend."""
    setup.clear_received()
    async with setup.session.options(setup.live + PATH, headers=headers) as response:
        names = ("origin", "methods", "headers")
        found = [response.headers.get(f"access-control-allow-{name}") for name in names]
        reached = [(one.method, one.path) for one in (*setup.theirs.received, *setup.onprem.received)]
        return (response.status, *found, reached)


async def _origin_of_answer(setup: UsersSetup, user: str, headers: Mapping[str, str]) -> str | None:
    sent = {"content-type": "application/json", "x-user": user, "origin": headers["origin"]}
    async with setup.session.post(setup.live + PATH, data=BODY, headers=sent) as response:
        assert response.status == 200
        return response.headers.get("access-control-allow-origin")
