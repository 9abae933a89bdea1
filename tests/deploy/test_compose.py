"""docker-compose.yml: of the containers, only the scorer reaches Envoy's admin API; this machine reaches it, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from glidepath.config import load_config
from glidepath_ops.envoyconfig.check_by_envoy import check_with_envoy
from glidepath_ops.envoyconfig.validation import check_strict
from tests.support import quick_yaml

ROOT = Path(__file__).parents[2]
Json = dict[str, Any]
COMPOSE: Json = quick_yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: Json = COMPOSE["services"]
BOOTSTRAP: Json = quick_yaml.safe_load((ROOT / "envoy" / "demo" / "envoy.yaml").read_text())
ADMIN_PORT = ROOT / "envoy" / "demo" / "admin-port.yaml"


def mounts(volume: str) -> dict[str, str]:
    found = [(name, one.split(":")) for name, service in SERVICES.items() for one in service.get("volumes", [])]
    return {name: target for name, (source, target, *_) in found if source == volume}


def test_envoy_opens_a_tcp_port_for_clients_only() -> None:
    addresses = [one["address"] for one in BOOTSTRAP["static_resources"]["listeners"]]
    ports = [
        one["socket_address"]["port_value"]
        for one in [*addresses, BOOTSTRAP["admin"]["address"]]
        if "socket_address" in one
    ]
    assert ports == [10000]
    assert SERVICES["envoy"]["ports"] == ["127.0.0.1:10000:10000"]


def test_only_envoy_the_scorer_and_the_port_for_this_machine_have_the_socket_of_the_admin_api() -> None:
    folder = str(Path(BOOTSTRAP["admin"]["address"]["pipe"]["path"]).parent)
    assert mounts("admin") == dict.fromkeys(("envoy", "scorer", "admin"), folder)
    assert load_config(ROOT / "envoy" / "demo" / "glidepath.yaml").envoy.admin == (f"unix:{folder}/admin.sock",)


def test_the_port_for_this_machine_is_on_loopback_and_on_a_network_of_its_own() -> None:
    admin = SERVICES["admin"]
    assert admin["ports"] == ["127.0.0.1:9901:9901"]
    shared = {name for name, one in SERVICES.items() if set(one["networks"]) & set(admin["networks"])}
    assert shared == {"admin"}


def test_the_port_for_this_machine_leads_to_the_socket() -> None:
    rendered = quick_yaml.safe_load(ADMIN_PORT.read_text())["static_resources"]
    (endpoint,) = rendered["clusters"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"]
    assert endpoint["endpoint"]["address"] == BOOTSTRAP["admin"]["address"]


@pytest.mark.process
def test_envoy_accepts_the_file_of_the_port() -> None:
    check_strict(quick_yaml.safe_load(ADMIN_PORT.read_text()))
    assert check_with_envoy(ADMIN_PORT)


@pytest.mark.parametrize(("service", "network"), [("load", "edge"), ("cloud", "backends"), ("onprem", "backends")])
def test_a_client_and_a_backend_have_one_network(service: str, network: str) -> None:
    assert SERVICES[service]["networks"] == [network]


def test_clients_and_backends_share_no_network_with_redis_the_scorer_or_extproc() -> None:
    own = {network for name in ("redis", "scorer", "extproc") for network in SERVICES[name]["networks"]}
    assert own == {"control"}
    assert "control" not in SERVICES["envoy"]["networks"]
    assert COMPOSE["networks"]["control"] == {"internal": True}


def test_the_console_is_on_loopback_with_a_token_and_reaches_redis_but_no_backend() -> None:
    console = SERVICES["console"]
    section = load_config(ROOT / "envoy" / "demo" / "glidepath.yaml").console
    assert console["ports"] == [f"127.0.0.1:9480:{section.listen.rpartition(':')[2]}"]
    assert section.token is not None
    assert str(section.token.file).startswith(mounts("console")["console"])
    assert console["networks"] == ["control", "console"]
    assert {name for name, one in SERVICES.items() if "console" in one["networks"]} == {"console"}
    assert console["user"] == "10001:10001"
    assert console["read_only"] is True
