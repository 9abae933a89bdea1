"""Tests of status, log and the steering commands against a real Redis and a running steering loop."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry

from glidepath.config import load_config
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import connect
from glidepath.status_and_decisions import Decision, to_json
from glidepath_ops.cli.log import lines
from glidepath_ops.cli.steering_client import actor
from glidepath_ops.local.child_process import free_ports
from scorer.steering.envoy.actuator import MemoryActuator
from scorer.steering.leader.lease import Lease
from scorer.steering.leader.redis_store import RedisSteeringStore
from scorer.steering.leader.steer_loop import SteerLoop
from scorer.steering.leader.steer_metrics import SteerMetrics
from tests.support.commands import run_process
from tests.support.scripted_evidence import ScriptedEvidenceKind


class CommandLine:
    def __init__(self, file: Path) -> None:
        self.file = file

    async def __call__(self, *arguments: str) -> tuple[int, str, str]:
        return await run_process(*arguments, config=self.file)


@pytest.fixture
def two_workloads(file: Path) -> Path:
    """Return a configuration with a second workload, batch."""
    data = yaml.safe_load(file.read_text())
    data["workloads"]["batch"] = data["workloads"]["chat"] | {"match": {"path": "/v1/batch"}}
    file.write_text(yaml.safe_dump(data))
    return file


@pytest.fixture
def redis_down(tmp_path: Path, valid_yaml: str) -> Path:
    """Return a configuration whose Redis does not run."""
    path = tmp_path / "redis_down.yaml"
    redis = {"url": f"redis://127.0.0.1:{free_ports(1)[0]}/0"}
    path.write_text(yaml.safe_dump(yaml.safe_load(valid_yaml) | {"redis": redis}))
    return path


@pytest.fixture
async def cli(file: Path) -> AsyncIterator[CommandLine]:
    """Yield a CLI beside a steering loop with one Envoy in memory."""
    config = load_config(file)
    redis, stop = connect(config.redis), asyncio.Event()
    store = RedisSteeringStore(redis, cluster=False, log_retention=1000)
    actuator = MemoryActuator()
    metrics = SteerMetrics(CollectorRegistry())
    loop = SteerLoop(config, store, Lease(redis, "me", 3), lambda _: actuator, ScriptedEvidenceKind(), metrics)
    async with asyncio.TaskGroup() as group:
        group.create_task(loop.run(stop))
        yield CommandLine(file)
        stop.set()
    await redis.aclose()


async def test_the_steering_commands_act_in_sequence(cli: CommandLine) -> None:
    status, out, _ = await cli("hold", "chat", "--reason", "lunch")
    assert (status, out) == (0, "chat: hold, 0 %, now held: lunch\n")
    assert (await cli("hold", "chat"))[0] == 0  # repeating it changes nothing
    status, _, err = await cli("approve", "chat")
    assert status == 2
    assert "approve chat: no step waits for approval" in err
    assert (await cli("resume", "chat"))[1] == "chat: resume, 0 %, now shadow: no reason given\n"
    status, out, _ = await cli("promote", "chat", "--json")
    assert (json.loads(out)["to_percent"], json.loads(out)["phase"]) == (1, "baking")
    _, out, _ = await cli("status")
    assert "chat" in out
    assert "1 of 1" in out
    assert "agreement" in out
    _, out, _ = await cli("status", "--json", "--workload", "chat")
    assert json.loads(out)["chat"]["percent"] == 1
    assert (await cli("rollback", "chat"))[0] == 0
    status, _, err = await cli("retry", "chat")
    assert status == 2
    assert "--force retries now" in err
    assert (await cli("abort", "chat", "--reason", "enough"))[0] == 0
    status, out, _ = await cli("log", "--json")
    decisions = [json.loads(line) for line in out.splitlines()]
    assert [d["event"] for d in decisions if d["actor"] != "glidepath"] == [
        "hold",
        "hold",
        "refused",
        "resume",
        "promote",
        "rollback",
        "refused",
        "abort",
    ]
    assert (await cli("log", "annotate", decisions[-1]["id"], "--cause", "a bad GPU"))[0] == 0
    _, out, _ = await cli("log")
    assert "cause: a bad GPU" in out


async def test_the_shadow_share_is_set_shown_and_reset(cli: CommandLine) -> None:
    status, out, _ = await cli("shadow", "chat", "10%", "--reason", "quota")
    line = "chat: shadow, candidate at 0 %, now shadow: copies 10 % of the requests: quota\n"
    assert (status, out) == (0, line)
    _, out, _ = await cli("status", "--json")
    assert "a person set the shadow share to 10 % (configured: 100 %)" in json.loads(out)["chat"]["message"]
    assert "copies the configured share of the requests" in (await cli("shadow", "chat", "auto"))[1]
    for share in ("101", "nan", "some"):
        status, _, err = await cli("shadow", "chat", share)
        assert status == 2
        assert f"shadow {share}: must be a percent from 0 to 100, such as 5 or 0.5%; or auto" in err
    _, out, _ = await cli("log", "--json")
    decisions = [json.loads(line) for line in out.splitlines()]
    assert [(d["event"], d["details"].get("shadow_percent")) for d in decisions] == [("shadow", 10), ("shadow", None)]
    assert decisions[0]["actor"] == actor()


async def test_a_decision_id_can_be_abbreviated_to_its_time_and_is_stored_in_full(cli: CommandLine) -> None:
    _, out, _ = await cli("hold", "chat", "--json")
    named = json.loads(out)["id"]
    status, out, _ = await cli("log", "annotate", f"00{named.partition('-')[0]}", "--cause", "not\nhungry")
    assert (status, out.startswith(f"chat: annotate {named}, 0 %, now held: not")) == (0, True)
    _, out, _ = await cli("log")
    assert "    cause: not hungry\n" in out
    assert f"chat: annotate {named}, 0 %, now held, by " in out
    _, out, _ = await cli("log", "--json")
    assert json.loads(out.splitlines()[-1])["details"]["target"] == named


async def test_a_hold_without_a_reason_is_shown_without_one(cli: CommandLine) -> None:
    assert (await cli("hold", "chat"))[1] == "chat: hold, 0 %, now held: no reason given\n"
    _, out, _ = await cli("status", "--json")
    assert json.loads(out)["chat"]["message"] == f"held by {actor()}; `glidepath resume chat` to continue"


async def test_a_validation_is_ended_only_by_the_option_for_it(cli: CommandLine) -> None:
    status, _, err = await cli("promote", "chat", "--end-validation")
    assert status == 2
    assert "there is no validation to end; the workload is shadow" in err


async def test_mistakes_are_one_line_and_exit_2(cli: CommandLine) -> None:
    for arguments, words in [
        (("status", "--workload", "nope"), "unknown workload 'nope' (allowed: chat)"),
        (("promote", "nope"), "unknown workload 'nope' (allowed: chat)"),
        (("approve", "chat"), "no step waits for approval"),
        (("log", "annotate", "soon", "--cause", "x"), "is not the id of a decision"),
        (("log", "annotate", "1-1", "--cause", "x"), "no decision 1-1 in the log of chat"),
        (("log", "annotate", "1", "--cause", "x"), "no decision 1 in the log of chat"),
        (("log", "annotate", "²-1", "--cause", "x"), "'²-1' is not the id of a decision (`glidepath log` shows them"),
        (("log", "annotate", "9" * 21 + "-0", "--cause", "x"), "is not the id of a decision"),
        (("log", "annotate", str(2**64), "--cause", "x"), "is not the id of a decision"),
        (("log", "annotate", "1-1", "--cause", " "), "--cause: is empty"),
    ]:
        status, out, err = await cli(*arguments)
        assert (status, out) == (2, "")
        assert words in err
        assert err.count("\n") == 1


async def test_infinite_and_negative_numbers_are_refused(cli: CommandLine) -> None:
    for option in ("--wait", "--percent"):
        for value in ("inf", "nan", "-1"):
            status, out, err = await cli("promote", "chat", f"{option}={value}")
            assert (status, out) == (2, "")
            assert option in err


async def test_without_a_scorer_a_command_reports_it_and_stays_queued(file: Path) -> None:
    cli, config = CommandLine(file), load_config(file)
    status, _, err = await cli("hold", "chat", "--wait", "200ms")
    assert status == 2
    assert "no scorer acted on the command within 0.2 s" in err
    assert (await cli("resume", "chat", "--no-wait"))[0] == 0
    _, out, _ = await cli("status")
    assert "no scorer has steered it yet" in out
    redis = connect(config.redis)
    assert await redis.xlen(WorkloadKeys("chat").commands) == 2
    await redis.aclose()


@pytest.mark.process
async def test_an_unreachable_redis_is_one_line_and_exit_2(redis_down: Path) -> None:
    for arguments in (("status",), ("hold", "chat"), ("log",), ("scorer",)):
        status, _, err = await CommandLine(redis_down)(*arguments)
        assert status == 2
        assert "redis.url" in err
        assert err.count("\n") == 1


@pytest.mark.process
async def test_a_server_that_is_not_redis_is_one_line_with_its_place(tmp_path: Path, valid_yaml: str) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    file = tmp_path / "web.yaml"
    data = yaml.safe_load(valid_yaml) | {"redis": {"url": f"redis://127.0.0.1:{port}/0"}}
    file.write_text(yaml.safe_dump(data))
    line = file.read_text().splitlines().index("redis:") + 2
    async with server:
        for arguments in (("status",), ("rollback", "chat"), ("scorer",)):
            status, _, err = await CommandLine(file)(*arguments)
            assert status == 2
            assert err.startswith(f"glidepath: {file}:{line}: redis.url: redis://127.0.0.1:{port}/0: no usable Redis")
            assert err.count("\n") == 1


def test_a_cause_is_shown_only_at_the_decision_of_its_workload() -> None:
    def decision(workload: str, event: str, entry: str, **details: str) -> Decision:
        return Decision(0, workload, event, 0, 0, "shadow", f"why {workload}", details=details, id=entry)

    shown = lines(
        [
            decision("chat", "fail", "5-0"),
            decision("batch", "fail", "5-0"),
            decision("chat", "annotate", "6-0", target="5-0"),
        ]
    )
    assert [line.strip() for line in shown if "cause" in line] == ["cause: why chat"]
    assert shown.index("    cause: why chat") == 2


async def test_an_ambiguous_id_is_refused(two_workloads: Path) -> None:
    redis = connect(load_config(two_workloads).redis)
    for name in ("chat", "batch"):
        await redis.xadd(WorkloadKeys(name).log, {"d": "{}"}, id="5-0")
    await redis.aclose()
    status, _, err = await CommandLine(two_workloads)("log", "annotate", "5", "--cause", "x")
    assert status == 2
    assert "several decisions have this id; choose one with --workload (5-0 of " in err


async def test_the_log_of_a_workload_that_has_left_the_configuration_can_be_read(two_workloads: Path) -> None:
    redis = connect(load_config(two_workloads).redis)
    logged = Decision(0, "gone", "rollback", 50, 0, "baking", "too slow")
    await redis.xadd(WorkloadKeys("gone").log, {"d": to_json(logged)}, id="5-0")
    await redis.aclose()
    cli = CommandLine(two_workloads)
    assert "too slow" in (await cli("log", "-w", "gone"))[1]
    status, out, err = await cli("log", "-w", "never")
    assert (status, out) == (2, "")
    assert "never" in err
    assert "chat" in err


def test_a_user_id_without_a_name_can_steer() -> None:
    def no_user_name() -> str:
        raise KeyError("getpwuid(): uid not found: 54321")

    assert actor(no_user_name) == f"uid-{os.getuid()}@{socket.gethostname()}"
