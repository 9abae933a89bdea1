"""Streams and other answers have different time limits on routes of Istio and Envoy Gateway too: a real Envoy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.meshes.test_mesh_reading import PREFIX, client, meshes
from tests.support.envoy_with_backends import BODY, PATH

STREAM = {**BODY, "stream": True}


@meshes
@pytest.mark.parametrize("sticky", [None, {"header": "X-User-Id"}], ids=["conversation", "header"])
async def test_a_slow_whole_answer_is_awaited_and_a_slow_stream_is_retried_at_the_baseline(
    tmp_path: Path, mesh: str, sticky: dict[str, str] | None
) -> None:
    onprem = {"first_byte_timeout": "300ms", "answer_timeout": "8s"}
    async with client(mesh, tmp_path, {**PREFIX, "sticky": sticky}, onprem=onprem) as one:
        one.share(100)
        setup = one.setup
        setup.onprem.delay = 1.5
        users = [{}] if sticky is None else [{}, {"x-user-id": "ann"}]
        for user in users:
            setup.clear_received()
            assert await one.served(BODY, **user) == "onprem"
            assert setup.cloud.received == []
        setup.onprem.behaviour = setup.cloud.behaviour = "sse"
        for user in users:
            setup.clear_received()
            reply = await setup.post(STREAM, {**one.headers, **user}, path=PATH)
            assert (reply.status, b"cloud" in reply.body) == (200, True)
            assert len(setup.onprem.received) == len(setup.cloud.received) == 1


@pytest.mark.parametrize("mesh", ["istio gateway", "envoy gateway"])
async def test_a_hanging_candidate_is_given_up_after_the_limit_of_whole_answers(tmp_path: Path, mesh: str) -> None:
    onprem = {"first_byte_timeout": "300ms", "answer_timeout": "900ms"}
    async with client(mesh, tmp_path, onprem=onprem) as one:
        one.share(100)
        one.setup.onprem.behaviour = "hang"
        assert await one.served(BODY) == "cloud"
