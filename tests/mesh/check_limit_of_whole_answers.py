"""Streams and other answers have different time limits, with Istio's and Envoy Gateway's real control planes."""

from __future__ import annotations

from pathlib import Path

from tests.mesh.build_control_planes import ControlPlanes
from tests.mesh.check_istio import roles
from tests.mesh.envoy_gateway_under_test import URL, split_on_envoy_gateway
from tests.mesh.istio_lab import Role
from tests.mesh.istio_under_test import split_on_istio
from tests.mesh.mesh_under_test import Parts
from tests.mesh.request_reading import PREFIX, conversation
from tests.mesh.traffic import PATH, Caller

LIMITS = {"first_byte_timeout": "500ms", "answer_timeout": "8s"}


async def check_both_limits(among: Parts, caller: Caller) -> None:
    await among.shares.set(100)
    among.onprem.delay = 2.0
    among.clear()
    assert await caller.served(conversation(0)) == "onprem"
    assert among.own.received == []
    among.own.behaviour = among.onprem.behaviour = "sse"
    async with among.session.post(
        caller.url + PATH, json={**conversation(0), "stream": True}, headers=caller.headers
    ) as reply:
        assert reply.status == 200
        assert b"I am own." in await reply.read()


@roles
async def test_both_limits_hold_on_istio(control_planes: ControlPlanes, tmp_path: Path, role: Role) -> None:
    async with split_on_istio(control_planes, tmp_path, role, onprem=LIMITS, **PREFIX) as (under_test, _):
        await check_both_limits(under_test.among, under_test.caller())


async def test_both_limits_hold_on_envoy_gateway(control_planes: ControlPlanes, tmp_path: Path) -> None:
    async with split_on_envoy_gateway(control_planes, tmp_path, onprem=LIMITS, **PREFIX) as (among, _):
        await check_both_limits(among, among.caller(URL))
