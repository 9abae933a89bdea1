"""Sticky headers on a user's Envoy with Glidepath inserted: an empty header counts as missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.envoy_with_backends import PATH
from tests.support.users_envoy import UsersSetup, to_theirs, users_setup, users_table

USERS = 16


@pytest.mark.parametrize("continued", [True, False], ids=["continued", "a route of its own"])
async def test_an_empty_sticky_header_is_no_value_and_others_keep_their_side(tmp_path: Path, continued: bool) -> None:
    table = users_table(to_theirs({"prefix": "/" if continued else "/other"}))
    async with users_setup(tmp_path, table, sticky={"header": "X-User-Id"}) as setup:
        if not continued:
            setup.config["backends"]["cloud"] = {"url": setup.theirs.url}
        with setup.after() as envoy:
            setup.set_share(envoy, 50)
            assert await served(setup, "", 40) == {"theirs", "onprem"}
            sides = [await served(setup, f"user-{number}", 4) for number in range(USERS)]
            assert all(len(side) == 1 for side in sides)
            assert set().union(*sides) == {"theirs", "onprem"}


async def served(setup: UsersSetup, user: str, times: int) -> set[str]:
    setup.clear_received()
    for _ in range(times):
        async with setup.session.post(setup.live + PATH, json={"messages": []}, headers={"x-user-id": user}) as reply:
            assert reply.status == 200
    return setup.served
