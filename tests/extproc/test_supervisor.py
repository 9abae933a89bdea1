"""The supervisor with real processes and signals."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from extproc.supervisor import with_workers, yield_to_envoy
from glidepath.config import load_config
from glidepath_ops.local.child_process import Child, answers, free_ports
from tests.support.extproc_rpc import exchange, stream
from tests.support.in_memory_extproc import capture_config
from tests.support.process_state import is_running

pytestmark = pytest.mark.process

COMMAND = [sys.executable, "-c", "from glidepath_ops.cli import main; main()", "extproc"]


def write_config(folder: Path, *, drain: str = "500ms", listen: str = "") -> tuple[Path, int]:
    """Write a configuration whose Redis and shadow listener do not run.

    Return its path and the first metrics port.
    """
    redis_port, shadow, metrics = free_ports(3)
    file = folder / "glidepath.yaml"
    file.write_text(f"""
envoy: {{shadow_listen: "127.0.0.1:{shadow}"}}
redis: {{url: "redis://127.0.0.1:{redis_port}/0"}}
extproc: {{listen: "{listen or f"unix:{folder}/ep.sock"}", metrics: "127.0.0.1:{metrics}", drain: {drain}}}
backends: {{cloud: {{url: "http://127.0.0.1:1"}}, onprem: {{url: "http://127.0.0.1:2"}}}}
workloads: {{chat: {{match: {{path: /v1/chat/completions}}, baseline: cloud, candidate: onprem}}}}
""")
    return file, metrics


def children(pid: int) -> set[int]:
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def wait(ready: Callable[[], bool], timeout: float = 20) -> None:
    deadline = time.monotonic() + timeout
    while not ready():
        assert time.monotonic() < deadline, "not within the time"
        time.sleep(0.02)


def serving(file: Path, workers: int) -> bool:
    """Return whether the socket and the metrics page of every worker answer."""
    settings = with_workers(load_config(file), workers)
    port = int(settings.extproc.metrics.rpartition(":")[2])
    paths = [Path(address.removeprefix("unix:")) for address in settings.extproc.addresses]
    return all(path.is_socket() for path in paths) and all(answers("127.0.0.1", port + i) for i in range(workers))


def test_workers_are_started_restarted_and_ended_together(tmp_path: Path) -> None:
    file, _ = write_config(tmp_path)
    with Child("extproc", [*COMMAND, "-c", str(file), "--workers", "2"], tmp_path / "log") as supervisor:
        supervisor.wait_until(lambda: serving(file, 2))
        first = children(supervisor.pid)
        assert len(first) == 2
        victim = min(first)
        os.kill(victim, signal.SIGKILL)
        wait(lambda: not is_running(victim) and len(children(supervisor.pid) - {victim}) == 2 and serving(file, 2))
        assert supervisor.stop() == 0
    assert list(tmp_path.glob("ep.sock*")) == []


def test_workers_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    file, _ = write_config(tmp_path)
    supervisor = Child("extproc", [*COMMAND, "-c", str(file), "--workers", "2"], tmp_path / "log")
    supervisor.wait_until(lambda: serving(file, 2))
    workers = children(supervisor.pid)
    assert [os.getpriority(os.PRIO_PROCESS, pid) for pid in workers] == [max(10, os.nice(0))] * 2
    supervisor.kill()
    wait(lambda: not any(is_running(pid) for pid in workers))


@pytest.mark.parametrize(("before", "after"), [(0, 10), (9, 10), (10, 10), (19, 19)])
def test_extproc_has_a_lower_priority_than_envoy(monkeypatch: pytest.MonkeyPatch, before: int, after: int) -> None:
    niceness = [before]
    monkeypatch.setattr(os, "getpriority", lambda kind, pid: niceness[-1])
    monkeypatch.setattr(os, "setpriority", lambda kind, pid, value: niceness.append(value))
    yield_to_envoy()
    assert niceness[-1] == after


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGHUP])
async def test_the_first_signal_drains_and_the_second_exits(tmp_path: Path, first: signal.Signals) -> None:
    file, _ = write_config(tmp_path, drain="90s")
    child = Child("extproc", [*COMMAND, "-c", str(file)], tmp_path / "log")
    child.wait_until(lambda: serving(file, 1))
    async with grpc.aio.insecure_channel(f"unix:{tmp_path}/ep.sock") as channel:
        await stream(channel, exchange())  # there is no Redis, so a record stays unwritten
        child.signal(first)
        wait(lambda: not (tmp_path / "ep.sock").exists())
        assert child.alive
        child.signal(signal.SIGTERM)
        assert child.process.wait(60) == 1  # the drain would last 90 s


@pytest.mark.parametrize(("name", "workers"), [("ep.sock", "1"), ("ep.sock.1", "2")])
def test_a_configuration_error_is_one_line_and_exit_status_2(tmp_path: Path, name: str, workers: str) -> None:
    (tmp_path / name).write_text("no socket")
    file, _ = write_config(tmp_path)
    child = Child("extproc", [*COMMAND, "-c", str(file), "--workers", workers], tmp_path / "log")
    assert child.process.wait(60) == 2
    line = next(line for line in child.tail(100).splitlines() if line.startswith("glidepath:"))
    assert "is not a socket" in line
    assert "Traceback" not in child.tail(100)


def test_the_command_lines_number_of_workers_overrides_the_configured_one() -> None:
    settings = capture_config()
    assert with_workers(settings, None) is settings
    assert len(with_workers(settings, 3).extproc.addresses) == 3
