"""Paths that a backend may interpret differently from Envoy are routed as before Glidepath was inserted."""

from __future__ import annotations

from pathlib import Path

import pytest
from yarl import URL

from tests.support.users_envoy import UsersSetup, to_theirs, users_setup, users_table

UNCLEAR = (
    "/v1/../admin/keys",
    "/v1/./chat",
    "/v1/chat/..",
    "/v1/chat/.?a=b",
    "/v1/%2e%2E/admin/keys",
    "/v1/..%2Fadmin/keys",
    "/v1/x%5c..%5cadmin",
    "/v1/..\\admin",
    "/v1//chat",
    "/v1/x//chat?a=b",
    "/v1/../v1/chat",
)
CLEAR = ("/v1/chat", "/v1/messages?a=../x//y%2f", "/v1/x/.x/..y/z../messages?a=/../", "/v1/a%20b/embed", "/v1/chat/")


async def served_by(setup: UsersSetup, path: str) -> list[str]:
    """Send a request with this path, and return the names of the backends that got it.

    A candidate gets only the parameters of the query that are known to hold no credential.
    """
    setup.clear_received()
    async with setup.session.post(URL(setup.live + path, encoded=True), data=b"{}") as response:
        await response.read()
    received = [(one.name, got.path.partition("?")[0]) for one in (setup.theirs, setup.onprem) for got in one.received]
    return [name for name, got in received if got == path.partition("?")[0]]


@pytest.mark.parametrize("prefix", ["/v1", "/"])
@pytest.mark.parametrize("theirs", [{"prefix": "/v1"}, {"path_separated_prefix": "/v1"}, {"prefix": "/"}])
async def test_an_unclear_path_is_left_to_the_users_route(prefix: str, theirs: dict[str, str], tmp_path: Path) -> None:
    ours = {"credential": {"env": "HOME"}}
    table = users_table(to_theirs(theirs))
    async with users_setup(tmp_path, table, onprem=ours, match={"path_prefix": prefix}, fallback=False) as setup:
        with setup.after() as envoy:
            setup.set_share(envoy, 100)
            for path in UNCLEAR:
                assert await served_by(setup, path) == ["theirs"], path
            for path in CLEAR:
                assert await served_by(setup, path) == ["onprem"], path
