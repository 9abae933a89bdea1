"""A real `glidepath console` as a child process, and a scorer that answers its commands."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import redis as sync_redis
import redis.asyncio

from glidepath.redis_keys import WorkloadKeys
from glidepath.status_and_decisions import Command, WorkloadStatus, from_json, to_json
from glidepath_ops.local.child_process import Child, free_ports
from glidepath_ops.local.services import glidepath_service
from tests.support.console_client import console_config
from tests.support.console_data import decision

T = TypeVar("T")


def in_a_thread(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a new thread, because the browser's driver has an event loop in this thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def fill(redis_url: str, *works: Any) -> list[Any]:
    """Call each function in ``works`` with a client of this Redis, and return the results."""

    async def all_of_them() -> list[Any]:
        client = redis.asyncio.from_url(redis_url)
        try:
            return [await work(client) for work in works]
        finally:
            await client.aclose()

    return in_a_thread(all_of_them())


@contextmanager
def running_console(folder: Path, text: str, redis_url: str, *, token: bool) -> Iterator[tuple[str, Child]]:
    """Yield the address of a console, and its process. With ``token``, its token is ``console_client.TOKEN``."""
    folder.mkdir(parents=True, exist_ok=True)
    address = f"127.0.0.1:{free_ports(1)[0]}"
    access = ", token: {{file: {token}}}" if token else ""
    console_config(folder, text, redis_url, f'{{{{listen: "{address}"{access}}}}}')
    service = glidepath_service("console", folder / "glidepath.yaml", address, folder)
    with service.spawn() as child:
        child.wait_until(service.ready)
        yield f"http://{address}", child


@contextmanager
def scorer_that_holds_and_resumes(redis_url: str, workload: str = "chat") -> Iterator[None]:
    """Answer each hold and resume as a scorer does: change the phase in the status, and write a decision."""
    client, keys, stop = sync_redis.from_url(redis_url), WorkloadKeys(workload), threading.Event()

    def answer(entry: bytes, command: Command) -> None:
        phase = "held" if command.kind.value == "hold" else "baking"
        known = from_json(WorkloadStatus, client.get(keys.status))
        client.set(keys.status, to_json(replace(known, phase=phase, held_by=command.actor)))
        details = {"command_id": entry.decode()}
        done = decision(command.kind.value, 1, phase=phase, actor=command.actor, reason=command.reason, details=details)
        client.xadd(keys.log, {"d": to_json(done)})

    def run() -> None:
        cursor = "$"
        while not stop.is_set():
            for _, entries in client.xread({keys.commands: cursor}, block=50) or []:
                for entry, fields in entries:
                    cursor = entry
                    answer(entry, from_json(Command, fields[b"c"]))

    client.delete(keys.commands)
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(5)
        client.close()
