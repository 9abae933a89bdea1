"""Sticky headers on routes of Istio and of Envoy Gateway: an empty header is treated like a missing one.

``make test-mesh`` tests the same on the real control planes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.integration.meshes.test_mesh_reading import Client, client, meshes
from tests.support.envoy_with_backends import PATH

HEADER = {"header": "X-User-Id"}
UNREAD = {"match": {"path": PATH}, "sticky": HEADER}
READ = {"match": {"path_prefix": "/v1"}, "sticky": HEADER}  # because requests may need what the server keeps
BODY = {"model": "m", "messages": [{"role": "user", "content": "the same question"}]}
USERS = 16


@meshes
@pytest.mark.parametrize("chat", [UNREAD, READ], ids=["unread", "read"])
async def test_an_empty_sticky_header_is_no_value_and_others_keep_their_side(
    tmp_path: Path, mesh: str, chat: Mapping[str, Any]
) -> None:
    async with client(mesh, tmp_path, chat) as one:
        one.share(50)
        for headers in ({"x-user-id": ""}, {}):
            assert set(await sides(one, 40, headers)) == {"cloud", "onprem"}, headers
        users = [await sides(one, 4, {"x-user-id": f"user-{number}"}) for number in range(USERS)]
        assert all(len(side) == 1 for side in users)
        assert {side for user in users for side in user} == {"cloud", "onprem"}
        one.share(100)
        assert set(await sides(one, 10, {"x-user-id": ""})) == {"onprem"}
        one.share(0)
        assert set(await sides(one, 10, {"x-user-id": ""})) == {"cloud"}


async def sides(one: Client, times: int, headers: Mapping[str, str]) -> Counter[str]:
    return Counter([await one.served(BODY, **headers) for _ in range(times)])
