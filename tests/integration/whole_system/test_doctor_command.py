"""Tests of `glidepath doctor` on a real Envoy and a real Redis."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import yaml

from glidepath_ops.doctor.checks import examine
from glidepath_ops.doctor.facts import Severity
from glidepath_ops.doctor.gather_facts import gather, gather_envoy
from tests.support.envoy_with_backends import envoy_with_backends
from tests.support.running_envoy import running_envoy
from tests.support.waiting import eventually


async def test_a_running_envoy_has_no_failing_check_once_traffic_flows(tmp_path: Path, redis_url: str) -> None:
    async with envoy_with_backends(tmp_path, redis={"url": redis_url}) as setup:
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
