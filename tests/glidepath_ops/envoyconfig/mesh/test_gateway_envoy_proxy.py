"""Tests of the completion of a user's EnvoyProxy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from glidepath.config import Config
from glidepath.config.backends import Backend
from glidepath.errors import InputError
from glidepath_ops.envoyconfig.commented_yaml import without_comments
from glidepath_ops.envoyconfig.mesh.gateway_envoy_proxy import complete_envoy_proxy, envoy_proxy, proxy_spec
from glidepath_ops.envoyconfig.yaml_insertion import remove
from tests.support import quick_yaml
from tests.support.meshes.crd_schemas import SCHEMAS
from tests.support.meshes.gateway_with_backends import mesh_config

HEADER = "apiVersion: gateway.envoyproxy.io/v1alpha1\nkind: EnvoyProxy\nmetadata: {name: mine, namespace: edge}\n"
DEPLOYMENT = HEADER + "spec:\n  provider:\n    type: Kubernetes\n    kubernetes:\n      envoyDeployment:\n"
FULL = (
    DEPLOYMENT
    + """\
        replicas: 3
        initContainers:
          - name: mesh
            image: mesh
        container:
          env:
            - {name: OTHER, value: x}
          resources: {limits: {cpu: 2}}
        pod:
          labels: {team: edge}
          volumes: [{name: certs, secret: {secretName: certs}}]
          securityContext:
            runAsUser: 5
  bootstrap:
    type: JSONPatch
    jsonPatches:
      - {op: add, path: /stats_flush_interval, value: 10s}
  logging: {level: {default: warn}}
"""
)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    backends = {"a": {"url": "http://a", "credential": {"env": "KEY"}}, "b": {"url": "http://b"}}
    workload = {"match": {"path": "/v1"}, "baseline": "a", "candidate": "b"}
    return mesh_config({"backends": backends, "workloads": {"chat": workload}}, 10901, tmp_path / "s")


def completed(text: str, config: Config) -> Any:
    found = complete_envoy_proxy(text, config, "proxy.yaml", "image")
    assert remove(found) == text
    return quick_yaml.safe_load(found)["spec"]


def test_the_users_settings_stay_and_glidepaths_are_added(config: Config) -> None:
    before, ours = quick_yaml.safe_load(FULL)["spec"], without_comments(proxy_spec(config, "image"))
    after = completed(FULL, config)
    assert (after["logging"], after["provider"]["type"]) == (before["logging"], "Kubernetes")
    patches = [spec["bootstrap"]["jsonPatches"] for spec in (before, ours, after)]
    assert patches[2] == patches[0] + patches[1]
    theirs, mine, both = (spec["provider"]["kubernetes"]["envoyDeployment"] for spec in (before, ours, after))
    assert both["replicas"] == 3
    assert both["initContainers"] == theirs["initContainers"] + mine["initContainers"]
    assert both["container"] == {
        "env": theirs["container"]["env"] + mine["container"]["env"],
        "resources": theirs["container"]["resources"],
        "volumeMounts": mine["container"]["volumeMounts"],
    }
    assert both["pod"] == {
        "labels": theirs["pod"]["labels"] | mine["pod"]["labels"],
        "volumes": theirs["pod"]["volumes"] + mine["pod"]["volumes"],
        "securityContext": {"runAsUser": 5, "fsGroup": 10001},
    }


def test_an_empty_proxy_becomes_the_rendered_one(config: Config) -> None:
    after = completed(HEADER + "spec:\n  provider:\n    type: Kubernetes\n", config)
    assert after == without_comments(envoy_proxy(config, "edge", "image"))["spec"]
    jsonschema.validate(without_comments(envoy_proxy(config, "edge", "image")), SCHEMAS["EnvoyProxy"])


def test_a_daemon_set_stays_one(config: Config) -> None:
    after = completed(DEPLOYMENT.replace("envoyDeployment", "envoyDaemonSet") + "        name: x\n", config)
    assert after["provider"]["kubernetes"].keys() == {"envoyDaemonSet"}


EXTENSION = "{name: envoy.bootstrap.internal_listener, typed_config: {}}"


@pytest.mark.parametrize(
    "theirs",
    [
        None,
        f"{{op: add, path: /bootstrap_extensions, value: [{EXTENSION}]}}",
        f"{{op: add, path: /bootstrap_extensions/-, value: {EXTENSION}}}",
    ],
)
def test_a_hop_needs_the_extension_for_internal_listeners_once(config: Config, theirs: str | None) -> None:
    backends = {name: {"cluster": f"httproute/{name}", "host": name} for name in "ab"}
    both = config.model_copy(update={"backends": {name: Backend(**one) for name, one in backends.items()}})
    text = FULL if theirs is None else FULL.replace("{op: add, path: /stats_flush_interval, value: 10s}", theirs)
    patches = completed(text, both)["bootstrap"]["jsonPatches"]
    assert str(patches).count("envoy.bootstrap.internal_listener") == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("kind: Gateway\n", r"proxy.yaml: must have one EnvoyProxy \(found: 0\)"),
        (HEADER + "---\n" + HEADER, r"must have one EnvoyProxy \(found: 2\)"),
        (HEADER + "spec: {}\n", "proxy.yaml:1: has an empty spec"),
        (HEADER + "spec:\n  bootstrap: {type: Merge, value: ''}\n", "the type Merge, .* write it as type JSONPatch"),
        (HEADER + "spec:\n  bootstrap: {value: ''}\n", "the type Replace"),
        (
            HEADER + "spec:\n  bootstrap: {type: JSONPatch, jsonPatches: [{op: add, value: {admin_layer: {}}}]}\n",
            "admin_layer, and Envoy allows only one",
        ),
        (
            HEADER + "spec:\n  provider: {type: Host}\n",
            "spec.provider.type is 'Host', and Glidepath needs 'Kubernetes'",
        ),
        (FULL.replace("runAsUser: 5", "fsGroup: 5"), "fsGroup is '5', and Glidepath needs 10001"),
        (FULL.replace("name: mesh", "name: extproc"), "has an item 'extproc' already; rename it"),
        (DEPLOYMENT + "        initContainers: x\n", "initContainers is not a list"),
        (DEPLOYMENT + "        pod: {}\n", "pod is empty or not a mapping; remove it"),
    ],
)
def test_a_proxy_that_cannot_be_completed_is_refused(text: str, problem: str, config: Config) -> None:
    with pytest.raises(InputError, match=problem):
        complete_envoy_proxy(text, config, "proxy.yaml", "image")
