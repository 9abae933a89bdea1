"""Tests of the resources for Envoy Gateway: their fields, and their effect on the xDS that it generates."""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest

from glidepath.config import Config
from glidepath.errors import ConfigError, InputError
from glidepath_ops.envoyconfig import filters
from glidepath_ops.envoyconfig.commented_yaml import to_yaml, without_comments
from glidepath_ops.envoyconfig.mesh.envoy_gateway import Capture, GatewayTarget, gateway_resources
from glidepath_ops.envoyconfig.validation import check_splits, check_strict, check_with_envoy
from tests.support.meshes import envoy_gateway_emulation
from tests.support.meshes.crd_schemas import SCHEMAS
from tests.support.meshes.mesh_with_backends import gateway_xds, mesh_config
from tests.support.meshes.static_bootstrap import endpoint, static_bootstrap
from tests.support.tls_certificate import make_certificate

pytestmark = pytest.mark.process

TEXT: dict[str, Any] = {
    "backends": {
        "cloud": {"url": "https://api.example.com", "credential": {"env": "KEY"}, "ca_file": "CA"},
        "onprem": {"url": "http://127.0.0.1:9002"},
    },
    "workloads": {
        "chat": {"match": {"path": "/v1/chat/completions"}, "baseline": "cloud", "candidate": "onprem"},
        "team": {
            "match": {"path_prefix": "/v1", "host": "llm.example.com", "headers": {"X-Kind": "batch"}},
            "baseline": "onprem",
            "candidate": "cloud",
            "fallback": False,
        },
    },
}
SERVICE = "http://127.0.0.1:9003"
CAPTURES: tuple[Capture, ...] = ("patch", "policy")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    text = deepcopy(TEXT)
    text["backends"]["cloud"]["ca_file"] = str(make_certificate(tmp_path, "ca.example.com")[1])
    return mesh_config(text, 10901, tmp_path / "extproc.sock")


def resources(config: Config, **place: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = without_comments(gateway_resources(config, GatewayTarget(**place)))
    return found


@pytest.mark.parametrize("capture", CAPTURES)
def test_every_field_is_in_the_api_reference(config: Config, capture: Capture) -> None:
    kinds = set()
    for one in resources(config, capture=capture):
        jsonschema.validate(one, SCHEMAS[one["kind"]])
        kinds.add(one["kind"])
    wanted = {"GatewayClass", "EnvoyProxy", "HTTPRoute", "Backend", "BackendTLSPolicy", "EnvoyPatchPolicy"}
    assert kinds == wanted | ({"EnvoyExtensionPolicy"} if capture == "policy" else set())


def test_the_policys_attributes_are_allowed_by_its_api(config: Config) -> None:
    (policy,) = envoy_gateway_emulation.of_kind(resources(config, capture="policy"), "EnvoyExtensionPolicy")
    mode = policy["spec"]["extProc"][0]["processingMode"]
    allowed = r"(connection\.|source\.|destination\.|request\.|response\.|upstream\.|xds\.route_)[a-z_1-9]*"
    names = mode["request"]["attributes"] + mode["response"]["attributes"]
    assert [name for name in names if not re.fullmatch(allowed, name)] == []
    assert set(filters.RESPONSE_ATTRIBUTES) - set(names) == {"xds.cluster_name"}


@pytest.mark.parametrize("capture", CAPTURES)
@pytest.mark.parametrize("tls_chain", [False, True])
def test_envoy_accepts_the_patched_configuration(
    config: Config, capture: Capture, tls_chain: bool, tmp_path: Path
) -> None:
    xds = gateway_xds(config, capture, 10080, SERVICE, tls_chain=tls_chain)
    bootstrap = static_bootstrap(xds, "127.0.0.1:19000")
    check_strict(bootstrap)
    assert sorted(set(check_splits(bootstrap))) == ["chat", "team"]
    path = tmp_path / "envoy.yaml"
    path.write_text(to_yaml(bootstrap))
    assert check_with_envoy(path)


@pytest.mark.parametrize("capture", CAPTURES)
def test_policies_on_glidepath_routes_stay_and_the_users_route_is_unchanged(config: Config, capture: Capture) -> None:
    place = {"capture": capture}
    before = envoy_gateway_emulation.translate(resources(config, **place), 10080, endpoint(SERVICE))
    after = gateway_xds(config, capture, 10080, SERVICE)
    old, new = before.routes[0]["virtual_hosts"], after.routes[0]["virtual_hosts"]
    for one, other in zip(old[0]["routes"], new[0]["routes"], strict=True):
        if not other["name"].startswith("glidepath/"):
            assert one == other
            continue
        assert one["typed_per_filter_config"].items() <= other["typed_per_filter_config"].items()
        assert one["match"].items() <= other["match"].items()
    names = [route["name"] for route in new[0]["routes"]]
    assert names == [
        "glidepath/chat/captured",
        "glidepath/chat/plain",
        "glidepath/team/captured",
        "glidepath/team/plain",
        "httproute/default/app/rule/0/match/0/*",
    ]


def test_the_captured_route_has_precedence_in_any_order_of_the_objects(config: Config) -> None:
    made = resources(config)
    routes = envoy_gateway_emulation.of_kind(made, "HTTPRoute")
    turned = [one for one in made if one["kind"] != "HTTPRoute"] + routes[::-1]
    first = envoy_gateway_emulation.translate(turned, 10080, endpoint(SERVICE)).routes[0]["virtual_hosts"][0]["routes"][
        0
    ]
    assert first["name"].startswith("httproute/default/glidepath-chat-captured/")


def test_runtime_layers_are_in_order_with_the_admin_layer_last(config: Config) -> None:
    layers = gateway_xds(config, "patch", 10080, SERVICE).bootstrap["layered_runtime"]["layers"]
    assert [layer["name"] for layer in layers] == ["global_config", "glidepath-file", "glidepath-fleet", "admin"]


def test_runtime_layers_are_created_if_the_bootstrap_has_none(config: Config) -> None:
    xds = envoy_gateway_emulation.translate(resources(config), 10080, endpoint(SERVICE))
    del xds.bootstrap["layered_runtime"]
    envoy_gateway_emulation.apply_proxy(xds, envoy_gateway_emulation.of_kind(resources(config), "EnvoyProxy")[0])
    assert len(xds.bootstrap["layered_runtime"]["layers"]) == 3


def test_kubernetes_accepts_the_proxys_pod(config: Config) -> None:
    (proxy,) = envoy_gateway_emulation.of_kind(resources(config), "EnvoyProxy")
    made = proxy["spec"]["provider"]["kubernetes"]["envoyDeployment"]
    spec = {
        "securityContext": made["pod"]["securityContext"],
        "volumes": made["pod"]["volumes"],
        "initContainers": made["initContainers"],
        "containers": [{"name": "envoy", "image": "envoy", **made["container"]}],
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "envoy"},
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b", **made["pod"]["labels"]}}, "spec": spec},
        },
    }
    kubernetes_validate.validate(deployment, kubernetes_validate.latest_version(), strict=True)


def test_an_invalid_kubernetes_name_is_refused(tmp_path: Path) -> None:
    text = deepcopy(TEXT)
    text["workloads"] = {"my_chat": text["workloads"]["chat"]}
    with pytest.raises(ConfigError, match=r"workloads\.my_chat: .* is not a valid Kubernetes name"):
        resources(mesh_config(text, 10901, tmp_path / "s"))


def test_capture_by_policy_needs_extproc_on_sockets(config: Config) -> None:
    extproc = config.extproc.model_copy(update={"listen": "127.0.0.1:9090"})
    with pytest.raises(InputError, match="Unix sockets"):
        resources(config.model_copy(update={"extproc": extproc}), capture="policy")


def test_the_name_of_the_xds_resources_can_be_set(config: Config) -> None:
    (policy,) = envoy_gateway_emulation.of_kind(resources(config, xds_name="tcp-80"), "EnvoyPatchPolicy")
    routes = [p for p in policy["spec"]["jsonPatches"] if p["type"].endswith("RouteConfiguration")]
    assert {patch["name"] for patch in routes} == {"tcp-80"}


# The emulated JSON patches, checked against the documented behaviour of Envoy Gateway.

ROUTES = {
    "virtual_hosts": [
        {"routes": [{"name": "httproute/default/backend/rule/0/match/0/www_test_com", "route": {"cluster": "a"}}]},
        {"routes": [{"name": "httproute/default/backend/rule/1/match/1/www_example_com", "route": {"cluster": "b"}}]},
    ]
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("..routes[?(@.name =~ 'www_example_com')]", ["/virtual_hosts/1/routes/0"]),
        ("..routes[?(@.name =~ 'www')]", ["/virtual_hosts/0/routes/0", "/virtual_hosts/1/routes/0"]),
        ("..routes[?(@.name =~ 'test')].route.cluster", ["/virtual_hosts/0/routes/0/route/cluster"]),
        ("..routes[?(@.name=='www')]", []),
        ("..routes[?(@.name =~ 'www')].absent", []),
    ],
)
def test_json_paths_are_resolved_to_pointers(path: str, found: list[str]) -> None:
    assert envoy_gateway_emulation.pointers(ROUTES, path) == found


def test_an_add_at_a_list_element_inserts_before_it_and_creates_missing_parents() -> None:
    document: dict[str, Any] = {"filters": [{"name": "a"}, {"name": "router"}]}
    envoy_gateway_emulation.patch(document, "add", "/filters/1", {"name": "ours"})
    envoy_gateway_emulation.patch(document, "add", "/logs/-", 1)
    envoy_gateway_emulation.patch(document, "add", "/deep/er/key", 2)
    assert [one["name"] for one in document["filters"]] == ["a", "ours", "router"]
    assert (document["logs"], document["deep"]) == ([1], {"er": {"key": 2}})
    with pytest.raises(KeyError):
        envoy_gateway_emulation.patch(document, "replace", "/absent/key", 3)
