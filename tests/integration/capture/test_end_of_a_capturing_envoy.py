"""An Envoy ends with status 0 once its captures have ended, as docs/how-to/upgrade-and-uninstall.md says."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from glidepath import runtime_keys
from tests.support.envoy_with_backends import BODY, PATH, envoy_with_backends
from tests.support.waiting import eventually

OPEN_STREAMS = r"^cluster\.glidepath-extproc\.upstream_rq_active$"


@pytest.mark.parametrize("client", ["leaves its answer", "reads its answer"])
async def test_an_envoy_whose_captures_have_ended_ends_with_status_0(tmp_path: Path, client: str) -> None:
    """Otherwise it ends by SIGSEGV: it destroys the Lua state of the filter that counts the copied bytes too early."""
    async with envoy_with_backends(tmp_path, chat={"shadow": {"sample": 100}}) as setup:
        envoy, collector = setup.envoy, setup.collector
        collector.ends_streams = True
        setup.cloud.behaviour = "slow_stream"
        async with setup.session.post(envoy.live + PATH, data=json.dumps(BODY)) as response:
            assert await response.content.readany()
            assert envoy.stats(OPEN_STREAMS) == {"cluster.glidepath-extproc.upstream_rq_active": 1}
            envoy.modify({runtime_keys.shadow_key("chat"): 0})
            if client == "reads its answer":
                await response.read()
        await eventually(lambda: sum(envoy.stats(OPEN_STREAMS).values()) == 0)
        assert (await setup.post()).status == 200
        assert len(collector.streams) == 1, "a request was captured after the share of captures became 0"
        envoy.child.signal(signal.SIGTERM)
        assert envoy.child.process.wait(60) == 0
