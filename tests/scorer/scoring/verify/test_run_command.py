"""A verifier's command runs with limits, without a shell, and without the scorer's secrets."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from pathlib import Path

import pytest

from scorer.scoring.verify.limit_and_exec import MAX_FILE
from scorer.scoring.verify.run_command import MAX_OUTPUT, CommandLimits, NoResultError, environment, run_command
from tests.support.waiting import eventually

pytestmark = pytest.mark.process
ROOMY = CommandLimits(30, 2**30)
LINGERS = "import time; time.sleep(60)"


def python(code: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-S", "-c", code, *arguments)


async def reason(command: tuple[str, ...], limits: CommandLimits = ROOMY, data: bytes = b"x") -> str:
    with pytest.raises(NoResultError) as found:
        await run_command(command, data, limits)
    return str(found.value)


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


async def test_the_command_gets_stdin_and_its_stdout_is_the_result() -> None:
    data = os.urandom(300_000)
    code = "import sys; data = sys.stdin.buffer.read(); print(len(data))"
    assert await run_command(python(code), data, ROOMY) == b"300000\n"


async def test_no_shell_reads_the_arguments() -> None:
    code = "import sys; print(sys.argv[1])"
    assert await run_command(python(code, "$(id); `id` *"), b"", ROOMY) == b"$(id); `id` *\n"


async def test_a_command_that_reads_nothing_has_a_result_nevertheless() -> None:
    assert await run_command(python("print(1)"), b"x" * 1_000_000, ROOMY) == b"1\n"


async def test_the_environment_has_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "s3cret")
    monkeypatch.setenv("REDIS_PASSWORD", "s3cret")
    output = await run_command(python("import os; print(dict(os.environ))"), b"", ROOMY)
    assert b"s3cret" not in output
    assert b"PATH" in output
    assert environment({"PATH": "/bin", "AWS_SECRET_ACCESS_KEY": "x", "LANG": "C"}) == {"PATH": "/bin", "LANG": "C"}


async def test_a_command_that_takes_too_long_is_killed_with_its_children(tmp_path: Path) -> None:
    started = tmp_path / "child"
    code = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-S', '-c', '{LINGERS}'])\n"
        f"open({str(started)!r}, 'w').write(str(child.pid))\n"
        "child.wait()"
    )
    assert await reason(python(code), CommandLimits(3, 2**30)) == "timeout"
    await eventually(lambda: not alive(int(started.read_text())))


async def test_a_child_that_holds_the_output_open_does_not_outlive_the_command(tmp_path: Path) -> None:
    started = tmp_path / "child"
    code = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-S', '-c', '{LINGERS}'])\n"
        f"open({str(started)!r}, 'w').write(str(child.pid))"
    )
    assert await reason(python(code), CommandLimits(3, 2**30)) == "timeout"
    await eventually(lambda: not alive(int(started.read_text())))


async def test_a_background_child_without_the_output_does_not_outlive_a_command_that_ends_well(tmp_path: Path) -> None:
    started = tmp_path / "child"
    code = (
        "import subprocess as s, sys\n"
        f"child = s.Popen([sys.executable, '-S', '-c', '{LINGERS}'], stdin=s.DEVNULL, stdout=s.DEVNULL)\n"
        f"open({str(started)!r}, 'w').write(str(child.pid))\n"
        "print(1)"
    )
    assert await run_command(python(code), b"", ROOMY) == b"1\n"
    await eventually(lambda: not alive(int(started.read_text())))


async def test_the_size_of_a_file_is_limited_and_a_broken_pipe_ends_a_command() -> None:
    code = "import resource as r; print(r.getrlimit(r.RLIMIT_FSIZE))"
    assert await run_command(python(code), b"", ROOMY) == f"({MAX_FILE}, {MAX_FILE})\n".encode()
    shell = "grep SigIgn /proc/self/status"
    output = await run_command(("/bin/sh", "-c", shell), b"", ROOMY)
    ignored = int(output.split()[1], 16)
    assert not [s for s in (signal.SIGPIPE, signal.SIGXFSZ) if ignored >> (s - 1) & 1]


async def test_more_memory_than_allowed_is_no_result() -> None:
    code = "x = bytearray(600 * 2**20); print(len(x))"
    assert await run_command(python(code), b"", CommandLimits(30, 2**31)) == b"629145600\n"
    assert await reason(python(code), CommandLimits(30, 2**29)) in ("exit", "killed")


async def test_processor_time_is_limited_even_if_the_scorer_does_not_wait() -> None:
    code = "import resource as r; print(r.getrlimit(r.RLIMIT_CPU)[1], r.getrlimit(r.RLIMIT_CORE))"
    assert await run_command(python(code), b"", CommandLimits(7.5, 2**30)) == b"9 (0, 0)\n"
    timer = "import signal; print(0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 8.5)"
    assert await run_command(python(timer), b"", CommandLimits(7.5, 2**30)) == b"True\n"


@pytest.mark.parametrize("writes", [f"print('x' * {16 * MAX_OUTPUT})", "while True: print('x' * 65536)"])
async def test_an_output_without_end_is_no_result_and_is_not_waited_for(writes: str) -> None:
    async with asyncio.timeout(60):
        assert await reason(python(writes)) == "output"


async def test_a_child_outside_the_group_that_holds_the_unread_input_open_is_not_waited_for(tmp_path: Path) -> None:
    started = tmp_path / "child"
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen(['sleep', '60'], stdout=subprocess.DEVNULL, start_new_session=True)\n"
        f"open({str(started)!r}, 'w').write(str(child.pid))\n"
        "time.sleep(60)"
    )
    try:
        async with asyncio.timeout(50):
            assert await reason(python(code), CommandLimits(3, 2**30), b"x" * 10_000_000) == "timeout"
        assert alive(int(started.read_text()))
    finally:
        os.kill(int(started.read_text()), signal.SIGKILL)


def test_a_command_that_times_out_with_a_background_child_leaves_nothing_to_an_ended_event_loop(
    capfd: pytest.CaptureFixture[str],
) -> None:
    command = python("import subprocess; subprocess.Popen(['setsid', 'sleep', '5'])")
    with pytest.raises(NoResultError, match="timeout"):
        asyncio.run(run_command(command, b"", CommandLimits(0.5, ROOMY.memory)))
    gc.collect()
    assert "Event loop is closed" not in capfd.readouterr().err


async def test_a_long_output_is_no_result() -> None:
    assert await reason(python(f"print('x' * {MAX_OUTPUT})")) == "output"
    assert len(await run_command(python(f"print('x' * {MAX_OUTPUT - 1})"), b"", ROOMY)) == MAX_OUTPUT


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (python("raise SystemExit(3)"), "exit"),
        (python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"), "killed"),
        (("/nonexistent/verify",), "not_started"),
        (("/etc/hostname",), "not_started"),
    ],
)
async def test_a_command_that_fails_is_no_result(command: tuple[str, ...], expected: str) -> None:
    assert await reason(command) == expected
