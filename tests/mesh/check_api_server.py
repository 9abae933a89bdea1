"""A real Kubernetes API server with the definitions of both meshes accepts all resources that Glidepath writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.mesh.base_resources import (
    SIDECAR_PORT,
    envoy_proxy,
    gateway_documents,
    http_route,
    istio_documents,
    virtual_service,
)
from tests.mesh.build_control_planes import ControlPlanes
from tests.mesh.istio_under_test import CLUSTERS, SERVICE, SIDECAR
from tests.mesh.kubernetes_lab import Kubernetes, kubernetes
from tests.mesh.rendered import Rendered, mesh_config, render

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy" / "kubernetes"
OWN, CANDIDATE = "http://192.0.2.1:80", {"url": "http://192.0.2.2:80"}


@pytest.fixture(scope="module")
def server(control_planes: ControlPlanes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubernetes]:
    with kubernetes(control_planes, tmp_path_factory.mktemp("kubernetes")) as running:
        yield running


def taken(server: Kubernetes, documents: list[Any]) -> None:
    """Check that the server accepts each resource without a warning."""
    lines = server.apply(documents)
    assert [line.rpartition(" ")[2] for line in lines] == ["serverside-applied"] * len(documents)


def configured(folder: Path, cluster: str) -> None:
    mesh_config(folder, {"cluster": cluster, "host": "own.example"}, CANDIDATE, sticky={"header": "x-user-id"})


@pytest.mark.parametrize(
    "arguments", [(), ("--gateway-class", "eg"), ("--xds-names", "v2", "--listener", "http:HTTP:80")]
)
def test_the_resources_for_envoy_gateway(server: Kubernetes, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    configured(tmp_path, "httproute/default/own/rule/1/backend/0")
    done = render(tmp_path, "envoy-gateway", *arguments, into=[http_route()], into_proxy=[envoy_proxy()])
    assert {one["kind"] for one in done.resources} >= {"EnvoyPatchPolicy"}
    theirs = [one for one in gateway_documents(OWN) if one["kind"] != "EnvoyProxy"]
    taken(server, [*theirs, *done.completed["into_proxy"], *done.completed["into"], *done.resources])


def test_the_resources_for_a_gateway_of_istio(server: Kubernetes, tmp_path: Path) -> None:
    configured(tmp_path, CLUSTERS["gateway"])
    done = render(tmp_path, "istio", into=[virtual_service()])
    taken(server, [*istio_documents(OWN), *done.completed["into"], *done.resources])
    patches_the_pods(server, tmp_path, "istio-system")


def test_the_filter_of_eight_workloads_needs_the_documented_server_side_apply(
    server: Kubernetes, tmp_path: Path
) -> None:
    configured(tmp_path, CLUSTERS["gateway"])
    file = tmp_path / "glidepath.yaml"
    data = yaml.safe_load(file.read_text())
    chat = data["workloads"].pop("chat")
    data["workloads"] = {f"chat-{n}": {**chat, "match": {"path": f"/v1/{n}/chat/completions"}} for n in range(8)}
    file.write_text(yaml.safe_dump(data))
    done = render(tmp_path, "istio", into=[virtual_service()])
    taken(server, done.resources)
    place = ("-f", str(tmp_path / "rendered" / "resources.yaml"))
    assert "metadata.annotations: Too long" in server.kubectl("apply", *place, check=False).stderr


def test_the_resources_for_sidecars_of_istio(server: Kubernetes, tmp_path: Path) -> None:
    configured(tmp_path, CLUSTERS["sidecar"])
    done = render(tmp_path, "istio", *SIDECAR, "--service", f"{SERVICE}:{SIDECAR_PORT}")
    assert [one["kind"] for one in done.resources] == ["VirtualService", "EnvoyFilter"]
    taken(server, done.resources)
    patches_the_pods(server, tmp_path, "apps")


def patches_the_pods(server: Kubernetes, folder: Path, namespace: str) -> None:
    """Check that the patch for the pods makes a Deployment with extproc beside the proxy."""
    taken(server, [deployment(namespace)])
    patch = ("--patch-file", str(folder / "rendered" / "pod-patch.yaml"))
    server.kubectl("patch", "deployment", "own", "-n", namespace, *patch)
    found = yaml.safe_load(server.kubectl("get", "deployment", "own", "-n", namespace, "-o", "yaml").stdout)
    pod = found["spec"]["template"]["spec"]
    assert [one["name"] for one in pod["containers"]] == ["istio-proxy", "own"]
    assert [one["restartPolicy"] for one in pod["initContainers"]] == ["Always"]
    assert {one["name"] for one in pod["containers"][0]["volumeMounts"]} <= {one["name"] for one in pod["volumes"]}


def deployment(namespace: str) -> dict[str, Any]:
    """Return the user's Deployment, whose pods contain the proxies."""
    labels = {"app": "own"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "own", "image": "own"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "own", "namespace": namespace},
        "spec": {"selector": {"matchLabels": labels}, "template": pod},
    }


@pytest.mark.parametrize("example", ["istio", "envoy-gateway"])
def test_the_rendered_examples(server: Kubernetes, example: str) -> None:
    files = sorted((ROOT / "envoy" / example).glob("**/*.yaml"))
    documents = [one for file in files for one in yaml.safe_load_all(file.read_text()) if one and "kind" in one]
    assert documents
    for one in documents:
        assert server.refusal([one]) == "", one["metadata"]


@pytest.mark.parametrize("folder", ["base", "example"])
def test_the_kustomizations(server: Kubernetes, folder: str) -> None:
    """The example has the component ``sidecar``."""
    place = () if folder == "example" else ("-n", "glidepath")
    done = server.kubectl("apply", "-k", str(DEPLOY / folder), "--server-side", "--dry-run=server", *place)
    lines = done.stdout.splitlines()
    assert len(lines) >= 5
    assert all(line.endswith("serverside-applied (server dry run)") for line in lines), lines
    assert done.stderr == ""


def test_every_pod_fits_the_pod_security_standard_restricted(server: Kubernetes) -> None:
    """The server warns of a pod template that violates the standard, in a namespace with this label."""
    place = ("-n", "glidepath")
    label = "pod-security.kubernetes.io/warn=restricted"
    server.kubectl("label", "namespace", "glidepath", label, "--overwrite")
    try:
        done = server.kubectl("apply", "-k", str(DEPLOY / "example"), "--server-side", "--dry-run=server")
        assert done.stderr == ""
        loose = ("create", "deployment", "loose", "--image=loose", "--dry-run=server")
        assert "would violate PodSecurity" in server.kubectl(*loose, *place).stderr
    finally:
        server.kubectl("label", "namespace", "glidepath", "pod-security.kubernetes.io/warn-")


def test_the_component_adds_extproc_to_the_users_envoy(server: Kubernetes, tmp_path: Path) -> None:
    text = server.kubectl("kustomize", str(DEPLOY / "example")).stdout
    (envoy,) = [
        one
        for one in yaml.safe_load_all(text)
        if one["kind"] == "Deployment" and "glidepath/extproc" in one["metadata"].get("labels", {})
    ]
    assert server.refusal([envoy]) == ""
    assert "extproc" in str(envoy["spec"]["template"]["spec"]["initContainers"])


def test_the_server_refuses_what_a_definition_does_not_have(server: Kubernetes, tmp_path: Path) -> None:
    configured(tmp_path, CLUSTERS["gateway"])
    done: Rendered = render(tmp_path, "istio", into=[virtual_service()])
    for one in done.resources:
        one["spec"]["configPatches"][0]["applyTo"] = "NOTHING"
        assert "NOTHING" in server.refusal([one])
