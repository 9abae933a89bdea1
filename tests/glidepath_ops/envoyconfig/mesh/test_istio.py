"""Tests of the EnvoyFilter: against its schema, and applied to configuration as Istio generates it."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from glidepath.config import Config
from glidepath.errors import ConfigError, InputError
from glidepath.served_digest import served_digest
from glidepath_ops.envoyconfig.check_by_envoy import check_with_envoy
from glidepath_ops.envoyconfig.commented_yaml import to_yaml, without_comments
from glidepath_ops.envoyconfig.mesh.continued_virtual_services import (
    ContinuedRoutes,
    SplitRoute,
    complete_virtual_services,
)
from glidepath_ops.envoyconfig.mesh.istio import Context, IstioTarget, istio_pod, istio_resources
from glidepath_ops.envoyconfig.validation import check_splits, check_strict
from tests.support import quick_yaml
from tests.support.commands import run_cli
from tests.support.meshes import istio_emulation
from tests.support.meshes.istio_with_backends import (
    CLUSTER,
    LLM,
    SIDECAR,
    VIRTUAL_SERVICE,
    istio_config,
    istio_xds,
    routes_to_split,
)
from tests.support.meshes.static_bootstrap import static_bootstrap

TEXT = {
    "backends": {"onprem": {"url": "http://127.0.0.1:9002", "credential": {"env": "KEY"}}},
    "workloads": {
        "chat": {
            "match": {"path": "/v1/chat/completions"},
            "baseline": "cloud",
            "candidate": "onprem",
            "sticky": {"header": "x-user"},
        },
        "all": {
            "match": {"path_prefix": "/v1"},
            "baseline": "cloud",
            "candidate": "onprem",
            "fallback": False,
            "sticky": {"random": True},
            "stateless": True,
        },
    },
}
MODEL, SERVICE = "http://127.0.0.1:9001", "http://127.0.0.1:9003"
GATEWAY = IstioTarget()
ROUTES = ContinuedRoutes([SplitRoute("chat", "glidepath-chat", "x:80/*"), SplitRoute("all", "own-name")])
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "gateway"},
    "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": {}}},
}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return istio_config(TEXT, 10901, tmp_path / "extproc.sock")


def envoy_filter(config: Config, place: IstioTarget = GATEWAY) -> dict[str, Any]:
    (found,) = without_comments(istio_resources(config, place, ROUTES))
    result: dict[str, Any] = found
    return result


def patches(resource: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [one for one in resource["spec"]["configPatches"] if one["applyTo"] == kind]


def as_in_the_crd(resource: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an EnvoyFilter that its custom resource definition has."""
    from cloudcoil.models.istio.networking.v1alpha3 import EnvoyFilter  # this takes seconds, so not in every process

    known: dict[str, Any] = EnvoyFilter.model_validate(resource).model_dump(by_alias=True, exclude_unset=True)
    return known


@pytest.mark.parametrize("place", [IstioTarget(), IstioTarget(port=8080), SIDECAR])
def test_every_field_is_in_the_crd(config: Config, place: IstioTarget) -> None:
    one = envoy_filter(config, place)
    assert as_in_the_crd(one) == one


def test_the_check_against_the_crd_can_fail(config: Config) -> None:
    one = deepcopy(envoy_filter(config))
    one["spec"]["configPatches"][0]["match"]["listenr"] = {}
    assert as_in_the_crd(one) != one


def messages_in_an_any(value: Any) -> Iterator[dict[str, Any]]:
    """Yield each JSON object that Istio reads as an Any: typed configuration, and per-route configuration."""
    if isinstance(value, list):
        for one in value:
            yield from messages_in_an_any(one)
    if isinstance(value, dict):
        for key, one in value.items():
            if key in ("typed_config", "typed_extension_protocol_options", "typed_per_filter_config"):
                # ExecuteFilterAction.typed_config is a named extension, which has an Any of its own.
                yield from [] if "typed_config" in one else [one] if key == "typed_config" else one.values()
            yield from messages_in_an_any(one)


def test_every_any_has_a_type_as_istio_demands(config: Config) -> None:
    found = list(messages_in_an_any(envoy_filter(config)))
    assert len(found) > 10
    assert [one for one in found if not one.get("@type", "").startswith("type.googleapis.com/envoy.")] == []


@pytest.mark.process
@pytest.mark.parametrize("context", ["gateway", "sidecar"])
def test_envoy_accepts_the_configuration_that_istio_generates(config: Config, context: Context, tmp_path: Path) -> None:
    bootstrap = static_bootstrap(istio_xds(config, context, 8080, MODEL, SERVICE), "127.0.0.1:15000")
    check_strict(bootstrap)
    assert set(check_splits(bootstrap)) == {"chat", "all"}
    path = tmp_path / "envoy.yaml"
    path.write_text(to_yaml(bootstrap))
    assert check_with_envoy(path)


def test_a_split_changes_only_the_destination_of_its_route(config: Config) -> None:
    before = istio_xds(config, "gateway", 8080, MODEL, SERVICE, split=False).routes[0]["virtual_hosts"][0]["routes"]
    after = istio_xds(config, "gateway", 8080, MODEL, SERVICE).routes[0]["virtual_hosts"][0]["routes"]
    names = [route["name"] for route in after]
    assert names == ["glidepath-chat", "glidepath-chat.random", "glidepath-all", "models", "pages"]
    assert after[3:] == before[3:]
    new, old = after[0], before[0]
    assert old["route"]["cluster"] == CLUSTER
    assert [one["name"] for one in new["route"]["weighted_clusters"]["clusters"]] == ["onprem-or-cloud", CLUSTER]
    kept = {key: value for key, value in old["route"].items() if key != "cluster"}
    assert kept.items() <= new["route"].items()
    for key in ("request_headers_to_add", "response_headers_to_add"):
        assert new[key] == old[key]
    has_value = {"name": "x-user", "string_match": {"exact": ""}, "invert_match": True}
    assert new["match"] == {**old["match"], "headers": [*old["match"]["headers"], has_value]}
    assert old["typed_per_filter_config"].items() <= new["typed_per_filter_config"].items()
    assert new["metadata"]["filter_metadata"] == {
        **old["metadata"]["filter_metadata"],
        "glidepath": {"workload": "chat", "served": served_digest(config, "chat")},
    }
    assert new["decorator"] == {"operation": f"{LLM}:8000/v1/*"}
    random = after[1]
    assert random["match"]["headers"][-1] == {
        "name": "x-user",
        "string_match": {"exact": ""},
        "treat_missing_header_as_empty": True,
    }
    hashed = new["route"]["weighted_clusters"]
    assert random["route"]["weighted_clusters"] == {
        key: value for key, value in hashed.items() if key != "use_hash_policy"
    }
    assert "hash_policy" not in random["route"]
    rest = ("name", "match", "route")
    assert {k: v for k, v in random.items() if k not in rest} == {k: v for k, v in new.items() if k not in rest}


def test_a_route_named_by_the_user_keeps_its_operation(config: Config) -> None:
    first, second = patches(envoy_filter(config), "HTTP_ROUTE")
    assert first["patch"]["value"]["decorator"] == {"operation": "x:80/*"}
    assert second["match"]["routeConfiguration"]["vhost"]["route"] == {"name": "own-name"}
    assert "decorator" not in second["patch"]["value"]


def test_a_sticky_workload_adds_a_hash_policy_and_another_adds_none(config: Config) -> None:
    first, second = (one["patch"]["value"]["route"] for one in patches(envoy_filter(config), "HTTP_ROUTE"))
    assert first["hash_policy"] == [{"header": {"header_name": "x-user"}}]
    assert first["weighted_clusters"]["use_hash_policy"] is True
    assert "hash_policy" not in second


def test_only_a_route_with_fallback_or_a_model_buffers_bodies(config: Config) -> None:
    values = [one["patch"]["value"] for one in patches(envoy_filter(config), "HTTP_ROUTE")]
    assert [one.get("request_body_buffer_limit") for one in values] == [32 * 2**20, None]


def test_in_a_sidecar_only_the_host_of_the_service_is_changed(config: Config) -> None:
    before = istio_emulation.sidecar(8000, {CLUSTER: {}, istio_emulation.APP: {}})
    after = istio_xds(config, "sidecar", 8000, MODEL, SERVICE)
    changed = [
        new["name"]
        for old, new in zip(before.routes[0]["virtual_hosts"], after.routes[0]["virtual_hosts"], strict=True)
        if old != new
    ]
    assert changed == ["llm.models.svc.cluster.local:8000"]


def test_a_port_limits_filters_and_log_to_its_listener(config: Config) -> None:
    labels = {"istio": "ingressgateway"}
    users = {CLUSTER: {}, istio_emulation.APP: {}}
    for port, changed in ((8080, True), (8443, False)):
        before, after = istio_emulation.gateway(8080, users), istio_emulation.gateway(8080, users)
        istio_emulation.apply(after, "GATEWAY", [envoy_filter(config, IstioTarget(port=port))], labels)
        assert (after.listeners[0] != before.listeners[0]) is changed


@pytest.mark.parametrize("context", ["gateway", "sidecar"])
def test_the_users_filters_logs_and_clusters_stay_and_glidepath_filters_configure_nothing(
    config: Config, context: Context
) -> None:
    before = istio_xds(config, context, 8080, MODEL, SERVICE, split=False)
    after = istio_xds(config, context, 8080, MODEL, SERVICE)
    old, new = manager(before.listeners[0]), manager(after.listeners[0])
    ours = [one for one in new["http_filters"] if one["name"].startswith("glidepath.")]
    assert [one for one in new["http_filters"] if one not in ours] == old["http_filters"]
    assert new["http_filters"][-4:-1] == ours
    assert new["access_log"][:-1] == old["access_log"]
    assert after.clusters[: len(before.clusters)] == before.clusters


def manager(listener: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return found


def test_with_the_admin_api_as_actuator_the_bootstrap_is_unchanged(config: Config) -> None:
    assert len(patches(envoy_filter(config), "BOOTSTRAP")) == 1
    envoy = config.envoy.model_copy(update={"actuator": "admin"})
    assert patches(envoy_filter(config.model_copy(update={"envoy": envoy})), "BOOTSTRAP") == []


def test_the_scorers_default_address_is_the_manifests_service(config: Config) -> None:
    envoy = config.envoy.model_copy(update={"rtds_address": None, "rtds_listen": "0.0.0.0:18010"})
    (patch,) = patches(envoy_filter(config.model_copy(update={"envoy": envoy})), "BOOTSTRAP")
    assert "glidepath-rtds.glidepath.svc.cluster.local" in to_yaml(patch)


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        (IstioTarget(context="sidecar"), "--workload-selector"),
        (IstioTarget(context="waypoint"), "allowed: gateway, sidecar"),  # type: ignore[arg-type]
    ],
)
def test_a_missing_option_is_named(config: Config, place: IstioTarget, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        istio_resources(config, place, ROUTES)


def test_a_credential_from_a_file_is_refused_because_istios_envoy_cannot_read_it(tmp_path: Path) -> None:
    text = deepcopy(TEXT)
    text["backends"]["onprem"]["credential"] = {"file": "/run/key"}  # type: ignore[assignment]
    with pytest.raises(ConfigError, match=r"backends.onprem.credential.file: Istio's build .* \{env: NAME\}"):
        istio_resources(istio_config(text, 10901, tmp_path / "s"), IstioTarget(), ROUTES)


def test_two_clusters_with_fallback_get_a_hop_and_istios_bootstrap_stays_as_it_is(tmp_path: Path) -> None:
    two = {**TEXT, "backends": {"onprem": {"cluster": "outbound|80||vllm.models", "host": "vllm.models"}}}
    found = envoy_filter(istio_config(two, 10901, tmp_path / "extproc.sock"))
    added = [one["patch"]["value"]["name"] for one in patches(found, "LISTENER")]
    assert added == ["glidepath-shadow", "glidepath-to-onprem"]
    (aggregate,) = [
        one["patch"]["value"] for one in patches(found, "CLUSTER") if one["patch"]["value"]["name"] == "onprem-or-cloud"
    ]
    members = aggregate["cluster_type"]["typed_config"]["clusters"]
    assert members == ["glidepath-to-onprem", CLUSTER]
    (bootstrap,) = patches(found, "BOOTSTRAP")
    assert "bootstrap_extensions" not in bootstrap["patch"]["value"]


@pytest.mark.process
def test_a_refused_render_leaves_the_virtual_service_as_it_is(tmp_path: Path) -> None:
    file, config = tmp_path / "vs.yaml", tmp_path / "glidepath.yaml"
    file.write_text(VIRTUAL_SERVICE)
    key = {"file": "/run/key"}  # Istio's Envoy cannot read it
    backends = {"cloud": {"cluster": CLUSTER, "host": LLM}, "onprem": {"url": "http://vllm", "credential": key}}
    chat = {"match": {"path": "/v1/chat/completions"}, "baseline": "cloud", "candidate": "onprem"}
    config.write_text(yaml.safe_dump({"backends": backends, "workloads": {"chat": chat}}))
    with pytest.raises(ConfigError, match="Istio's build"):
        run_cli("render", "istio", "--into", str(file), "-c", str(config))
    assert file.read_text() == VIRTUAL_SERVICE


def test_the_form_for_envoy_1_36_is_refused(config: Config) -> None:
    old = config.model_copy(update={"envoy": config.envoy.model_copy(update={"version": "1.36"})})
    with pytest.raises(ConfigError, match=r"^envoy.version: .* Istio sets itself; use .* Envoy 1.37 or newer"):
        istio_resources(old, IstioTarget(), ROUTES)


def test_a_baseline_with_a_url_is_refused_with_what_to_write(config: Config) -> None:
    cloud = config.backends["cloud"].model_copy(update={"cluster": None, "url": "https://a.example"})
    other = config.model_copy(update={"backends": {**config.backends, "cloud": cloud}})
    with pytest.raises(ConfigError, match=r"backends.cloud: on Istio .* set cluster .* \(now: https://a.example\)"):
        istio_resources(other, IstioTarget(), ROUTES)


def test_the_completed_file_and_the_filter_have_the_same_names(config: Config) -> None:
    routes = routes_to_split(config, "gateway")
    documents = [one for one in quick_yaml.safe_load_all(routes.text or "") if one]
    named = [one["name"] for one in documents[0]["spec"]["http"] if one["name"].startswith("glidepath")]
    assert set(named) == {route.name for route in routes.routes}


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
    assert quick_yaml.safe_load(config_text)["proxyMetadata"] == {"BOOTSTRAP_XDS_AGENT": "true"}


def test_the_extproc_container_equals_that_of_the_manifests(config: Config) -> None:
    path = Path(__file__).parents[4] / "deploy" / "kubernetes" / "sidecar" / "extproc.yaml"
    manifest = next(quick_yaml.safe_load_all(path.read_text()))["spec"]["template"]
    ours = without_comments(istio_pod(config, IstioTarget()))["spec"]["template"]
    assert ours["spec"]["initContainers"] == manifest["spec"]["initContainers"]
    assert ours["spec"]["volumes"] == manifest["spec"]["volumes"]
    assert ours["spec"]["securityContext"] == manifest["spec"]["securityContext"]
    assert ours["metadata"]["labels"] == manifest["metadata"]["labels"]


def test_header_rules_of_the_users_file_are_rendered_as_text(config: Config) -> None:
    rules = "headers:\n      request: {remove: [x-unwanted], "
    text = VIRTUAL_SERVICE.replace("headers:\n      request: {", rules)
    assert text != VIRTUAL_SERVICE
    routes = complete_virtual_services(text, config, "vs.yaml")
    (found,) = [quick_yaml.safe_load(to_yaml(one)) for one in istio_resources(config, GATEWAY, routes)]
    assert "x-unwanted" in str(found)
