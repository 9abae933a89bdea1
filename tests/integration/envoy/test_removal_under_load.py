"""Glidepath is removed from a user's Envoy under load, as docs/how-to/upgrade-and-uninstall.md says: no client notices.

The share goes back to 0 %, the bootstrap gets its former text, and Envoy makes a hot restart with it.
"""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections import Counter
from pathlib import Path

import aiohttp
import yaml

from glidepath.config import parse_config
from glidepath_ops.envoyconfig.insert_into_bootstrap import insert_glidepath
from glidepath_ops.envoyconfig.yaml_insertion import remove
from glidepath_ops.local.child_process import Child, envoy_binary
from glidepath_ops.local.redis_and_envoy import answers_ok
from tests.support.envoy_with_backends import PATH
from tests.support.running_envoy import RunningEnvoy
from tests.support.users_envoy import UsersSetup, users_setup, users_table
from tests.support.waiting import eventually

QUESTION = {"model": "any", "messages": [{"role": "user", "content": "Who are you?"}]}


def envoy(setup: UsersSetup, text: str, epoch: int) -> Child:
    """Start Envoy with this bootstrap, as the successor of the Envoy of the previous epoch."""
    bootstrap = setup.folder / f"envoy-{epoch}.yaml"
    bootstrap.write_text(text)
    port = setup.live.rpartition(":")[2]
    options = {"--base-id": port, "--restart-epoch": str(epoch), "--drain-time-s": "2", "--parent-shutdown-time-s": "4"}
    command = [envoy_binary(), "-c", str(bootstrap), "--concurrency", "1", "--log-level", "warning"]
    options["--drain-strategy"] = "immediate"  # each answer of the former Envoy says that its connection ends
    command += [part for option in options.items() for part in option]
    return Child("envoy", command, setup.folder / f"envoy-{epoch}.log")


def clusters(setup: UsersSetup) -> set[str]:
    with urllib.request.urlopen(f"{setup.admin}/clusters?format=json", timeout=5) as response:
        return {one["name"] for one in json.load(response).get("cluster_statuses", [])}


async def test_no_client_notices_that_glidepath_is_taken_out(tmp_path: Path) -> None:
    async with users_setup(tmp_path, users_table()) as setup, aiohttp.ClientSession() as keeping_connections:
        config = parse_config(yaml.safe_dump(setup.config))
        inserted = insert_glidepath(setup.text, config, "envoy.yaml")
        answered: Counter[object] = Counter()
        stop = asyncio.Event()

        async def client(session: aiohttp.ClientSession) -> None:
            while not stop.is_set():
                try:
                    async with session.post(setup.live + PATH, json=QUESTION) as response:
                        await response.read()
                        answered[response.status] += 1
                except (OSError, aiohttp.ClientError) as error:
                    answered[type(error).__name__] += 1
                await asyncio.sleep(0.005)

        async def more(count: int) -> None:
            target = answered.total() + count
            await eventually(lambda: answered.total() >= target)

        with envoy(setup, inserted, 0) as first:
            first.wait_until(lambda: answers_ok(f"{setup.admin}/ready"))
            running = RunningEnvoy(setup.live, "", setup.admin, config, first)
            setup.set_share(running, 50)
            clients = [asyncio.create_task(client(one)) for one in (setup.session, keeping_connections) * 2]
            try:
                await more(60)
                assert setup.served == {"theirs", "onprem"}
                setup.set_share(running, 0)
                await more(40)
                removed = remove(inserted)
                assert removed == setup.text
                with envoy(setup, removed, 1):
                    await eventually(lambda: first.process.poll() is not None)
                    setup.clear_received()
                    await more(60)
                    assert setup.served == {"theirs"}
                    assert clusters(setup) == {"theirs"}
                    stop.set()
                    await asyncio.gather(*clients)  # before this Envoy ends
            finally:
                stop.set()
                await asyncio.gather(*clients)
        assert set(answered) == {200}, answered
