"""The demo and ``glidepath up`` from a wheel that is installed in a fresh environment, outside of the checkout."""

from __future__ import annotations

import json
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from glidepath.config import load_config
from glidepath_ops.local.child_process import Child, answers, free_ports
from tests.support.built_distributions import Environment, build, install
from tests.support.up_config import write_up_config

pytestmark = [pytest.mark.process, pytest.mark.slow]
NO_CHECKOUT = {"PYTHONPATH": ""}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    folder = tmp_path_factory.mktemp("installed")
    return install(build(folder / "built").wheel, folder / "venv")


def test_the_demo_runs_from_the_wheel_outside_of_the_checkout(environment: Environment, tmp_path: Path) -> None:
    done = environment.run(tmp_path, "demo", "--json", "summary.json", timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert [step["percent"] for step in summary["steps"]][-1] == 100
    assert summary["rollback"]["to_percent"] == 0
    assert summary["client_errors"] == 0


@contextmanager
def backend(environment: Environment, folder: Path, side: str) -> Iterator[str]:
    """Run one of the demo's backends from the wheel, and yield its URL."""
    port = free_ports(1)[0]
    arguments = ("--host", "127.0.0.1", "--port", str(port), "--side", side, "--model", "m", "--seed", "1")
    command = [str(environment.python), "-m", "glidepath_ops.demo.backend_server", *arguments]
    with Child(side, command, folder / f"{side}.log", env=NO_CHECKOUT, cwd=folder) as child:
        child.wait_until(lambda: answers("127.0.0.1", port))
        yield f"http://127.0.0.1:{port}"


def test_up_serves_and_steers_a_users_own_backends_from_the_wheel(environment: Environment, tmp_path: Path) -> None:
    with (
        backend(environment, tmp_path, "baseline") as cloud,
        backend(environment, tmp_path, "candidate") as onprem,
    ):
        listen = load_config(write_up_config(tmp_path, cloud, onprem)).envoy.listen
        with Child("up", [environment.command, "up"], tmp_path / "up.log", env=NO_CHECKOUT, cwd=tmp_path) as up:
            up.wait_until(lambda: "Ctrl-C stops everything" in up.log.read_text(), timeout=90)
            body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "What is 2 + 2?"}]}).encode()
            url, kind = f"http://{listen}/v1/chat/completions", {"content-type": "application/json"}
            with urllib.request.urlopen(urllib.request.Request(url, body, kind), timeout=10) as answer:
                assert json.load(answer)["choices"]
            up.wait_until(lambda: "chat" in environment.run(tmp_path, "status").stdout, timeout=60)
            assert environment.run(tmp_path, "hold", "chat").returncode == 0
            up.signal(signal.SIGINT)
            assert up.process.wait(60) in (0, 130)
