"""Tests of the demo's plans and configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from glidepath import runtime_keys
from glidepath_ops.demo.backend_processes import backend_services
from glidepath_ops.demo.demo_settings import DemoPlan, Ports, demo_config, llm_plan, written_plan
from glidepath_ops.demo.llama_server import check_installed, model_file
from glidepath_ops.local.child_process import free_ports
from glidepath_ops.local.curl_examples import example_lines

PORTS = Ports(*range(20001, 20008))


@pytest.mark.parametrize("plan", [written_plan(), llm_plan()])
def test_a_plan_is_a_valid_configuration_on_loopback(plan: DemoPlan, tmp_path: Path) -> None:
    config = demo_config(plan, PORTS, tmp_path)
    workload = config.workload("chat")
    assert workload.fallback
    assert workload.ramp.steps[-1] == 100
    addresses = [config.envoy.listen, config.extproc.metrics, config.scorer.metrics]
    assert all(address.startswith("127.0.0.1:") for address in addresses)
    assert all(url.startswith("http://127.0.0.1:") for url in config.envoy.admin)
    assert config.envoy.shadow_listen == f"unix:{tmp_path}/shadow.sock"


@pytest.mark.parametrize("plan", [written_plan(), llm_plan()])
def test_the_demo_ends_within_three_minutes_however_slow_the_machine_is(plan: DemoPlan) -> None:
    assert plan.limit_s <= 170


def test_the_curl_examples_name_the_runtime_keys(tmp_path: Path) -> None:
    lines = "\n".join(example_lines(demo_config(written_plan(), PORTS, tmp_path), tmp_path / "glidepath.yaml"))
    for key in (
        runtime_keys.weight_key("chat", "onprem-or-cloud")
        + "=0&"
        + runtime_keys.weight_key("chat", "cloud")
        + "=10000",
        runtime_keys.shadow_key("chat") + "=10",
        runtime_keys.autopilot_key("chat") + "=1",
        "http://127.0.0.1:20002/runtime",
        f"glidepath status -c {tmp_path}/glidepath.yaml",
    ):
        assert key in lines


def test_the_llm_is_found_where_it_is_installed() -> None:
    check_installed()
    assert model_file().stat().st_size > 50_000_000


@pytest.mark.process
def test_both_backends_start_and_answer(tmp_path: Path) -> None:
    from glidepath_ops.local.stack import Stack

    ports = Ports(*free_ports(7))
    with Stack() as stack:
        stack.start(*backend_services(written_plan(), ports, tmp_path))
        assert stack.dead() == []
