"""Tests of `glidepath doctor` on a real Envoy and a real Redis."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from glidepath.config import parse_config
from glidepath.redis_keys import WorkloadKeys
from glidepath.redisio import connect
from glidepath.status_and_decisions import SideRefusal, WorkloadStatus, to_json
from glidepath_ops.doctor.checks import examine
from glidepath_ops.doctor.facts import Severity
from glidepath_ops.doctor.gather_facts import gather, gather_envoy, gather_redis
from tests.support.commands import run_process
from tests.support.envoy_with_backends import envoy_with_backends
from tests.support.running_envoy import running_envoy
from tests.support.waiting import eventually


@pytest.mark.parametrize("theirs", [(), ("cloud", "onprem")], ids=["urls", "clusters of the user's"])
async def test_a_running_envoy_has_no_failing_check_once_traffic_flows(
    tmp_path: Path, redis_url: str, theirs: tuple[str, ...]
) -> None:
    clusters: dict[str, dict[str, Any]] = {name: {} for name in theirs}
    async with envoy_with_backends(tmp_path, redis={"url": redis_url}, theirs=clusters) as setup:
        assert (await setup.post()).status == 200

        async def logged() -> bool:
            envoys, redis = await gather(setup.envoy.config)
            findings = examine(setup.envoy.config, envoys, redis)
            bad = [f for f in findings if f.level is not Severity.OK and f.subject.startswith("envoy")]
            return not [f for f in bad if "stickiness" not in f.check]

        await eventually(logged, what="no finding but the missing stickiness")


async def test_a_port_without_an_envoy_is_reported() -> None:
    facts = await gather_envoy("http://127.0.0.1:1")
    assert "does not answer" in facts.error


async def test_every_address_of_a_name_is_checked(tmp_path: Path, redis_url: str) -> None:
    async with envoy_with_backends(tmp_path, redis={"url": redis_url}) as setup:
        port = setup.envoy.admin.rpartition(":")[2]
        envoy = setup.envoy.config.envoy.model_copy(update={"admin": (f"dns://localhost:{port}", "dns://x.invalid:1")})
        found, _ = await gather(setup.envoy.config.model_copy(update={"envoy": envoy}))
        assert f"http://127.0.0.1:{port}" in [one.url for one in found if not one.error]
        assert [one.url for one in found if "cannot be resolved" in one.error] == ["dns://x.invalid:1"]


async def test_the_option_names_the_envoy_to_check(tmp_path: Path, redis_url: str, valid_yaml: str) -> None:
    with running_envoy(valid_yaml, tmp_path) as envoy:
        file = tmp_path / "glidepath.yaml"
        settings = {"redis": {"url": redis_url}, "envoy": {"admin": "http://127.0.0.1:1"}}
        file.write_text(yaml.safe_dump(yaml.safe_load(valid_yaml) | settings))
        _, out, _ = await run_process("doctor", "--json", "--envoy", envoy.admin, config=file)
        subjects = {one["subject"] for one in json.loads(out)["findings"]}
        assert {one for one in subjects if one.startswith("envoy ")} == {f"envoy {envoy.admin}"}
        status, _, errors = await run_process("doctor", "--envoy", "localhost:9901", config=file)
        assert (status, "--envoy: must be an http:// or https:// URL" in errors) == (2, True), errors


async def test_the_command_reports_and_fails_without_a_scorer(tmp_path: Path, redis_url: str, valid_yaml: str) -> None:
    with running_envoy(valid_yaml, tmp_path) as envoy:
        settings = yaml.safe_load(valid_yaml) | {"redis": {"url": redis_url}, "envoy": {"admin": envoy.admin}}
        (tmp_path / "glidepath.yaml").write_text(yaml.safe_dump(settings))
        command = ["-m", "glidepath_ops", "doctor", "--json", "-c", str(tmp_path / "glidepath.yaml")]
        pipe = asyncio.subprocess.PIPE
        doctor = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=pipe, stderr=pipe)
        out, errors = await asyncio.wait_for(doctor.communicate(), 60)
    assert doctor.returncode == 1, errors.decode()
    findings = json.loads(out)["findings"]
    failed = {f["check"] for f in findings if f["level"] == "fail"}
    assert "leader" in failed
    assert all(f["remedy"] for f in findings if f["level"] != "ok")


async def test_a_side_that_refuses_its_requests_is_read_from_the_status(redis_url: str, valid_yaml: str) -> None:
    config = parse_config(yaml.safe_dump(yaml.safe_load(valid_yaml) | {"redis": {"url": redis_url}}))
    refusal = SideRefusal("candidate", "path_not_found", "the candidate onprem answers 404", "check the path")
    status = WorkloadStatus("chat", "shadow", 0, -1, (1.0,), 1, 2, refusals=(refusal,))
    redis = connect(config.redis)
    await redis.set(WorkloadKeys("chat").status, to_json(status))
    await redis.aclose()
    assert (await gather_redis(config)).refusals == {"chat": (refusal,)}
