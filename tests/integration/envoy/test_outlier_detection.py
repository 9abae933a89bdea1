"""Outlier detection in a real Envoy ejects the whole candidate only if the baseline serves instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.envoy_with_backends import EnvoySetup, envoy_with_backends
from tests.support.waiting import eventually

DETECTED: dict[str, Any] = {"outlier_detection": {"failures": 3, "time": "30s"}}
EJECTED = "cluster.onprem.outlier_detection.ejections_enforced_total"


async def reached(setup: EnvoySetup, requests: int) -> int:
    """Send requests one after the other, and return the number that the candidate received."""
    before = len(setup.onprem.received)
    for _ in range(requests):
        await setup.post()
    return len(setup.onprem.received) - before


async def test_envoy_leaves_a_failing_candidate_and_the_baseline_serves(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, onprem=DETECTED, chat={"start": 100}) as setup:
        setup.onprem.behaviour, setup.onprem.status = "status", 503
        assert await reached(setup, 3) == 3
        await eventually(lambda: setup.envoy.stats("ejections_enforced_total")[EJECTED] == 1)
        assert await reached(setup, 20) == 0
        assert (await setup.post()).status == 200


async def test_without_a_fallback_a_single_endpoint_is_never_ejected(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, onprem=DETECTED, chat={"start": 100, "fallback": False}) as setup:
        setup.onprem.behaviour, setup.onprem.status = "status", 503
        assert await reached(setup, 20) == 20
        assert setup.envoy.stats("ejections_enforced_total")[EJECTED] == 0
        setup.onprem.behaviour = "json"
        assert (await setup.post()).status == 200


async def test_without_the_setting_envoy_never_leaves_the_candidate(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, chat={"start": 100}) as setup:
        setup.onprem.behaviour, setup.onprem.status = "status", 503
        assert await reached(setup, 20) == 20
