"""Each line of the README's section "By curl alone" has the effect in its comment; run with the real curl."""

from __future__ import annotations

import asyncio
import json
import shlex
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.recording_backend import Recorder
from tests.support.running_system import System, running_system, system_config
from tests.support.waiting import eventually

README = Path(__file__).parents[3] / "README.md"


@dataclass(slots=True)
class Curl:
    """The lines of the README's section "By curl alone", with the addresses of this system."""

    system: System
    lines: list[str]

    async def run(self, *words: str) -> str:
        """Run the one line that contains all of ``words``."""
        (line,) = [line for line in self.lines if all(word in line for word in words)]
        line = line.partition(" | ")[0]
        for documented, here in self.addresses().items():
            line = line.replace(documented, here)
        arguments = shlex.split(line)[1:]
        if shutil.which("curl") is None:  # send the same request without curl
            async with self.system.http.request(
                "POST" if "POST" in arguments else "GET", f"http://{arguments[-1]}"
            ) as r:
                assert r.status == 200
                return await r.text()
        command = ["curl", "-sS", "--fail", *arguments]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=10)
        assert done.returncode == 0, (line, done.stderr)
        return done.stdout

    def addresses(self) -> dict[str, str]:
        config = self.system.config
        return {
            "127.0.0.1:9901": config.envoy.admin[0].removeprefix("http://"),
            "127.0.0.1:9465": config.scorer.metrics,
        }

    async def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await self.run("/status"))["chat"] or {}
        return found

    async def has_status(self, **wanted: Any) -> bool:
        status = await self.status()
        return all(status.get(name) == value for name, value in wanted.items())

    async def captured(self) -> int:
        return (await self.system.coverage()).get("captured", 0)

    async def ask(self, count: int) -> None:
        body = {"model": "m", "messages": [{"role": "user", "content": "Who?"}]}
        for _ in range(count):
            async with self.system.http.post(f"{self.system.url}/v1/chat/completions", json=body) as response:
                assert response.status == 200


@pytest.fixture
async def curl(tmp_path: Path) -> AsyncIterator[Curl]:
    section = README.read_text().partition("## By curl alone")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("curl ")]
    async with Recorder("same") as cloud, Recorder("same") as onprem:
        ramp = {"steps": [5, 50, 100], "shadow_hold": "1h", "hold": "1h"}
        config = system_config(tmp_path, cloud.url, onprem.url, ramp=ramp)
        async with running_system(config, tmp_path) as system:
            yield Curl(system, lines)


async def test_every_curl_line_of_the_readme_does_what_its_comment_says(curl: Curl) -> None:
    await eventually(lambda: curl.has_status(phase="shadow", confirmed=1))

    await curl.run("onprem-or-cloud=500")
    await eventually(lambda: curl.has_status(phase="held", percent=5, confirmed=1))
    assert "glidepath resume chat" in (await curl.status())["message"]
    await curl.run("onprem-or-cloud=0")
    await eventually(lambda: curl.has_status(phase="held", percent=0))

    await curl.ask(2)
    await eventually(lambda: _captured(curl, 2))
    await curl.run("chat.shadow=0")
    await curl.ask(10)
    await curl.run("chat.shadow=10")
    await eventually(lambda: _shadow_adopted(curl, 10))
    assert await curl.captured() == 2

    await curl.run("autopilot=0")
    await eventually(lambda: curl.has_status(autopilot=False))
    await curl.run("autopilot=1")
    await eventually(lambda: curl.has_status(autopilot=True, phase="shadow", percent=0))

    entries = json.loads(await curl.run("/runtime'"))["entries"]
    assert entries["glidepath.chat.shadow"]["final_value"] == "10"
    assert entries["glidepath.chat.weight.cloud"]["final_value"] == "10000"
    assert len(curl.lines) == 8


async def _captured(curl: Curl, count: int) -> bool:
    return await curl.captured() == count


async def _shadow_adopted(curl: Curl, percent: float) -> bool:
    decisions = await curl.system.decisions()
    return any(d.event == "adopt_shadow" and d.details["shadow_percent"] == percent for d in decisions)
