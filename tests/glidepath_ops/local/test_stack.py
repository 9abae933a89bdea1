"""Tests of stacks of child processes, their restarts and the configuration that the children read."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from glidepath.config import load_config, parse_config
from glidepath.errors import UnreachableError
from glidepath_ops.local.child_process import Child
from glidepath_ops.local.restarts import RestartDelay, Restarter
from glidepath_ops.local.services import Service, with_addresses, write_config
from glidepath_ops.local.stack import Stack

pytestmark = pytest.mark.process

SLEEPER = [sys.executable, "-c", "print('here', flush=True); import signal; signal.pause()"]


def sleeper(folder: Path, name: str = "sleeper") -> Service:
    log = folder / f"{name}.log"
    return Service(name, lambda: Child(name, SLEEPER, log), lambda: "here" in log.read_text(), timeout=10)


@pytest.fixture
def stack() -> Iterator[Stack]:
    with Stack() as stack:
        yield stack


def wait_for_death(child: Child) -> None:
    child.process.wait(60)


def test_a_started_stack_is_ready_and_a_stopped_one_is_gone(tmp_path: Path) -> None:
    with Stack() as stack:
        stack.start(sleeper(tmp_path, "one"), sleeper(tmp_path, "two"))
        children = list(stack.children.values())
        assert stack.dead() == []
    assert [child.alive for child in children] == [False, False]


def test_a_service_that_waits_starts_when_those_before_it_are_ready(tmp_path: Path, stack: Stack) -> None:
    seen: list[tuple[str, bool]] = []
    first, last = sleeper(tmp_path, "first"), sleeper(tmp_path, "last")

    def spawn() -> Child:
        seen.append(("waiting", first.ready()))
        return sleeper(tmp_path, "waiting").spawn()

    stack.start(first, Service("waiting", spawn, lambda: True, waits=True), last)
    assert seen == [("waiting", True)]
    assert list(stack.services) == ["first", "waiting", "last"]
    assert stack.dead() == []


def test_a_child_that_dies_at_once_is_an_error_with_the_end_of_its_log(tmp_path: Path, stack: Stack) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no such model')"]
    service = Service("scorer", lambda: Child("scorer", command, tmp_path / "log"), lambda: False)
    with pytest.raises(UnreachableError, match=r"scorer ended with status 1:\nno such model"):
        stack.start(service)


def test_a_child_that_wrote_nothing_is_an_error_that_says_so(tmp_path: Path) -> None:
    log = tmp_path / "silent.log"
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    with Child("silent", command, log) as child, pytest.raises(UnreachableError) as caught:
        child.wait_until(lambda: False, timeout=0)
    assert str(caught.value) == f"silent was not ready within 0 s; it wrote nothing to {log}"


def test_if_several_processes_do_not_start_the_error_names_the_one_that_died_first(
    tmp_path: Path, stack: Stack
) -> None:
    stack.start(sleeper(tmp_path))
    redis, log = stack.children["sleeper"], tmp_path / "log"
    waits = Service("scorer", lambda: Child("scorer", SLEEPER, log), lambda: redis.kill() == 0, timeout=10)
    with pytest.raises(UnreachableError, match=r"sleeper ended with status -9"):
        stack.start(waits)


def test_the_end_of_a_log_is_that_of_the_last_process(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for text in ("first", "second"):
        with Child("x", [sys.executable, "-c", f"print({text!r})"], log) as child:
            child.process.wait(60)
    assert log.read_text() == "first\nsecond\n"
    assert child.tail() == "second"


def test_a_signal_to_the_group_of_a_parent_does_not_reach_its_children(tmp_path: Path) -> None:
    with Child("x", SLEEPER, tmp_path / "log") as child:
        assert os.getpgid(child.pid) == child.pid != os.getpgid(0)


def test_dead_children_and_the_ends_of_their_logs_are_returned(tmp_path: Path, stack: Stack) -> None:
    stack.start(sleeper(tmp_path))
    child = stack.children["sleeper"]
    child.signal(signal.SIGKILL)
    wait_for_death(child)
    assert stack.dead() == [child]
    assert "--- sleeper\nhere" in stack.tails()


def test_a_dead_child_is_restarted_after_a_growing_delay(tmp_path: Path, stack: Stack) -> None:
    said: list[str] = []
    stack.start(sleeper(tmp_path))
    restarter = Restarter(stack, said.append)
    for now, wait in ((100.0, 1), (102.0, 2)):
        child = stack.children["sleeper"]
        child.kill()
        restarter.tick(now)
        assert said[-1] == f"sleeper ended with status -9; restarting it in {wait} s"
        restarter.tick(now + wait - 0.1)
        assert stack.children["sleeper"] is child
        restarter.tick(now + wait)
        assert stack.children["sleeper"].alive


def test_the_delay_doubles_up_to_its_limit_and_is_reset_after_a_quiet_minute() -> None:
    backoff, now, waits = RestartDelay(limit=8), 0.0, []
    for _ in range(5):
        at = backoff.after_death(now)
        waits.append(at - now)
        now = at + 1
    assert waits == [1, 2, 4, 8, 8]
    assert backoff.after_death(now + 61) == now + 62


def test_a_child_dies_with_the_parent_that_is_killed(tmp_path: Path) -> None:
    program = f"""
import signal
from pathlib import Path
from glidepath_ops.local.child_process import Child
child = Child("sleeper", {SLEEPER!r}, Path({str(tmp_path / "log")!r}))
Path({str(tmp_path / "pid")!r}).write_text(str(child.pid))
print("here", flush=True)
signal.pause()
"""
    with Child("parent", [sys.executable, "-c", program], tmp_path / "parent.log") as parent:
        parent.wait_until(lambda: "here" in (tmp_path / "parent.log").read_text())
        stat = Path(f"/proc/{(tmp_path / 'pid').read_text()}/stat")
        assert stat.exists()
        parent.kill()
        deadline = time.monotonic() + 10
        while stat.exists() and stat.read_text().split()[2] != "Z":
            assert time.monotonic() < deadline


def test_a_lower_priority_is_passed_on(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Child("nice", [sys.executable, "-c", "import os; print(os.nice(0))"], log, nice=7) as child:
        child.process.wait(60)
    assert int(log.read_text()) == min(os.nice(0) + 7, 19)


def test_a_written_configuration_is_read_back_equal(tmp_path: Path, valid_yaml: str) -> None:
    config = parse_config(valid_yaml)
    write_config(config, tmp_path / "x" / "glidepath.yaml")
    assert load_config(tmp_path / "x" / "glidepath.yaml") == config


def test_with_addresses_changes_only_the_addresses(valid_yaml: str) -> None:
    config = parse_config(valid_yaml + "envoy: {listen: 127.0.0.1:8000}\n")
    changed = with_addresses(config, admin="http://127.0.0.1:9901", redis="redis://127.0.0.1:6390/0")
    assert changed.envoy.admin == ("http://127.0.0.1:9901",)
    assert changed.envoy.listen == "127.0.0.1:8000"
    assert changed.redis.url == "redis://127.0.0.1:6390/0"
    assert changed.digest("chat") == config.digest("chat")
    assert with_addresses(config) == config


def test_a_written_configuration_is_read_back_equal_if_a_key_is_a_python_keyword(
    tmp_path: Path, valid_yaml: str
) -> None:
    schema = "    scoring: {extraction: {schema: {type: object}}}\n"
    config = parse_config(valid_yaml + schema)
    write_config(with_addresses(config, admin="http://127.0.0.1:1"), tmp_path / "glidepath.yaml")
    assert load_config(tmp_path / "glidepath.yaml").workloads == config.workloads
