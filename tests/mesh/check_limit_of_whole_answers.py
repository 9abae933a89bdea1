"""Streams and other answers have a limit each, with Istio's and Envoy Gateway's real control planes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.mesh.build_control_planes import ControlPlanes
from tests.mesh.check_envoy_gateway import CLUSTER, PROGRAMMED, URL, ready, with_glidepath
from tests.mesh.check_istio import roles
from tests.mesh.envoy_gateway_lab import Options, envoy_gateway
from tests.mesh.istio_lab import Role
from tests.mesh.istio_under_test import CLUSTERS, mesh
from tests.mesh.mesh_under_test import Parts, parts
from tests.mesh.reading import PREFIX, conversation
from tests.mesh.traffic import PATH, Caller

LIMITS = {"first_byte_timeout": "500ms", "answer_timeout": "8s"}


@asynccontextmanager
async def limited_parts(folder: Path, cluster: str) -> AsyncIterator[Parts]:
    async with parts(folder, cluster, None, LIMITS, **PREFIX) as among:
        yield among


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
    async with limited_parts(tmp_path, CLUSTERS[role]) as among:
        under_test = mesh(role, control_planes, tmp_path, among)
        with under_test.running("istio", under_test.with_glidepath()) as running:
            await under_test.ready(running)
            await check_both_limits(among, under_test.caller())
            assert running.refused() == []


async def test_both_limits_hold_on_envoy_gateway(control_planes: ControlPlanes, tmp_path: Path) -> None:
    async with limited_parts(tmp_path, CLUSTER) as among:
        documents = with_glidepath(tmp_path, among.own.url)
        with envoy_gateway(control_planes, tmp_path, documents, Options()) as gateway:
            await ready(gateway, among)
            assert gateway.reasons("EnvoyPatchPolicy") == PROGRAMMED
            await check_both_limits(among, among.caller(URL))
