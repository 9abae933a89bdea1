"""Tests of the compose stack with README.md's commands, on a real Docker engine. Run only by ``make test-compose``.

The lines of README's section "docker compose" are run unchanged, in a Docker project of the test, so the test touches
no stack and no data of a person. The tests are in the order of those lines.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest

from glidepath_ops.lock_images import LOCK, locked_images

ROOT = Path(__file__).parents[2]
PROJECT = "glidepath-test"
PORTS = (10000, 9901, 9480)
CONSOLE = "http://127.0.0.1:9480"
LIMIT_S = 225  # for all tests together
SERVING = {"envoy", "admin", "redis", "extproc", "scorer", "console", "cloud", "onprem"}
# Prints the targets that accept a connection.
TRY = """
import json, socket
from concurrent.futures import ThreadPoolExecutor
def reached(target):
    try:
        return not socket.create_connection(target, 2).close()
    except OSError:
        return False
targets = {targets}
with ThreadPoolExecutor(32) as pool:
    print(json.dumps([t for t, ok in zip(targets, pool.map(reached, targets)) if ok]))
"""
CANDIDATE, BASELINE = "glidepath.chat.weight.onprem-or-cloud", "glidepath.chat.weight.cloud"


def readme_lines(text: str) -> list[str]:
    """Return the commands of the section's block, without their comments."""
    section = text.split("\n## docker compose\n", 1)[1].split("\n## ", 1)[0]
    block = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)[0]
    return [re.sub(r"\s{2,}#.*", "", line) for line in block.splitlines() if line.strip()]


class Session:
    """Runs README.md's lines, each at most once, within one time limit."""

    def __init__(self) -> None:
        self.lines = readme_lines((ROOT / "README.md").read_text())
        self.deadline = time.monotonic() + LIMIT_S
        self.env = {**os.environ, "COMPOSE_PROJECT_NAME": PROJECT}

    def left(self) -> float:
        return max(15.0, self.deadline - time.monotonic())

    def line(self, number: int, part: str) -> str:
        """Run README.md's line ``number`` (from 0), which must contain ``part``; return its output."""
        assert part in self.lines[number], f"README's line {number} is another one: {self.lines[number]}"
        return self.run("bash", "-c", self.lines[number])

    def run(self, *command: str) -> str:
        done = subprocess.run(command, cwd=ROOT, env=self.env, capture_output=True, text=True, timeout=self.left())
        assert done.returncode == 0, (
            f"{command} ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        )
        return done.stdout

    def until(self, what: str, condition: Callable[[], Any], within: float) -> Any:
        """Poll ``condition`` for up to ``within`` seconds, and return its first true value."""
        end = min(time.monotonic() + within, self.deadline)
        while time.monotonic() < end:
            value = condition()
            if value:
                return value
            time.sleep(0.5)
        raise AssertionError(f"not within {within:g} s: {what}\n{self.logs()}")

    def logs(self) -> str:
        command = ("docker", "compose", "--profile", "load", "logs", "--no-color", "--tail", "20")
        return subprocess.run(command, cwd=ROOT, env=self.env, capture_output=True, text=True, timeout=60).stdout

    def status(self) -> dict[str, Any]:
        output = self.run("docker", "compose", "exec", "scorer", "glidepath", "status", "--json")
        return dict(json.loads(output)["chat"])

    def weights(self) -> tuple[int, int]:
        """Return the weights of the candidate and the baseline in Envoy, in basis points."""
        entries = json.loads(self.run("curl", "-s", "127.0.0.1:9901/runtime"))["entries"]
        return int(entries[CANDIDATE]["final_value"]), int(entries[BASELINE]["final_value"])

    def containers(self) -> dict[str, dict[str, Any]]:
        """Return Docker's description of each container of the project, by service."""
        ids = self.run("docker", "ps", "-aq", "--filter", f"label=com.docker.compose.project={PROJECT}").split()
        found = json.loads(self.run("docker", "inspect", *ids)) if ids else []
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in found}


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    for port in PORTS:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0, f"port {port} is in use: `docker compose down` first"
    session = Session()
    try:
        session.line(0, "up -d --build --wait")
        yield session
    finally:
        command = ("docker", "compose", "--profile", "load", "down", "--volumes", "--timeout", "10")
        subprocess.run(command, cwd=ROOT, env=session.env, capture_output=True, timeout=60, check=True)


def test_every_service_is_healthy(session: Session) -> None:
    states = {name: one["State"]["Health"]["Status"] for name, one in session.containers().items()}
    assert states == dict.fromkeys(SERVING, "healthy")


def test_no_container_has_more_rights_than_it_needs(session: Session) -> None:
    containers = session.containers()
    for name, one in containers.items():
        host = one["HostConfig"]
        assert one["Config"]["User"] == "10001:10001", name
        assert host["ReadonlyRootfs"] is True, name
        assert host["CapDrop"] == ["ALL"], name
        assert not host["CapAdd"], name
        assert not host["Privileged"], name
        assert "no-new-privileges:true" in host["SecurityOpt"], name
        assert host["Memory"] > 0, name
        assert host["NanoCpus"] > 0, name
        assert host["PidsLimit"] > 0, name
        users = {line.split()[1] for line in session.run("docker", "top", one["Id"], "-eo", "pid,uid").splitlines()[1:]}
        assert users == {"10001"}, name
    images = {one["Config"]["Image"] for one in containers.values()}
    envoy = os.environ.get("ENVOY_IMAGE") or str(locked_images((ROOT / LOCK).read_text())["ENVOY_IMAGE"])
    assert images == {"glidepath", "glidepath-redis", envoy}


def test_the_console_shows_the_workload_to_whoever_has_its_token(session: Session) -> None:
    token = session.run("docker", "compose", "exec", "console", "cat", "/run/glidepath-console/token").strip()
    url = f"{CONSOLE}/api/status"
    assert session.run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", url) == "401"
    answer = json.loads(session.run("curl", "-s", "-H", f"authorization: Bearer {token}", url))
    assert "chat" in json.dumps(answer)


def test_only_three_ports_are_published_and_on_loopback(session: Session) -> None:
    published = {
        (name, binding["HostIp"], binding["HostPort"])
        for name, one in session.containers().items()
        for bindings in one["HostConfig"]["PortBindings"].values()
        for binding in bindings
    }
    ours = {("envoy", "10000"), ("admin", "9901"), ("console", "9480")}
    assert published == {(name, "127.0.0.1", port) for name, port in ours}


def test_no_client_and_no_backend_reaches_the_admin_api_or_redis(session: Session) -> None:
    """From each container, try the names and the addresses of all containers, and the machine's own gateways."""
    containers = session.containers()
    networks = [network for one in containers.values() for network in one["NetworkSettings"]["Networks"].values()]
    addresses = {network[key] for network in networks for key in ("IPAddress", "Gateway") if network[key]}
    targets = [(host, port) for host in sorted({*containers, *addresses}) for port in (9901, 6379)]
    for service in ("cloud", "onprem", "load"):
        # The clients do not run yet, so a container with their network and image takes their place.
        run = (
            ("run", "--rm", "--no-deps", "--entrypoint", "python", "load")
            if service == "load"
            else ("exec", service, "python")
        )
        reached = session.run("docker", "compose", "--profile", "load", *run, "-c", TRY.format(targets=targets))
        assert json.loads(reached.splitlines()[-1]) == [], service


def test_redis_writes_to_its_volume_and_never_evicts(session: Session) -> None:
    def setting(name: str) -> str:
        return session.run("docker", "compose", "exec", "redis", "redis-cli", "config", "get", name).split()[1]

    assert (setting("appendonly"), setting("maxmemory-policy")) == ("yes", "noeviction")
    mounts = {one["Destination"]: one["Type"] for one in session.containers()["redis"]["Mounts"]}
    assert mounts == {"/var/lib/glidepath": "volume"}


def test_the_first_curl_is_answered_by_the_baseline(session: Session) -> None:
    answer = json.loads(session.line(1, "127.0.0.1:10000/v1/chat/completions"))
    assert answer["model"] == "cloud-large"
    assert "Canberra" in answer["choices"][0]["message"]["content"]


def test_openai_clients_are_served_and_their_pairs_scored(session: Session) -> None:
    client = openai.OpenAI(base_url="http://127.0.0.1:10000/v1", api_key="no-secret", max_retries=0, timeout=20)

    def ask(_: int) -> str:
        messages = [{"role": "user", "content": "Explain what a load balancer does."}]
        answer = client.chat.completions.create(model="gpt-demo", messages=messages)  # raises for all but 200
        return answer.choices[0].message.content or ""

    with client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(40)))
    assert all(len(answer) > 100 for answer in answers), answers
    status = session.until("40 scored pairs", lambda: (s := session.status())["pairs_scored"] >= 40 and s, 30)
    assert not status["pairs_unscored"]
    assert "chat" in session.line(2, "exec scorer glidepath status")


def test_weights_move_under_load(session: Session) -> None:
    session.line(3, "--profile load up -d --wait")
    candidate, baseline = session.until("a share for the candidate", lambda: _moved(session.weights()), 100)
    assert candidate + baseline == 10_000
    assert CANDIDATE in session.line(4, "127.0.0.1:9901/runtime")
    test_no_container_has_more_rights_than_it_needs(session)


def _moved(weights: tuple[int, int]) -> tuple[int, int] | None:
    return weights if weights[0] >= 500 else None


def test_a_manual_override_to_weight_0_is_adopted_and_held_until_resumed(session: Session) -> None:
    session.line(5, "runtime_modify")
    status = session.until("the hold", lambda: (s := session.status())["phase"] == "held" and s, 20)
    assert (status["held_by"], status["percent"]) == ("manual_override", 0)
    scored = status["pairs_scored"]
    session.until("pairs scored during the hold", lambda: session.status()["pairs_scored"] > scored + 50, 30)
    assert session.weights() == (0, 10_000)
    session.line(6, "glidepath resume chat")
    session.until("the automation's going on", lambda: session.status()["held_by"] == "", 20)


def test_no_client_saw_an_error(session: Session) -> None:
    clients = session.containers()["load"]["Id"]
    log = session.until("the clients' first report", lambda: session.run("docker", "logs", clients), 30)
    report = json.loads(log.splitlines()[-1])
    assert report["requests"] > 100
    assert report["errors"] == 0


def test_down_stops_everything(session: Session) -> None:
    session.line(7, "--profile load down")
    assert session.containers() == {}
    networks = session.run("docker", "network", "ls", "-q", "--filter", f"label=com.docker.compose.project={PROJECT}")
    assert networks == ""
    assert len(session.lines) == 8
