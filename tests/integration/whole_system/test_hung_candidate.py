"""The candidate hangs at 50 % and its clients give up: no server answers with an error, and the share is taken back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp

from glidepath.status_and_decisions import CommandKind
from tests.support.recording_backend import Recorder
from tests.support.running_system import START_S, System, running_system, system_config
from tests.support.waiting import eventually

RAMP = {"steps": [50, 100], "shadow_hold": "1h", "hold": "1h", "min_samples": 2}
GATES = {"sameness": None, "latency": []}
RATE, TIMEOUT_S = 50, 3.0  # requests/s, and the seconds after which a client gives up
MOST_ERRORS = 40


class Clients:
    """Clients that send requests at a fixed rate, and disconnect after TIMEOUT_S without an answer."""

    def __init__(self, system: System) -> None:
        self._system = system
        self.answered = self.failed = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Send requests until ``stop`` is set."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as http, asyncio.TaskGroup() as tasks:
            while not stop.is_set():
                tasks.create_task(self._ask(http))
                await asyncio.sleep(1 / RATE)

    async def _ask(self, http: aiohttp.ClientSession) -> None:
        body = {"model": "m", "messages": [{"role": "user", "content": "Hello?"}]}
        try:
            async with http.post(f"{self._system.url}/v1/chat/completions", json=body) as answer:
                await answer.read()
                self.answered += answer.status == 200
                self.failed += answer.status != 200
        except (TimeoutError, aiohttp.ClientError):
            self.failed += 1


async def test_the_share_is_taken_back_when_clients_give_up_on_the_candidate(tmp_path: Path) -> None:
    stop = asyncio.Event()
    async with Recorder("cloud") as cloud, Recorder("onprem") as onprem:
        config = system_config(tmp_path, cloud.url, onprem.url, ramp=RAMP, gates=GATES)
        async with running_system(config, tmp_path) as system, asyncio.TaskGroup() as tasks:
            clients = Clients(system)

            async def steered() -> bool:
                status = await system.status()
                return status is not None and status.confirmed > 0

            async def share_is(points: int) -> bool:
                return (await system.weights())["onprem-or-cloud"] == points

            await eventually(steered, within=START_S)
            await system.order(CommandKind.PROMOTE, force=True)
            await eventually(lambda: share_is(5000))
            tasks.create_task(clients.run(stop))
            try:
                await eventually(lambda: _reached(clients, 100))
                before = clients.failed
                onprem.behaviour = "hang"
                await eventually(lambda: share_is(0))
                failed = clients.failed - before
            finally:
                stop.set()
            back = next(d for d in await system.decisions() if d.event == "rollback")
            assert back.trigger == "clients_leave"
            assert "clients left without an answer" in back.reason
            assert failed <= MOST_ERRORS


async def _reached(clients: Clients, answers: int) -> bool:
    return clients.answered >= answers
