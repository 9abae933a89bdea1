"""Tests of `glidepath up` from the command line, with the user's own backends."""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import signal
import stat
import subprocess
import sys
import urllib.request
from functools import partial
from pathlib import Path
from subprocess import PIPE
from typing import Any

import aiohttp
import pytest
import redis.asyncio
from redis.exceptions import AuthenticationError

from glidepath.config import load_config
from glidepath_ops.local.child_process import Child, free_ports
from tests.support.recording_backend import Recorder
from tests.support.up_config import write_up_config
from tests.support.waiting import eventually

COMMAND = [sys.executable, "-m", "glidepath_ops", "up"]


async def by_console(output: str, path: str) -> Any:
    """Return the console's answer to a request with the token that `up` has printed."""
    url, _, token = re.findall(r"console +(\S+)", output)[0].partition("/login#")
    headers = {"authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=headers) as http, http.get(url + path) as answer:
        return await answer.json()


def refused(path: Path, *options: str, largest_file: int = resource.RLIM_INFINITY) -> str:
    """Return the one line with which `up` ends. ``largest_file`` is the limit on the size of its files, in bytes."""
    done = subprocess.run(
        [*COMMAND, "-c", str(path), *options],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (largest_file, resource.RLIM_INFINITY)),
    )
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("glidepath: starting ")]
    return line


def test_an_admin_url_without_answer_is_one_line(tmp_path: Path) -> None:
    path = write_up_config(tmp_path, "http://127.0.0.1:1", "http://127.0.0.1:2")
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    path.write_text(path.read_text().replace("envoy: {", f'envoy: {{admin: "{url}", '))
    assert refused(path).startswith(f"glidepath: {path}:1: envoy.admin")


def test_a_redis_without_answer_is_one_line(tmp_path: Path) -> None:
    url = f"redis://127.0.0.1:{free_ports(1)[0]}/0"
    path = write_up_config(tmp_path, "http://127.0.0.1:1", "http://127.0.0.1:2", f"redis: {{url: {url}}}\n")
    assert refused(path).startswith(f"glidepath: {path}:13: redis.url: {url}: no usable Redis")


def test_a_credential_that_is_not_set_is_one_line_and_starts_nothing(tmp_path: Path) -> None:
    path = write_up_config(tmp_path, "http://127.0.0.1:1", "http://127.0.0.1:2")
    path.write_text(path.read_text().replace("  onprem: {", "  onprem: {credential: {env: GLIDEPATH_TEST_KEY}, "))
    data = tmp_path / "data"
    problem = "backends.onprem.credential.env: the environment variable GLIDEPATH_TEST_KEY is not set"
    assert refused(path, "--data", str(data)) == f"glidepath: {path}:6: {problem}"
    assert not data.exists()


def test_a_wrong_key_is_one_line(tmp_path: Path) -> None:
    path = write_up_config(tmp_path, "http://127.0.0.1:1", "http://127.0.0.1:2", "    basline: cloud\n")
    assert "did you mean 'baseline'?" in refused(path)


@pytest.mark.slow
async def test_up_serves_requests_restarts_dead_processes_and_stops_in_order(tmp_path: Path) -> None:
    async with Recorder("cloud") as cloud, Recorder("onprem") as onprem:
        path = write_up_config(tmp_path, cloud.url, onprem.url)
        config, data = load_config(path), tmp_path / ".glidepath"
        with Child("up", [*COMMAND, "-c", str(path)], tmp_path / "up.log", cwd=tmp_path) as up:
            await eventually(lambda: "Ctrl-C stops everything" in up.log.read_text())
            assert "runtime_modify?glidepath.chat.weight.onprem-or-cloud=0" in up.log.read_text()
            children = children_of(up.pid)
            assert len(children) >= 5
            assert "chat" in await by_console(up.log.read_text(), "/api/status")
            await ask(f"http://{config.envoy.listen}/v1/chat/completions")
            await eventually(lambda: bool(onprem.received))
            found: list[Any] = []

            async def has_a_divergent_pair() -> bool:
                found[:] = await by_console(up.log.read_text(), "/api/workloads/chat/pairs")
                return bool(found)

            await eventually(has_a_divergent_pair)
            pair = await by_console(up.log.read_text(), f"/api/workloads/chat/pair?id={found[0]['id']}")
            assert (pair["left"], pair["right"]) == ("I am cloud.", "I am onprem.")
            assert found[0]["agreement"] < 1
            assert "chat" in await run("status", path)
            assert "envoy http://127.0.0.1" in await run("doctor", path)
            (extproc,) = [pid for pid, command in children.items() if "extproc" in command]
            os.kill(extproc, signal.SIGKILL)
            await eventually(lambda: "restarting extproc" in up.log.read_text())
            await eventually(lambda: asyncio.to_thread(ready, config.extproc.metrics))
            await run("doctor", path)
            os.killpg(up.pid, signal.SIGTERM)
            assert await asyncio.to_thread(up.process.wait, 30) == 0
            logs = [(data / "logs" / f"{part}.log").read_text() for part in ("extproc", "scorer")]
            assert ["redis_unreachable" in log or "steering_paused" in log for log in logs] == [False, False]
            await eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children))
        assert (data / "redis" / "appendonlydir").is_dir()


@pytest.mark.slow
async def test_only_the_user_can_read_the_data_of_up_and_only_one_up_uses_it(tmp_path: Path) -> None:
    async with Recorder("cloud") as cloud, Recorder("onprem") as onprem:
        path, data = write_up_config(tmp_path, cloud.url, onprem.url), tmp_path / "data"
        with Child("up", [*COMMAND, "-c", str(path), "--data", str(data)], tmp_path / "up.log") as up:
            await eventually(lambda: "Ctrl-C stops everything" in up.log.read_text())
            await ask(f"http://{load_config(path).envoy.listen}/v1/chat/completions")
            effective = load_config(data / "glidepath.yaml")
            await eventually(lambda: (data / "redis" / "appendonlydir").is_dir())
            assert stat.S_ISSOCK((data / "shadow.sock").stat().st_mode)
            modes = {one: stat.S_IMODE(one.stat().st_mode) for one in [data, *data.rglob("*")]}
            assert {one: oct(mode) for one, mode in modes.items() if mode != (0o700 if one.is_dir() else 0o600)} == {}
            stranger = redis.asyncio.from_url(str(effective.redis.url))
            with pytest.raises(AuthenticationError):
                await stranger.ping()
            await stranger.aclose()
            assert not any("requirepass" in command for command in children_of(up.pid).values())
            configuration = (data / "glidepath.yaml").read_text()
            assert refused(path, "--data", str(data)).startswith(
                f"glidepath: --data: {data} is in use by another `glidepath up` (process {up.pid})"
            )
            assert (data / "glidepath.yaml").read_text() == configuration


def test_a_data_folder_that_is_a_file_or_that_cannot_be_created_is_one_line(tmp_path: Path) -> None:
    path = write_up_config(tmp_path, "http://127.0.0.1:1", "http://127.0.0.1:2")
    for data in (path, path / "data", Path("/proc/glidepath")):
        assert refused(path, "--data", str(data)).startswith(f"glidepath: {data}: cannot be used: ")


@pytest.mark.parametrize("name", ["redis", "logs", "up.lock", "redis/password", "redis/redis.conf", "glidepath.yaml"])
def test_an_entry_of_the_data_folder_of_the_wrong_kind_is_one_line(tmp_path: Path, name: str) -> None:
    path, data = write_up_config(tmp_path, "http://127.0.0.1:1", "http://127.0.0.1:2"), tmp_path / "data"
    wrong = data / name
    wrong.parent.mkdir(parents=True, exist_ok=True)
    if name in ("redis", "logs"):
        wrong.touch()
    else:
        wrong.mkdir()
    assert refused(path, "--data", str(data)).startswith(f"glidepath: {wrong}: cannot be used: ")


def test_a_disk_that_is_full_is_one_line_with_the_file_that_cannot_be_written(tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk: writing beyond it fails in the same way."""
    path, data = write_up_config(tmp_path, "http://127.0.0.1:1", "http://127.0.0.1:2"), tmp_path / "data"
    said = refused(path, "--data", str(data), largest_file=0)
    assert said.startswith(f"glidepath: {data}/up.lock: cannot be used: ")


COMMANDS = ("up", "demo", "status", "scorer", "extproc", "score")
# Until the command's own module is imported, all commands import the same.
STAGES = [
    ("up", "glidepath_ops.cli.command_line"),
    ("up", "typer"),
    *((one, f"glidepath_ops.cli.{one}") for one in COMMANDS),
]


@pytest.mark.parametrize(("command", "stage"), STAGES)
def test_an_early_ctrl_c_prints_no_traceback(tmp_path: Path, command: str, stage: str) -> None:
    """Send SIGINT to the whole group, as a terminal does, when Python (-v) reports the import of ``stage``."""
    path = write_up_config(tmp_path, "http://127.0.0.1:1", "http://127.0.0.1:2")
    arguments = {"demo": [], "score": ["-"]}.get(command, ["-c", str(path)])
    line = [sys.executable, "-v", "-m", "glidepath_ops", command, *arguments]
    process = subprocess.Popen(line, stdin=PIPE, stderr=PIPE, text=True, cwd=tmp_path, start_new_session=True)
    with process:
        assert process.stderr is not None
        for said in process.stderr:
            if said.startswith(f"import '{stage}'"):
                break
        os.killpg(process.pid, signal.SIGINT)
        rest = process.stderr.read()
        process.wait(60)
    assert "Traceback" not in rest, rest[rest.index("Traceback") :]
    assert process.returncode in (130, -signal.SIGINT)


def test_two_processes_with_one_address_are_one_line_and_start_nothing(tmp_path: Path) -> None:
    path = write_up_config(tmp_path, "http://127.0.0.1:1", "http://127.0.0.1:2")
    config = load_config(path)
    path.write_text(path.read_text().replace(config.scorer.metrics, config.extproc.metrics))
    problem = (
        f"{config.extproc.metrics} is also used by extproc.metrics ({config.extproc.metrics}); here they must differ"
    )
    assert refused(path, "--data", str(tmp_path / "data")) == f"glidepath: {path}:3: scorer.metrics: {problem}"


def test_a_command_that_finds_no_redis_says_where_it_looked(tmp_path: Path) -> None:
    path = write_up_config(tmp_path, "http://127.0.0.1:1", "http://127.0.0.1:2")
    command = [sys.executable, "-m", "glidepath_ops", "status", "-c", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(
        f"glidepath: {path}: redis.url: is not set, and no `glidepath up` runs with this file"
    )
    assert len(done.stderr.splitlines()) == 1


async def run(command: str, config: Path) -> str:
    """Return what the command prints. It must succeed."""
    arguments = [sys.executable, "-m", "glidepath_ops", command, "-c", str(config)]
    env = {**os.environ, "COLUMNS": "200"}  # else it may be 80: readline, which pytest imports, sets it
    done = await asyncio.to_thread(
        subprocess.run, arguments, capture_output=True, text=True, timeout=60, check=False, env=env
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done.stdout


async def ask(url: str) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Who?"}]}
    async with aiohttp.ClientSession() as http, http.post(url, json=body) as response:
        assert response.status == 200
        assert json.loads(await response.read())["model"] == "cloud"


def ready(metrics: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{metrics}/readyz", timeout=1) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def children_of(pid: int) -> dict[int, str]:
    """Return the command lines of the children, by process id."""
    pids = [int(one) for task in Path(f"/proc/{pid}/task").glob("*/children") for one in task.read_text().split()]
    return {one: Path(f"/proc/{one}/cmdline").read_text().replace("\0", " ") for one in pids}
