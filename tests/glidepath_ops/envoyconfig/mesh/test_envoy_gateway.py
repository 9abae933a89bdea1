"""Tests of the resources for Envoy Gateway: their fields, and their effect on the xDS that it generates."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest

from glidepath.config import Config
from glidepath.config.backends import Backend
from glidepath.config.workload import Workload
from glidepath.errors import ConfigError, InputError
from glidepath_ops.envoyconfig.check_by_envoy import check_with_envoy
from glidepath_ops.envoyconfig.commented_yaml import to_yaml, without_comments
from glidepath_ops.envoyconfig.mesh.added_http_rules import Continued
from glidepath_ops.envoyconfig.mesh.envoy_gateway import GatewayRoutes, GatewayTarget, gateway_resources
from glidepath_ops.envoyconfig.mesh.gateway_xds_names import GatewayListener, GeneratedRoutes, XdsNames, xds_names
from glidepath_ops.envoyconfig.validation import check_splits, check_strict
from tests.support.meshes import envoy_gateway_emulation
from tests.support.meshes.crd_schemas import SCHEMAS
from tests.support.meshes.gateway_with_backends import BASELINE, gateway_xds, mesh_config
from tests.support.meshes.static_bootstrap import static_bootstrap
from tests.support.tls_certificate import make_certificate

pytestmark = pytest.mark.process

TEXT: dict[str, Any] = {
    "backends": {
        "cloud": {"cluster": BASELINE, "host": "models.example.com"},
        "vendor": {"url": "https://api.example.com/v1", "credential": {"env": "KEY"}, "ca_file": "CA"},
        "onprem": {"url": "http://127.0.0.1:9002"},
    },
    "workloads": {
        "chat": {
            "match": {"path": "/v1/chat/completions"},
            "baseline": "cloud",
            "candidate": "onprem",
            "sticky": {"header": "x-user-id"},
        },
        "team": {
            "match": {"path_prefix": "/team", "host": "llm.example.com", "headers": {"X-Kind": "batch"}},
            "baseline": "vendor",
            "candidate": "onprem",
            "fallback": False,
        },
    },
}
BACKENDS = dict.fromkeys(("models", "service", "glidepath-vendor"), "http://127.0.0.1:9003")
CHAT = Continued(GeneratedRoutes("default", "app", 2), {}, "route.yaml:7")
ROUTES_OF_WORKLOADS = GatewayRoutes({"chat": CHAT}, ("team",))


@pytest.fixture
def config(tmp_path: Path) -> Config:
    text = deepcopy(TEXT)
    text["backends"]["vendor"]["ca_file"] = str(make_certificate(tmp_path, "ca.example.com")[1])
    return mesh_config(text, 10901, tmp_path / "extproc.sock")


def resources(config: Config, routes: GatewayRoutes = ROUTES_OF_WORKLOADS, **place: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = without_comments(gateway_resources(config, GatewayTarget(**place), routes))
    return found


def patches(config: Config, **place: Any) -> list[dict[str, Any]]:
    (policy,) = envoy_gateway_emulation.of_kind(resources(config, **place), "EnvoyPatchPolicy")
    found: list[dict[str, Any]] = policy["spec"]["jsonPatches"]
    return found


def test_every_field_is_in_the_api_reference(config: Config) -> None:
    kinds = set()
    for one in resources(config):
        jsonschema.validate(one, SCHEMAS[one["kind"]])
        kinds.add(one["kind"])
    assert kinds == {"GatewayClass", "EnvoyProxy", "HTTPRoute", "Backend", "BackendTLSPolicy", "EnvoyPatchPolicy"}


@pytest.mark.parametrize("tls_chain", [False, True])
def test_envoy_accepts_the_patched_configuration(config: Config, tls_chain: bool, tmp_path: Path) -> None:
    chat = config.model_copy(update={"workloads": {"chat": config.workloads["chat"]}})
    bootstrap = static_bootstrap(gateway_xds(chat, 10080, BACKENDS, tls_chain=tls_chain), "127.0.0.1:19000")
    check_strict(bootstrap)
    assert set(check_splits(bootstrap)) == {"chat"}
    path = tmp_path / "envoy.yaml"
    path.write_text(to_yaml(bootstrap))
    assert check_with_envoy(path)


def test_the_patches_keep_all_that_envoy_gateway_generated(config: Config) -> None:
    chat = config.model_copy(update={"workloads": {"chat": config.workloads["chat"]}})
    before = gateway_xds(chat, 10080, BACKENDS, patched=False).routes[0]["virtual_hosts"][0]["routes"]
    after = gateway_xds(chat, 10080, BACKENDS).routes[0]["virtual_hosts"][0]["routes"]
    names = [f"httproute/default/app/rule/{rule}/match/0/*" for rule in (2, 3, 0, 1)]
    assert [one["name"] for one in after] == names
    assert after[2:] == before[2:]
    ours, theirs = after[0], before[0]
    changed = ("match", "route", "metadata", "typed_per_filter_config")
    kept = {key: value for key, value in theirs.items() if key not in changed}
    assert kept.items() <= ours.items()
    has_value = {"name": "x-user-id", "string_match": {"exact": ""}, "invert_match": True}
    assert ours["match"] == {**theirs["match"], "headers": [*theirs["match"].get("headers", []), has_value]}
    assert theirs["typed_per_filter_config"].items() <= ours["typed_per_filter_config"].items()
    assert ours["metadata"]["filter_metadata"].keys() == {"envoy-gateway", "glidepath"}
    split = ours["route"].pop("weighted_clusters")
    (baseline,) = theirs["route"].pop("weighted_clusters")["clusters"]
    assert split["clusters"][1] == {**baseline, "weight": 10000}
    assert ours["route"].pop("hash_policy") == [{"header": {"header_name": "x-user-id"}}]
    assert ours["route"] == theirs["route"]
    assert ours["route"]["timeout"] == "60s"
    random = after[1]["route"]
    assert random["weighted_clusters"].pop("runtime_key_prefix") == split["runtime_key_prefix"]
    assert random.pop("weighted_clusters") == {"clusters": split["clusters"]}, "no hash, and the same two clusters"
    assert random == theirs["route"]
    assert after[1]["match"]["headers"][-1] == {
        "name": "x-user-id",
        "string_match": {"exact": ""},
        "treat_missing_header_as_empty": True,
    }
    assert after[1]["typed_per_filter_config"] == ours["typed_per_filter_config"]


def test_a_split_without_fallback_and_model_that_is_not_read_buffers_no_bodies(config: Config) -> None:
    def limits(chat: Workload) -> list[dict[str, Any]]:
        changed = config.model_copy(update={"workloads": {"chat": chat}})
        (policy,) = envoy_gateway_emulation.of_kind(
            resources(changed, GatewayRoutes({"chat": CHAT})), "EnvoyPatchPolicy"
        )
        operations = [one["operation"] for one in policy["spec"]["jsonPatches"]]
        return [one for one in operations if one["path"] == "/request_body_buffer_limit"]

    chat = config.workload("chat")
    (only,) = limits(chat)
    assert "httproute/default/app/rule/2" in only["jsonPath"]
    assert only["value"] == 32 * 2**20
    assert limits(chat.model_copy(update={"fallback": False})) == []


def test_the_rules_headers_are_given_back_to_the_baseline_after_a_failed_candidate(config: Config) -> None:
    chat = config.model_copy(update={"workloads": {"chat": config.workloads["chat"]}})
    xds = gateway_xds(chat, 10080, BACKENDS)
    (aggregate,) = [one for one in xds.clusters if one["name"] == "onprem-or-cloud"]
    assert "Bearer route" in str(aggregate).replace("\\\\032", " ").replace("\\032", " ")


def test_a_candidate_that_would_get_the_credential_of_the_users_rule_is_refused(tmp_path: Path) -> None:
    text = deepcopy(TEXT)
    text["backends"]["onprem"]["credential"] = {"passthrough": True}
    text["workloads"] = {"chat": {**text["workloads"]["chat"], "fallback": False}}
    rule = {"header": {"key": "Authorization", "value": "Bearer a"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    routes = GatewayRoutes({"chat": Continued(CHAT.routes, {"request_headers_to_add": [rule]}, "route.yaml:7")})
    with pytest.raises(InputError, match=r"^workloads.chat: route.yaml:7: the route sets authorization, .* too: give"):
        resources(mesh_config(text, 10901, tmp_path / "extproc.sock"), routes)


def test_a_baseline_that_is_not_the_serving_cluster_is_refused_with_what_to_write(config: Config) -> None:
    backends = {**config.backends, "cloud": config.backends["vendor"]}
    wanted = (
        rf"route.yaml:7: .* set backends.cloud: {{cluster: {BASELINE}, host: api.example.com}} .* \(now: url: https"
    )
    with pytest.raises(InputError, match=wanted):
        resources(config.model_copy(update={"backends": backends}))


def test_two_clusters_with_fallback_get_a_hop_and_the_bootstrap_its_extension(config: Config) -> None:
    vllm = Backend(cluster="httproute/models/vllm/rule/0", host="vllm")
    candidate = config.workload("chat").candidate
    chat = config.model_copy(
        update={
            "backends": {**config.backends, candidate: vllm},
            "workloads": {"chat": config.workloads["chat"]},
        }
    )
    xds = gateway_xds(chat, 10080, BACKENDS)
    assert [one["name"] for one in xds.listeners][-1] == f"glidepath-to-{candidate}"
    assert [one["name"] for one in xds.bootstrap["bootstrap_extensions"]] == ["envoy.bootstrap.internal_listener"]


def test_without_a_hop_the_bootstrap_gets_no_extension(config: Config) -> None:
    chat = config.model_copy(update={"workloads": {"chat": config.workloads["chat"]}})
    assert "bootstrap_extensions" not in gateway_xds(chat, 10080, BACKENDS).bootstrap


def test_the_form_for_envoy_1_36_is_refused(config: Config) -> None:
    old = config.model_copy(update={"envoy": config.envoy.model_copy(update={"version": "1.36"})})
    with pytest.raises(ConfigError, match=r"^envoy.version: .* Envoy Gateway sets itself; use .* Envoy 1.37 or newer"):
        resources(old)


def test_a_split_with_a_lease_is_refused(config: Config) -> None:
    leased = config.workload("chat").model_copy(update={"if_lost": "baseline"})
    changed = config.model_copy(update={"workloads": {**config.workloads, "chat": leased}})
    with pytest.raises(ConfigError, match=r"workloads.chat.if_lost: .*set if_lost: hold"):
        gateway_resources(changed, GatewayTarget(), ROUTES_OF_WORKLOADS)


def test_a_new_route_needs_the_url_of_the_baseline(config: Config) -> None:
    with pytest.raises(InputError, match=r"--new-route: backends\.cloud needs a url"):
        resources(config, GatewayRoutes(new=("chat", "team")))


def test_a_new_route_is_right_without_the_patches(config: Config) -> None:
    (route,) = envoy_gateway_emulation.of_kind(resources(config), "HTTPRoute")
    rule, *others = route["spec"]["rules"]
    assert others
    assert all(one == rule for one in others)
    assert route["spec"]["hostnames"] == ["llm.example.com"]
    assert rule["timeouts"] == {"request": "0s"}
    assert rule["filters"] == [{"type": "URLRewrite", "urlRewrite": {"hostname": "api.example.com"}}]
    (only,) = rule["backendRefs"][0]["filters"]
    removed = only["requestHeaderModifier"]["remove"]
    assert "authorization" in removed
    assert len(removed) == 16  # the Gateway API allows no more
    assert rule["matches"][0]["method"] == "POST"


def test_a_new_route_to_an_address_rewrites_no_host_because_envoy_gateway_refuses_that(config: Config) -> None:
    vendor = config.backends["vendor"].model_copy(update={"url": "http://192.0.2.1:8000"})
    changed = config.model_copy(update={"backends": {**config.backends, "vendor": vendor}})
    (route,) = envoy_gateway_emulation.of_kind(resources(changed), "HTTPRoute")
    assert all("filters" not in rule for rule in route["spec"]["rules"])


def test_a_workload_with_a_host_patches_only_the_routes_of_that_host(config: Config) -> None:
    continued = Continued(GeneratedRoutes("apps", "a.b", 3, "*.example.com"), {}, "f:1")
    routes = GatewayRoutes({"chat": CHAT, "team": continued})
    cloud = config.backends["cloud"].model_copy(update={"cluster": continued.routes.cluster})
    changed = config.model_copy(update={"backends": {**config.backends, "vendor": cloud}})
    (policy,) = envoy_gateway_emulation.of_kind(resources(changed, routes), "EnvoyPatchPolicy")
    found = {one["operation"].get("jsonPath", "") for one in policy["spec"]["jsonPatches"]}
    assert "..routes[?(@.name =~ '^httproute/apps/a[.]b/rule/3/match/[0-9]+/[*]_example_com$')]" in found


def test_merged_gateways_are_patched_by_their_class(config: Config) -> None:
    (policy,) = envoy_gateway_emulation.of_kind(resources(config, gateway_class="public"), "EnvoyPatchPolicy")
    assert policy["spec"]["targetRef"] == {
        "group": "gateway.networking.k8s.io",
        "kind": "GatewayClass",
        "name": "public",
    }


HTTP, WEB = GatewayListener("http", "HTTP", 80), GatewayListener("web", "HTTP", 80)
TLS, TLS_2 = GatewayListener("https", "HTTPS", 443), GatewayListener("internal", "HTTPS", 443)


@pytest.mark.parametrize(
    ("listeners", "scheme", "wanted"),
    [
        ([GatewayListener("http")], "v1", XdsNames(("d/eg/http",), ("d/eg/http",))),
        ([HTTP, WEB], "v1", XdsNames(("d/eg/http",), ("d/eg/http",))),
        ([HTTP, TLS, TLS_2], "v1", XdsNames(("d/eg/http", "d/eg/https"), ("d/eg/http", "d/eg/https", "d/eg/internal"))),
        ([HTTP, WEB, TLS], "v2", XdsNames(("tcp-80", "tcp-443"), ("http-80", "d/eg/https"))),
    ],
)
def test_the_names_of_generated_resources(listeners: list[GatewayListener], scheme: str, wanted: XdsNames) -> None:
    assert xds_names("d/eg", listeners, scheme) == wanted


def test_every_listener_and_route_configuration_is_patched(config: Config) -> None:
    found = patches(config, listeners=(HTTP, TLS), xds_names="v2")
    names = {
        kind: {one["name"] for one in found if one["type"].endswith(kind)} for kind in ("Listener", "Configuration")
    }
    assert names == {
        "Listener": {"glidepath-shadow", "tcp-80", "tcp-443"},
        "Configuration": {"http-80", "default/eg/https"},
    }


def test_runtime_layers_are_in_order_with_the_admin_layer_last(config: Config) -> None:
    chat = config.model_copy(update={"workloads": {"chat": config.workloads["chat"]}})
    layers = gateway_xds(chat, 10080, BACKENDS).bootstrap["layered_runtime"]["layers"]
    assert [layer["name"] for layer in layers] == ["global_config", "glidepath-file", "glidepath-fleet", "admin"]


def test_runtime_layers_are_created_if_the_bootstrap_has_none(config: Config) -> None:
    chat = config.model_copy(update={"workloads": {"chat": config.workloads["chat"]}})
    xds = gateway_xds(chat, 10080, BACKENDS)
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


def test_an_invalid_kubernetes_name_is_refused(config: Config) -> None:
    workloads = {"chat": config.workloads["chat"], "my_team": config.workloads["team"]}
    with pytest.raises(ConfigError, match=r"workloads\.my_team: .* is not a valid Kubernetes name"):
        resources(config.model_copy(update={"workloads": workloads}), GatewayRoutes({"chat": CHAT}, ("my_team",)))


# The emulated JSON patches, checked against the documented behaviour of Envoy Gateway.

ROUTES = {
    "virtual_hosts": [
        {
            "routes": [
                {
                    "name": "httproute/default/backend/rule/0/match/0/www_test_com",
                    "route": {"cluster": "a", "hash_policy": []},
                }
            ]
        },
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
        ("..routes[?(@.name =~ 'www' && @.route.hash_policy exists false)]", ["/virtual_hosts/1/routes/0"]),
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
