"""A migration with one file per team: a workload starts when the workload before it is at its last step."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import yaml
from yarl import URL

from glidepath.config import Config, load_config
from glidepath.redis_keys import WorkloadKeys
from glidepath.sides import Origin
from glidepath_ops.envoyconfig.bootstrap import render_bootstrap
from glidepath_ops.envoyconfig.commented_yaml import to_yaml
from glidepath_ops.local.child_process import free_ports
from glidepath_ops.local.redis_and_envoy import start_envoy
from tests.support.recording_backend import Recorder
from tests.support.steering_client import SteeringClient, steering
from tests.support.waiting import eventually

RAMP = {"steps": [5, 60], "hold": "100ms", "min_samples": 2, "validation": "1h", "unjudged_limit": 100}


def teams(folder: Path, redis_url: str, cloud: str, onprem: str) -> Config:
    """Write one file for the platform and one for each team, and return the merged configuration."""
    listen, shadow, admin = free_ports(3)
    sides = {"baseline": "cloud", "candidate": "onprem", "sticky": {"random": True}, "ramp": RAMP}
    files = {
        "10-platform.yaml": {
            "envoy": {
                "listen": f"127.0.0.1:{listen}",
                "shadow_listen": f"127.0.0.1:{shadow}",
                "admin": f"http://127.0.0.1:{admin}",
                "default_backend": "cloud",
            },
            "redis": {"url": redis_url},
            "backends": {"cloud": {"url": cloud}, "onprem": {"url": onprem}},
        },
        "20-batch.yaml": {
            "workloads": {"batch": {"match": {"path_prefix": "/v1", "headers": {"x-kind": "batch"}}, **sides}}
        },
        "30-chat.yaml": {"workloads": {"chat": {"match": {"path_prefix": "/v1"}, "after": "batch", **sides}}},
    }
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_text(yaml.safe_dump(data))
    return load_config(folder)


async def write_passing_evidence(client: SteeringClient, origin: Origin) -> None:
    """Write evidence that is sufficient for any step."""
    await client.score(0.95)
    await client.outcomes(3, 0, origin)


async def test_a_workload_waits_for_those_before_it_and_unmatched_requests_pass_unchanged(
    tmp_path: Path, redis_url: str
) -> None:
    async with Recorder("cloud") as cloud, Recorder("onprem") as onprem:
        config = teams(tmp_path / "glidepath.d", redis_url, cloud.url, onprem.url)
        admin = config.envoy.admin[0]
        bootstrap = tmp_path / "envoy.yaml"
        bootstrap.write_text(to_yaml(render_bootstrap(config, admin=admin.removeprefix("http://"))))
        with start_envoy(bootstrap, admin, tmp_path / "envoy.log", concurrency=1):
            async with steering(config) as chat:
                batch = SteeringClient(config, chat.redis, chat.http)
                batch.keys = WorkloadKeys("batch")
                await eventually(lambda: chat.stands("shadow", 0, 1))
                await write_passing_evidence(chat, Origin.SHADOW)
                await eventually(lambda: says(chat, "waits for batch"))
                await write_passing_evidence(batch, Origin.SHADOW)
                await eventually(lambda: batch.stands("baking", 5, 1))
                assert await chat.stands("shadow", 0)
                await write_passing_evidence(batch, Origin.LIVE)
                await eventually(lambda: batch.stands("validating", 60, 1))
                await eventually(lambda: chat.stands("baking", 5, 1))  # chat had its own evidence before
                assert [d.event for d in await chat.log()] == ["promote"]
                await assert_unmatched_requests_reach_the_baseline_unchanged(
                    chat.http, f"http://{config.envoy.listen}", cloud, onprem
                )


async def says(client: SteeringClient, words: str) -> bool:
    status = await client.status()
    return status is not None and words in status.message


async def assert_unmatched_requests_reach_the_baseline_unchanged(
    http: aiohttp.ClientSession, url: str, cloud: Recorder, onprem: Recorder
) -> None:
    """Check that the default backend gets requests that match no workload, unchanged, at any weights."""
    for _ in range(10):
        headers = {"authorization": "Bearer mine", "x-odd": "kept"}
        async with http.put(URL(f"{url}/files/a?b=c%2F", encoded=True), data=b"\x00raw", headers=headers) as response:
            assert response.status == 200
    assert {(r.method, r.path, r.body) for r in cloud.received} == {("PUT", "/files/a?b=c%2F", b"\x00raw")}
    assert {(r.headers["authorization"], r.headers["x-odd"]) for r in cloud.received} == {("Bearer mine", "kept")}
    assert onprem.received == []
