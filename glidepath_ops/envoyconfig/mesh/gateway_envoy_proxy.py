"""Renders the EnvoyProxy of Envoy Gateway, or completes the user's own: runtime layers, extproc, credentials."""

from __future__ import annotations

from typing import Any

import yaml

from glidepath.config.root import Config
from glidepath.errors import InputError
from glidepath_ops.envoyconfig.bootstrap import runtime_layers
from glidepath_ops.envoyconfig.commented_yaml import Json, without_comments
from glidepath_ops.envoyconfig.internal_hops import INTERNAL_LISTENERS, hop_extensions
from glidepath_ops.envoyconfig.mesh.extproc_sidecar import (
    GROUP,
    POD_LABELS,
    extproc_container,
    pod_volumes,
    secret_variables,
    socket_mount,
)
from glidepath_ops.envoyconfig.mesh.kubernetes_objects import kubernetes_object
from glidepath_ops.envoyconfig.mesh.kubernetes_yaml import ObjectNode, kubernetes_objects, text_of
from glidepath_ops.envoyconfig.mesh.mesh_clusters import rtds_cluster, uses_rtds
from glidepath_ops.envoyconfig.mesh.new_http_routes import ENVOY_VERSION
from glidepath_ops.envoyconfig.yaml_insertion import Insertion, child, insert, items

EXTENSIONS = "/bootstrap_extensions/-"  # Envoy Gateway creates the list if its bootstrap has none
MOUNTED = (
    "The pod mounts the ConfigMap glidepath-config and the Secrets glidepath-redis and glidepath-credentials. They "
    "must be in the namespace of Envoy Gateway's proxies (by default envoy-gateway-system), or the pod does not start."
)


def envoy_proxy(config: Config, namespace: str, image: str) -> Json:
    note = (
        "Envoy's bootstrap and pod: runtime layers (Envoy Gateway has no changeable ones), and extproc as a sidecar. "
        f"Changing it replaces the pods. {MOUNTED}"
    )
    spec = proxy_spec(config, image)
    return kubernetes_object("EnvoyProxy", ENVOY_VERSION, "glidepath", namespace, note, spec=spec)


def proxy_spec(config: Config, image: str, workload: str = "envoyDeployment") -> Json:
    """Return the spec of the EnvoyProxy. ``workload``: envoyDeployment or envoyDaemonSet."""
    layers = [without_comments(layer) for layer in runtime_layers(config)]
    patches = [{"op": "add", "path": "/layered_runtime/layers/-", "value": layer} for layer in layers]
    if uses_rtds(config):
        cluster = rtds_cluster(config)
        patches.insert(0, {"op": "add", "path": "/static_resources/clusters/-", "value": cluster})
    patches += [{"op": "add", "path": EXTENSIONS, "value": one} for one in hop_extensions(config)]
    container: Json = {"volumeMounts": [socket_mount()]}
    if secrets := secret_variables(config):
        container["env"] = secrets
    pod = {
        "labels": dict(POD_LABELS),
        "securityContext": {"fsGroup": GROUP},
        "volumes": pod_volumes(),
    }
    made = {"container": container, "pod": pod, "initContainers": [extproc_container(image)]}
    return {
        "bootstrap": {"type": "JSONPatch", "jsonPatches": patches},
        "provider": {"type": "Kubernetes", "kubernetes": {workload: made}},
    }


def complete_envoy_proxy(text: str, config: Config, file: str, image: str) -> str:
    """Return the user's file ``text`` with Glidepath's parts added to its EnvoyProxy. The user's parts do not change.

    ``text`` must not contain parts of an earlier call. Raises InputError, with ``file``, if a setting of the user
    conflicts with one of Glidepath's.
    """
    found = [one for one in kubernetes_objects(text, file) if one.kind == "EnvoyProxy"]
    if len(found) != 1:
        raise InputError(f"{file}: must have one EnvoyProxy (found: {len(found)})")
    (proxy,) = found
    spec = child(proxy.node, "spec")
    _refuse(proxy, spec)
    kubernetes = child(child(spec, "provider"), "kubernetes")
    workload = "envoyDeployment" if child(kubernetes, "envoyDaemonSet") is None else "envoyDaemonSet"
    ours = without_comments(proxy_spec(config, image, workload))
    if _has_internal_listeners(spec):
        patches = [one for one in ours["bootstrap"]["jsonPatches"] if one["path"] != EXTENSIONS]
        ours["bootstrap"]["jsonPatches"] = patches
    if not isinstance(spec, yaml.MappingNode) or not spec.value:
        raise InputError(f"{proxy.place()}: has an empty spec; remove it, and use the EnvoyProxy that is rendered")
    return insert(text, list(_completing(proxy, spec, ours, "spec")), proxy.file)


def _refuse(proxy: ObjectNode, spec: yaml.Node | None) -> None:
    bootstrap = child(spec, "bootstrap")
    kind = text_of(child(bootstrap, "type"))
    if bootstrap is not None and kind != "JSONPatch":
        raise InputError(
            f"{proxy.place(bootstrap)}: its bootstrap has the type {kind or 'Replace'}, to which nothing can be added; "
            "write it as type JSONPatch with jsonPatches"
        )
    for patch in items(child(bootstrap, "jsonPatches")):
        if child(child(patch, "value"), "admin_layer") is not None:
            raise InputError(
                f"{proxy.place(patch)}: adds an admin_layer, and Envoy allows only one; remove it: "
                "Glidepath adds one after its own layers"
            )


def _has_internal_listeners(spec: yaml.Node | None) -> bool:
    """Return whether a patch of the user adds the extension for internal listeners to the bootstrap."""
    values = [child(patch, "value") for patch in items(child(child(spec, "bootstrap"), "jsonPatches"))]
    entries: list[yaml.Node | None] = [one for value in values for one in (*items(value), value)]
    return any(text_of(child(one, "name")) == INTERNAL_LISTENERS for one in entries)


def _completing(proxy: ObjectNode, node: yaml.MappingNode, ours: Json, path: str) -> list[Insertion]:
    """Return the insertions of the keys that ``node`` lacks, and of the items that its lists lack."""
    missing, found = {}, []
    for key, value in ours.items():
        theirs = child(node, key)
        where = f"{path}.{key}"
        if theirs is None:
            missing[key] = value
        elif isinstance(value, dict):
            found += _completing(proxy, _mapping(proxy, theirs, where), value, where)
        elif isinstance(value, list):
            found += _items(proxy, theirs, value, where)
        elif text_of(theirs) != str(value):
            raise InputError(
                f"{proxy.place(theirs)}: {where} is {text_of(theirs)!r}, and Glidepath needs {value!r}; change it, or "
                "use a separate EnvoyProxy for this Gateway"
            )
    return [Insertion(node, missing), *found] if missing else found


def _mapping(proxy: ObjectNode, node: yaml.Node, where: str) -> yaml.MappingNode:
    if not isinstance(node, yaml.MappingNode) or not node.value:
        raise InputError(f"{proxy.place(node)}: {where} is empty or not a mapping; remove it")
    return node


def _items(proxy: ObjectNode, node: yaml.Node, ours: list[Any], where: str) -> list[Insertion]:
    if not isinstance(node, yaml.SequenceNode):
        raise InputError(f"{proxy.place(node)}: {where} is not a list")
    names = {text_of(child(one, "name")): one for one in items(node)} if where != "spec.bootstrap.jsonPatches" else {}
    for one in ours:
        if one.get("name") in names:
            taken = names[one["name"]]
            raise InputError(f"{proxy.place(taken)}: {where} has an item {one['name']!r} already; rename it")
    return [Insertion(node, ours)]
