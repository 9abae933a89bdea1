"""Tests of the demo's clients as a separate process, against the demo's backend."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from glidepath_ops.local.child_process import Child, answers, free_ports
from glidepath_ops.local.redis_and_envoy import answers_ok

pytestmark = pytest.mark.process


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[str]:
    port = free_ports(1)[0]
    command = [sys.executable, "-m", "glidepath_ops.demo.backend_server", "--port", str(port), "--side", "baseline"]
    command += ["--model", "cloud-large", "--first", "0.001", "--chunk", "0.001", "--host", "127.0.0.2"]
    with Child("backend", command, tmp_path / "backend.log") as child:
        child.wait_until(lambda: answers_ok(f"http://127.0.0.2:{port}/healthz"))
        yield f"127.0.0.2:{port}"


def run_clients(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "glidepath_ops.demo.standalone_load_generator", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_the_clients_send_for_the_given_time_and_report(backend: str, tmp_path: Path) -> None:
    done = run_clients(
        "--url", f"http://{backend}", "--rate", "50", "--seconds", "2", "--alive", str(tmp_path / "alive")
    )
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["requests"] > 20, done.stderr
    assert report["errors"] == 0
    assert report["models"] == {"cloud-large": report["requests"]}
    assert (tmp_path / "alive").exists()


def test_clients_without_answers_do_not_touch_the_alive_file(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    done = run_clients("--url", url, "--rate", "50", "--seconds", "1.5", "--alive", str(tmp_path / "alive"))
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["errors"] == report["requests"] > 0
    assert not (tmp_path / "alive").exists()


@pytest.mark.parametrize(
    ("option", "value"), [("--rate", "501"), ("--rate", "0"), ("--seconds", "86401"), ("--rate", "x")]
)
def test_rate_and_time_have_limits(option: str, value: str) -> None:
    done = run_clients("--url", "http://127.0.0.1:1", option, value)
    assert done.returncode == 2
    assert option in done.stderr


def test_the_backend_listens_only_on_its_configured_host(backend: str) -> None:
    port = int(backend.rpartition(":")[2])
    assert answers("127.0.0.2", port)
    assert not answers("127.0.0.1", port)
