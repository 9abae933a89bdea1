"""The committed Envoy files of docker-compose.yml and deploy/kubernetes equal the rendered ones."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from glidepath.config import load_config
from glidepath_ops.envoyconfig.bootstrap import render_bootstrap
from glidepath_ops.envoyconfig.write_examples import deployed
from tests.support import quick_yaml
from tests.support.accepted_bootstrap import assert_accepted

ROOT = Path(__file__).parents[2]
DEPLOYED = (ROOT / "envoy" / "demo" / "envoy.yaml", ROOT / "deploy" / "kubernetes" / "example" / "envoy.yaml")


@cache
def rendered() -> dict[Path, str]:
    return deployed(ROOT / "envoy")


def parent(path: Path) -> str:
    return path.parent.name


def test_both_files_are_rendered_ones() -> None:
    assert set(rendered()) == set(DEPLOYED)


@pytest.mark.parametrize("path", DEPLOYED, ids=parent)
def test_the_committed_file_equals_the_rendered_one(path: Path) -> None:
    assert path.read_text() == rendered()[path], "run: make render-examples"


@pytest.mark.process
@pytest.mark.parametrize("path", DEPLOYED, ids=parent)
def test_envoy_accepts_the_file(path: Path, tmp_path: Path) -> None:
    assert_accepted(path, tmp_path, secrets="/run/secrets/glidepath/backends", key="cloud")


def test_in_kubernetes_only_the_pod_itself_reaches_the_admin_api() -> None:
    bootstrap = quick_yaml.safe_load((ROOT / "deploy" / "kubernetes" / "example" / "envoy.yaml").read_text())
    assert bootstrap["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"


def test_in_the_compose_stack_extproc_has_less_of_the_processor_than_envoy_and_is_bounded() -> None:
    services = quick_yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    shares = {name: services[name].get("cpu_shares", 1024) for name in ("envoy", "extproc")}  # Docker's default
    assert shares["extproc"] < shares["envoy"]
    assert services["extproc"]["cpus"] < services["envoy"]["cpus"]


def rtds_cluster(envoy: dict[str, Any]) -> dict[str, Any]:
    config = load_config(ROOT / "deploy" / "kubernetes" / "base" / "glidepath.yaml")
    config = config.model_copy(update={"envoy": config.envoy.model_copy(update=envoy)})
    clusters = render_bootstrap(config)["static_resources"]["clusters"]
    return next(one for one in clusters if one["name"] == "glidepath-rtds")


def test_envoy_finds_the_leader_behind_the_name_of_all_scorers() -> None:
    cluster = rtds_cluster({"rtds_address": "scorers:18010"})
    assert (cluster["type"], cluster["health_checks"][0]["tcp_health_check"]) == ("STRICT_DNS", {})
    assert cluster["common_lb_config"] == {"healthy_panic_threshold": {"value": 0}}
    assert cluster["close_connections_on_host_health_failure"] is True


def test_envoy_reconnects_within_a_second_after_the_leader_has_gone() -> None:
    bootstrap = quick_yaml.safe_load((ROOT / "deploy" / "kubernetes" / "example" / "envoy.yaml").read_text())
    layer = next(one["rtds_layer"] for one in bootstrap["layered_runtime"]["layers"] if "rtds_layer" in one)
    service = layer["rtds_config"]["api_config_source"]["grpc_services"][0]["envoy_grpc"]
    assert service["retry_policy"]["retry_back_off"]["max_interval"] == "1s"


def test_without_rtds_address_envoy_connects_to_rtds_listen() -> None:
    cluster = rtds_cluster({"rtds_address": None})
    endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    assert endpoint["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": 18010}
    assert "health_checks" not in cluster
