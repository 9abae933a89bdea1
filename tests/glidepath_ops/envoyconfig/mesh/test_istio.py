"""Tests of the EnvoyFilters: against their schema, and applied to configuration as Istio generates it."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from cloudcoil.models.istio.networking.v1alpha3 import EnvoyFilter

from glidepath.config import Config
from glidepath.errors import InputError
from glidepath_ops.envoyconfig.commented_yaml import to_yaml, without_comments
from glidepath_ops.envoyconfig.mesh.istio import Context, IstioTarget, istio_pod, istio_resources
from glidepath_ops.envoyconfig.validation import check_splits, check_strict, check_with_envoy
from tests.support.meshes import istio_emulation
from tests.support.meshes.mesh_with_backends import istio_xds, mesh_config
from tests.support.meshes.static_bootstrap import endpoint, static_bootstrap

TEXT = {
    "backends": {
        "cloud": {"url": "http://127.0.0.1:9001", "credential": {"env": "KEY"}},
        "onprem": {"url": "http://127.0.0.1:9002"},
    },
    "workloads": {
        "chat": {"match": {"path": "/v1/chat/completions"}, "baseline": "cloud", "candidate": "onprem"},
        "all": {"match": {"path_prefix": "/v1"}, "baseline": "cloud", "candidate": "onprem", "fallback": False},
    },
}
SERVICE = "http://127.0.0.1:9003"
SIDECAR = IstioTarget(context="sidecar", selector={"app": "a"}, virtual_host="llm.models.svc.cluster.local:8000")
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "gateway"},
    "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": {}}},
}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return mesh_config(TEXT, 10901, tmp_path / "extproc.sock")


@pytest.mark.parametrize("place", [IstioTarget(), IstioTarget(port=8080, virtual_host="*:80"), SIDECAR])
def test_every_field_is_in_the_crd(config: Config, place: IstioTarget) -> None:
    resources = without_comments(istio_resources(config, place))
    assert [one["metadata"]["name"] for one in resources] == ["glidepath", "glidepath-runtime"]
    for one in resources:
        assert EnvoyFilter.model_validate(one).model_dump(by_alias=True, exclude_unset=True) == one


def test_the_check_against_the_crd_can_fail(config: Config) -> None:
    one = deepcopy(without_comments(istio_resources(config, IstioTarget()))[0])
    one["spec"]["configPatches"][0]["match"]["listenr"] = {}
    assert EnvoyFilter.model_validate(one).model_dump(by_alias=True, exclude_unset=True) != one


@pytest.mark.process
@pytest.mark.parametrize("context", ["gateway", "sidecar"])
def test_envoy_accepts_the_configuration_that_istio_generates(config: Config, context: Context, tmp_path: Path) -> None:
    bootstrap = static_bootstrap(istio_xds(config, context, 8080, SERVICE), "127.0.0.1:15000")
    check_strict(bootstrap)
    assert check_splits(bootstrap) == ["chat", "all"]
    path = tmp_path / "envoy.yaml"
    path.write_text(to_yaml(bootstrap))
    assert check_with_envoy(path)


def test_glidepath_routes_are_first_and_in_order_and_the_users_routes_stay(config: Config) -> None:
    before = istio_emulation.gateway(8080, endpoint(SERVICE))
    after = istio_xds(config, "gateway", 8080, SERVICE)
    for old, new in zip(before.routes[0]["virtual_hosts"], after.routes[0]["virtual_hosts"], strict=True):
        names = [route["name"] for route in new["routes"]]
        assert names[:4] == [f"glidepath/{w}/{kind}" for w in ("chat", "all") for kind in ("captured", "plain")]
        assert new["routes"][4:] == old["routes"]
        assert {**new, "routes": []} == {**old, "routes": []}


def test_in_a_sidecar_only_the_named_virtual_host_is_changed(config: Config) -> None:
    before, after = istio_emulation.sidecar(8000, endpoint(SERVICE)), istio_xds(config, "sidecar", 8000, SERVICE)
    changed = [
        new["name"]
        for old, new in zip(before.routes[0]["virtual_hosts"], after.routes[0]["virtual_hosts"], strict=True)
        if old != new
    ]
    assert changed == ["llm.models.svc.cluster.local:8000"]


def test_a_port_limits_filters_and_log_to_its_listener(config: Config) -> None:
    labels = {"istio": "ingressgateway"}
    for port, changed in ((8080, True), (8443, False)):
        before, after = (
            istio_emulation.gateway(8080, endpoint(SERVICE)),
            istio_emulation.gateway(8080, endpoint(SERVICE)),
        )
        istio_emulation.apply(
            after, "GATEWAY", without_comments(istio_resources(config, IstioTarget(port=port))), labels
        )
        assert (after.listeners[0] != before.listeners[0]) is changed


@pytest.mark.parametrize("context", ["gateway", "sidecar"])
def test_the_users_filters_logs_and_clusters_stay_and_glidepath_filters_are_disabled(
    config: Config, context: Context
) -> None:
    shape = istio_emulation.gateway if context == "gateway" else istio_emulation.sidecar
    before, after = shape(8080, endpoint(SERVICE)), istio_xds(config, context, 8080, SERVICE)
    old, new = manager(before.listeners[0]), manager(after.listeners[0])
    ours = [one for one in new["http_filters"] if one["name"].startswith("glidepath.")]
    assert all(one["disabled"] for one in ours)
    assert [one for one in new["http_filters"] if one not in ours] == old["http_filters"]
    assert new["http_filters"][-4:-1] == ours
    assert new["access_log"][:-1] == old["access_log"]
    assert after.clusters[: len(before.clusters)] == before.clusters


def manager(listener: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return found


def test_with_the_admin_api_as_actuator_the_bootstrap_is_unchanged(tmp_path: Path) -> None:
    config = mesh_config(TEXT, 10901, tmp_path / "extproc.sock")
    envoy = config.envoy.model_copy(update={"actuator": "admin"})
    resources = without_comments(istio_resources(config.model_copy(update={"envoy": envoy}), IstioTarget()))
    assert len(resources) == 1
    assert "BOOTSTRAP" not in {patch["applyTo"] for patch in resources[0]["spec"]["configPatches"]}


def test_the_scorers_default_address_is_the_manifests_service(tmp_path: Path) -> None:
    config = mesh_config(TEXT, 10901, tmp_path / "extproc.sock")
    envoy = config.envoy.model_copy(update={"rtds_address": None, "rtds_listen": "0.0.0.0:18010"})
    runtime = istio_resources(config.model_copy(update={"envoy": envoy}), IstioTarget())[1]
    assert "glidepath-rtds.glidepath.svc.cluster.local" in to_yaml(runtime)


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        (IstioTarget(context="sidecar"), "--workload-selector"),
        (IstioTarget(context="sidecar", selector={"app": "a"}), "--virtual-host"),
        (IstioTarget(context="waypoint"), "allowed: gateway, sidecar"),  # type: ignore[arg-type]
    ],
)
def test_a_missing_option_is_named(config: Config, place: IstioTarget, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        istio_resources(config, place)


@pytest.mark.parametrize("place", [IstioTarget(), SIDECAR])
def test_kubernetes_accepts_a_deployment_with_the_pods_patch(config: Config, place: IstioTarget) -> None:
    patch = without_comments(istio_pod(config, place))
    merged = deepcopy(DEPLOYMENT)
    istio_emulation.merge(merged, patch)
    kubernetes_validate.validate(merged, kubernetes_validate.latest_version(), strict=True)
    proxy = merged["spec"]["template"]["spec"]["containers"][0]  # type: ignore[index]
    assert proxy["env"] == [
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "glidepath-credentials", "key": "KEY"}}}
    ]
    config_text = patch["spec"]["template"]["metadata"]["annotations"]["proxy.istio.io/config"]
    assert yaml.safe_load(config_text)["proxyMetadata"] == {"BOOTSTRAP_XDS_AGENT": "true"}


def test_the_extproc_container_equals_that_of_the_manifests(config: Config) -> None:
    path = Path(__file__).parents[4] / "deploy" / "kubernetes" / "sidecar" / "extproc.yaml"
    manifest = next(yaml.safe_load_all(path.read_text()))["spec"]["template"]
    ours = without_comments(istio_pod(config, IstioTarget()))["spec"]["template"]
    assert ours["spec"]["initContainers"] == manifest["spec"]["initContainers"]
    assert ours["spec"]["volumes"] == manifest["spec"]["volumes"]
    assert ours["spec"]["securityContext"] == manifest["spec"]["securityContext"]
    assert ours["metadata"]["labels"] == manifest["metadata"]["labels"]
