"""The whole steer loop moves the weights of an HTTPRoute at a real API server, and a real Envoy Gateway serves it.

The scorer has only the rights of its Role. Redis and Envoy are real too. The figures of
docs/how-to/steer-an-httproute.md are printed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.mesh.build_control_planes import ControlPlanes
from tests.mesh.inference_resources import inference_pool
from tests.mesh.kubernetes_lab import Kubernetes
from tests.mesh.steered_on_kubernetes import NAMESPACE, AtTheServer, steered_on_kubernetes, with_account
from tests.mesh.steered_route import (
    Reference,
    Steered,
    check_a_candidate_that_is_not_served,
    check_the_adoption,
    check_the_ramp,
)
from tests.support.recording_backend import Recorder

BACKEND = {"group": "gateway.envoyproxy.io", "kind": "Backend"}
OWN, VLLM = {**BACKEND, "name": "own"}, {**BACKEND, "name": "vllm"}
POOL = {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "vllm"}


@pytest.fixture(scope="module")
def server(control_planes: ControlPlanes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubernetes]:
    with with_account(control_planes, tmp_path_factory.mktemp("kubernetes")) as running:
        running.kubectl("apply", "--server-side", "-f", str(control_planes.inference_pool_crd))
        yield running


@asynccontextmanager
async def behind_envoy_gateway(
    server: Kubernetes, folder: Path, redis_url: str, candidate: Reference
) -> AsyncIterator[Steered]:
    server.kubectl("delete", "httproute", "chat", "-n", NAMESPACE, "--ignore-not-found")
    more = [inference_pool("vllm", NAMESPACE)] if candidate is POOL else []
    async with Recorder("own") as own, Recorder("vllm") as vllm:
        urls = own.url, vllm.url
        async with steered_on_kubernetes(server, folder, redis_url, urls, OWN, candidate, more) as found:
            yield found


async def test_steps_move_the_traffic_and_a_rollback_takes_it_back(
    server: Kubernetes, tmp_path: Path, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with behind_envoy_gateway(server, tmp_path, redis_url, VLLM) as under_test:
        lines = await check_the_ramp(under_test)
        with capsys.disabled():
            print("", *(f"API server and Envoy Gateway | {line}" for line in lines), sep="\n")


async def test_weights_that_a_person_sets_are_adopted_and_stay(
    server: Kubernetes, tmp_path: Path, redis_url: str
) -> None:
    async with behind_envoy_gateway(server, tmp_path, redis_url, VLLM) as under_test:
        await check_the_adoption(under_test)


async def test_a_pool_that_the_gateway_cannot_serve_confirms_no_share(
    server: Kubernetes, tmp_path: Path, redis_url: str
) -> None:
    """Envoy Gateway alone serves no InferencePool, and says so in the HTTPRoute's status."""
    async with behind_envoy_gateway(server, tmp_path, redis_url, POOL) as under_test:
        await check_a_candidate_that_is_not_served(under_test)
        (parent,) = AtTheServer(server).stored()["status"]["parents"]
        refs = {one["type"]: one["status"] for one in parent["conditions"]}
        assert refs["ResolvedRefs"] == "False"
