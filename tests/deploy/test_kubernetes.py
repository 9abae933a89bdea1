"""The manifests in deploy/kubernetes agree with Kubernetes' schemas, the configuration and Envoy's files."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from glidepath.config import load_config
from tests.support import quick_yaml

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
KUSTOMIZATIONS = sorted(FOLDER.glob("*/kustomization.yaml"))
VERSIONS = ("1.29", kubernetes_validate.latest_version())  # 1.29: the first with native sidecars switched on
Json = dict[str, Any]


def documents(path: Path) -> list[Json]:
    return [one for one in quick_yaml.safe_load_all(path.read_text()) if one]


def manifests() -> list[tuple[str, Json]]:
    files = [
        file for file in sorted(FOLDER.rglob("*.yaml")) if file.name not in ("kustomization.yaml", "glidepath.yaml")
    ]
    found = [(file, one) for file in files for one in documents(file) if "apiVersion" in one]
    return [(f"{file.relative_to(FOLDER)}:{one['kind']}:{one['metadata']['name']}", one) for file, one in found]


MANIFESTS = dict(manifests())


def named(kind: str, name: str) -> Json:
    return next(one for one in MANIFESTS.values() if (one["kind"], one["metadata"]["name"]) == (kind, name))


def merged(base: Any, patch: Any) -> Any:
    """Do a strategic merge as far as these files need it: mappings by key, lists of named items by name."""
    if isinstance(base, dict) and isinstance(patch, dict):
        return base | {key: merged(base.get(key), value) for key, value in patch.items()}
    if isinstance(base, list) and all(isinstance(one, dict) and "name" in one for one in [*base, *patch]):
        found = {one["name"]: one for one in base}
        return list((found | {one["name"]: merged(found.get(one["name"]), one) for one in patch}).values())
    if isinstance(base, list):
        return [*base, *patch]
    return deepcopy(patch)


def envoy_with_sidecar() -> Json:
    patch = documents(FOLDER / "sidecar" / "extproc.yaml")[0]
    return merged(named("Deployment", "envoy"), {"spec": patch["spec"]})


def pods() -> dict[str, Json]:
    scorer = named("Deployment", "glidepath-scorer")
    console = named("Deployment", "glidepath-console")
    found = {"scorer": scorer, "console": console, "envoy": envoy_with_sidecar()}
    return {name: one["spec"]["template"] for name, one in found.items()}


def containers(template: Json) -> list[Json]:
    return [*template["spec"]["containers"], *template["spec"].get("initContainers", [])]


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", [name for name in MANIFESTS if not name.startswith(("sidecar/extproc.yaml", "moni"))])
def test_every_manifest_has_the_fields_of_its_kind_and_no_other(name: str, version: str) -> None:
    kubernetes_validate.validate(MANIFESTS[name], version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_example_envoy_has_the_fields_of_its_kind_and_no_other(version: str) -> None:
    kubernetes_validate.validate(envoy_with_sidecar(), version, strict=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in MANIFESTS if name.startswith("monitoring/")])
def test_every_monitor_has_the_fields_of_the_prometheus_operator(name: str) -> None:
    from cloudcoil.models.prometheus_operator import v1  # this takes seconds, so not in every process

    one = MANIFESTS[name]
    read = getattr(v1, one["kind"]).model_validate(one)
    assert read.model_dump(mode="json", by_alias=True, exclude_none=True) == one


def test_every_monitor_selects_an_object_with_the_port_that_it_reads() -> None:
    services = [one for one in MANIFESTS.values() if one["kind"] == "Service"]
    for name, one in MANIFESTS.items():
        wanted = one.get("spec", {}).get("selector", {}).get("matchLabels", {}).items()
        if one["kind"] == "ServiceMonitor":
            ports = {
                p["name"]
                for s in services
                if wanted <= s["metadata"].get("labels", {}).items()
                for p in s["spec"]["ports"]
            }
            assert {end["port"] for end in one["spec"]["endpoints"]} <= ports, name
        if one["kind"] == "PodMonitor":
            (pod,) = [t for t in pods().values() if wanted <= t["metadata"]["labels"].items()]
            ports = {port["name"] for c in containers(pod) for port in c.get("ports", [])}
            assert {end["port"] for end in one["spec"]["podMetricsEndpoints"]} <= ports, name


@pytest.mark.parametrize("name", ["glidepath-scorer", "glidepath-console", "envoy"])
def test_every_deployment_has_a_disruption_budget_that_lets_a_node_be_drained(name: str) -> None:
    replicas = named("Deployment", name)["spec"]["replicas"]
    budget = named("PodDisruptionBudget", name)["spec"]
    assert budget.get("minAvailable", 0) < replicas
    assert budget.get("maxUnavailable", 1) >= 1


@pytest.mark.parametrize("pod", ["scorer", "console", "envoy"])
def test_every_container_is_probed_and_extproc_never_takes_envoy_out_of_service(pod: str) -> None:
    for one in containers(pods()[pod]):
        if one["name"] == "extproc":
            assert "readinessProbe" not in one
            assert {"startupProbe", "livenessProbe"} <= one.keys()
        else:
            assert "readinessProbe" in one, one["name"]


def test_the_schemas_refuse_wrong_fields_and_types() -> None:
    wrong = deepcopy(named("Deployment", "glidepath-scorer"))
    wrong["spec"]["template"]["spec"]["containers"][0]["readOnlyRootFilesystem"] = True
    with pytest.raises(kubernetes_validate.ValidationError, match="readOnlyRootFilesystem"):
        kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=lambda path: path.parent.name)
def test_a_kustomization_names_existing_files(path: Path) -> None:
    spec = documents(path)[0]
    names = [
        *spec.get("resources", []),
        *spec.get("components", []),
        *(one["path"] for one in spec.get("patches", []) if "path" in one),
    ]
    names += [file for one in spec.get("configMapGenerator", []) for file in one["files"]]
    assert names or spec["images"] is not None  # ../images has only the digests of the lock
    assert [name for name in names if not (path.parent / name).exists()] == []


def test_no_secret_is_applied() -> None:
    applied = [name for path in KUSTOMIZATIONS for name in documents(path)[0].get("resources", [])]
    assert "secret.example.yaml" not in applied
    secrets = [one for one in MANIFESTS.values() if one["kind"] == "Secret"]
    assert {value for one in secrets for value in one["stringData"].values()} == {"replace-me"}


@pytest.mark.parametrize("pod", ["scorer", "console", "envoy"])
def test_no_container_has_more_rights_than_it_needs(pod: str) -> None:
    template = pods()[pod]
    assert template["spec"]["automountServiceAccountToken"] is False
    for one in containers(template):
        rights = template["spec"].get("securityContext", {}) | one["securityContext"]
        assert (rights["runAsNonRoot"], rights["runAsUser"]) == (True, 10001), one["name"]
        assert rights["readOnlyRootFilesystem"] is True, one["name"]
        assert rights["allowPrivilegeEscalation"] is False, one["name"]
        assert rights["capabilities"] == {"drop": ["ALL"]}, one["name"]
        assert rights["seccompProfile"] == {"type": "RuntimeDefault"}, one["name"]
        assert set(one["resources"]) == {"requests", "limits"}, one["name"]


@pytest.mark.parametrize("pod", ["scorer", "console", "envoy"])
def test_every_mounted_volume_is_declared(pod: str) -> None:
    template = pods()[pod]
    declared = {one["name"] for one in template["spec"]["volumes"]}
    assert {mount["name"] for one in containers(template) for mount in one["volumeMounts"]} == declared


def test_extproc_has_less_of_the_processor_than_envoy_and_is_bounded() -> None:
    cpu = {one["name"]: one["resources"] for one in containers(pods()["envoy"])}
    asked = {name: str(resources["requests"]["cpu"]) for name, resources in cpu.items()}
    assert all(amount.endswith("m") for amount in asked.values())
    assert int(asked["extproc"][:-1]) < int(asked["envoy"][:-1])
    assert float(cpu["extproc"]["limits"]["cpu"]) < float(cpu["envoy"]["limits"]["cpu"])


def test_envoy_and_extproc_share_only_the_folder_of_the_sockets() -> None:
    config = load_config(FOLDER / "base" / "glidepath.yaml")
    sockets = {
        Path(one.removeprefix("unix:")).parent for one in (config.envoy.shadow_listen, *config.extproc.addresses)
    }
    mounts = {one["name"]: {m["mountPath"] for m in one["volumeMounts"]} for one in containers(pods()["envoy"])}
    assert mounts["envoy"] & mounts["extproc"] == {str(folder) for folder in sockets}


def test_ports_and_services_are_those_of_the_configuration() -> None:
    config = load_config(FOLDER / "base" / "glidepath.yaml")
    port = {one["name"]: one["containerPort"] for pod in pods().values() for c in containers(pod) for one in c["ports"]}
    assert port == {
        "metrics": _port(config.scorer.metrics),
        "rtds": _port(config.envoy.rtds_listen),
        "console": _port(config.console.listen),
        "extproc-metrics": _port(config.extproc.metrics),
        "http": _port(config.envoy.listen),
    }
    rtds = named("Service", "glidepath-rtds")
    assert config.envoy.rtds_address == f"{rtds['metadata']['name']}:{rtds['spec']['ports'][0]['port']}"
    assert rtds["spec"]["clusterIP"] == "None"


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


def test_selectors_match_their_pods() -> None:
    labels = {name: template["metadata"]["labels"].items() for name, template in pods().items()}
    for name, one in MANIFESTS.items():
        selector = {"Service": lambda s: s["selector"], "PodDisruptionBudget": lambda s: s["selector"]["matchLabels"]}
        if one["kind"] in selector:
            wanted = selector[one["kind"]](one["spec"]).items()
            assert any(wanted <= have for have in labels.values()), name
    policies = {
        "glidepath-scorer": "scorer",
        "glidepath-console": "console",
        "glidepath-extproc": "envoy",
        "envoy-upstreams": "envoy",
    }
    for policy, pod in policies.items():
        selected = named("NetworkPolicy", policy)["spec"]["podSelector"]["matchLabels"].items()
        assert selected <= labels[pod], policy


def test_the_network_policies_allow_every_needed_connection() -> None:
    labels = {name: template["metadata"]["labels"].items() for name, template in pods().items()}

    def admitted(policy: str, port: int) -> set[str]:
        rules = [rule for rule in named("NetworkPolicy", policy)["spec"]["ingress"] if rule["ports"][0]["port"] == port]
        pods = [one["podSelector"] for rule in rules for one in rule["from"] if "podSelector" in one]
        sources = [one["matchLabels"].items() for one in pods]
        return {name for name, have in labels.items() if any(source <= have for source in sources)}

    assert admitted("glidepath-redis", 6379) == {"scorer", "console", "envoy"}
    assert admitted("glidepath-console", 9480) == set()  # no pod of ours; people come by port-forward or a proxy
    assert admitted("glidepath-scorer", 18010) == {"envoy"}


def test_an_application_in_another_namespace_may_send_feedback() -> None:
    rules = named("NetworkPolicy", "glidepath-console")["spec"]["ingress"]
    senders = [one for rule in rules for one in rule["from"] if one.get("namespaceSelector") == {}]
    assert senders == [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"glidepath/feedback": "enabled"}}}]
