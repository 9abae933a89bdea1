"""Feedback counts for the side that served its request, even if the request was not sampled: a real Envoy.

Half of the feedback is sent by the command line, half by HTTP to a real console.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glidepath_ops.local.child_process import free_ports
from glidepath_ops.local.services import config_file, glidepath_service
from tests.support.recording_backend import Recorder
from tests.support.running_system import System, running_system, system_config
from tests.support.waiting import eventually

TOKEN = "a-token-for-feedback"
QUESTION = {"model": "any", "messages": [{"role": "user", "content": "Who are you?"}]}


async def send(system: System) -> str:
    async with system.http.post(f"{system.url}/v1/chat/completions", json=QUESTION) as response:
        assert response.status == 200
        return response.headers["x-request-id"]


def ids(backend: Recorder) -> set[str]:
    return {request.headers["x-request-id"] for request in backend.received}


async def give(system: System, lines: list[dict[str, object]]) -> dict[str, int]:
    command = [sys.executable, "-m", "glidepath_ops", "feedback", "-c", str(config_file(system.folder))]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    done = await asyncio.to_thread(subprocess.run, command, input=text, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, int] = json.loads(done.stdout)
    return found


@contextmanager
def console(folder: Path, address: str) -> Iterator[None]:
    service = glidepath_service("console", config_file(folder), address, folder)
    with service.spawn() as child:
        child.wait_until(service.ready)
        yield


async def post(system: System, body: dict[str, object]) -> str:
    """Send feedback to the console, and return the side for which it counted."""
    headers = {"authorization": f"Bearer {TOKEN}"}
    url = f"http://{system.config.console.listen}/feedback"
    async with system.http.post(url, json=body, headers=headers) as response:
        assert response.status == 200, await response.text()
        found: str = (await response.json())["result"]
        return found


async def test_feedback_reaches_the_gate_for_the_side_that_served_the_request(tmp_path: Path) -> None:
    sections = {
        "shadow": {"sample": 0},
        "ramp": {"steps": [50, 100], "shadow_hold": "1h", "hold": "1h"},
        "feedback": {},
    }
    async with Recorder("same") as cloud, Recorder("same") as onprem:
        config = system_config(tmp_path, cloud.url, onprem.url, **sections)
        data = config.model_dump(mode="json", exclude_unset=True)
        data["workloads"]["chat"]["start"] = 50
        (tmp_path / "token").write_text(TOKEN)
        address = f"127.0.0.1:{free_ports(1)[0]}"
        data["console"] = {"listen": address, "feedback_token": {"file": str(tmp_path / "token")}}
        async with running_system(type(config).model_validate(data), tmp_path) as system:

            async def at_half() -> bool:
                status = await system.status()
                return status is not None and status.percent == 50 and status.confirmed == 1

            await eventually(at_half)
            sent = [await send(system) for _ in range(40)]
            assert ids(cloud) | ids(onprem) == set(sent)
            sides = {"baseline": len(ids(cloud)), "candidate": len(ids(onprem))}
            lines: list[dict[str, object]] = [{"request_id": name, "score": "up"} for name in sent[:20]]
            lines += [{"request_id": sent[0], "score": 0}, {"request_id": "nobody's", "score": 0}]
            expected = {**sides, "unknown": 1, "repeated": 1}
            by_line = await give(system, lines)
            with console(system.folder, address):
                by_http = Counter([await post(system, {"request_id": name, "thumbs": "up"}) for name in sent[20:]])
            assert {key: count + by_http[key] for key, count in by_line.items()} == {**expected, "noted": 0}

            async def counted() -> bool:
                status = await system.status()
                verdicts = {verdict.gate: verdict for verdict in status.verdicts} if status else {}
                gate = verdicts.get("feedback")
                return status is not None and status.feedback == expected and gate is not None and gate.n > 0

            await eventually(counted)
