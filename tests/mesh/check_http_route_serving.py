"""The weights of an HTTPRoute that a Gateway serves: a real Envoy Gateway, Envoy, Redis and steer loop.

The API server is a stand-in here; check_http_route_on_kubernetes.py has both. The figures of
docs/how-to/steer-an-httproute.md are printed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.mesh.base_resources import gateway_documents
from tests.mesh.build_control_planes import ControlPlanes
from tests.mesh.steered_route import (
    Reference,
    Steered,
    check_a_candidate_that_is_not_served,
    check_the_adoption,
    check_the_ramp,
    steered,
)
from tests.support.recording_backend import Recorder

BACKEND = {"group": "gateway.envoyproxy.io", "kind": "Backend"}
OWN, VLLM = {**BACKEND, "name": "own"}, {**BACKEND, "name": "vllm"}
POOL = {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "vllm"}


@asynccontextmanager
async def behind_envoy_gateway(
    programs: ControlPlanes, folder: Path, redis_url: str, candidate: Reference
) -> AsyncIterator[Steered]:
    async with Recorder("own") as own, Recorder("vllm") as vllm:
        others = [one for one in gateway_documents(own.url, vllm=vllm.url) if one["kind"] != "HTTPRoute"]
        async with steered(programs, folder, redis_url, others, OWN, candidate) as found:
            yield found


async def test_steps_move_the_traffic_and_a_rollback_takes_it_back(
    control_planes: ControlPlanes, tmp_path: Path, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with behind_envoy_gateway(control_planes, tmp_path, redis_url, VLLM) as under_test:
        lines = await check_the_ramp(under_test)
        with capsys.disabled():
            print("", *(f"envoy gateway, HTTPRoute | {line}" for line in lines), sep="\n")


async def test_weights_that_a_person_sets_are_adopted_and_stay(
    control_planes: ControlPlanes, tmp_path: Path, redis_url: str
) -> None:
    async with behind_envoy_gateway(control_planes, tmp_path, redis_url, VLLM) as under_test:
        await check_the_adoption(under_test)


async def test_a_gateway_that_cannot_serve_the_candidate_confirms_no_share(
    control_planes: ControlPlanes, tmp_path: Path, redis_url: str
) -> None:
    """Envoy Gateway alone serves no InferencePool. The baseline continues to serve, and no step is taken."""
    async with behind_envoy_gateway(control_planes, tmp_path, redis_url, POOL) as under_test:
        await check_a_candidate_that_is_not_served(under_test)
